/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/phone_text.h"
#include "base/cleanup.h"
#include "face/output.h"
#include "phone/phone.h"
#include "service/fields.h"
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { SPEED_LOW_MBPS = 1, GIGABIT_MBPS = 1000, TIME_BYTES = 64 };

char *phone_text_field(sd_json_variant *phone, const char *field)
{
	const char *text = field_string(phone, field);

	return output_clean(text ? text : "");
}

char *phone_text_label(sd_json_variant *phone)
{
	const char *label = field_string(phone, "label");

	return output_clean(label ? label : output_text("console-some-phone"));
}

char *phone_text_mode(sd_json_variant *phone)
{
	const char *label = mode_fact(mode_from_name(field_string(phone, "mode")))->label;
	_cleanup_free_ char *text = NULL;

	if (field_is(phone, "presence", "settling"))
		text = message_format("list-settling", "mode", label, NULL);
	else if (field_is(phone, "presence", "awaited"))
		text = message_format("list-awaited", "mode", label, NULL);
	return output_clean(text ? text : label);
}

char *phone_text_speed(sd_json_variant *phone)
{
	uint64_t mbps = field_unsigned(phone, "speed_mbps", 0);
	_cleanup_free_ char *text = NULL;
	char number[32];

	if (mbps == 0)
		return output_clean("");
	if (mbps == SPEED_LOW_MBPS)
		text = message_format("console-speed-mbit", "speed", "1.5", NULL);
	else if (mbps % GIGABIT_MBPS == 0) {
		snprintf(number, sizeof(number), "%" PRIu64, mbps / GIGABIT_MBPS);
		text = message_format("console-speed-gbit", "speed", number, NULL);
	} else {
		snprintf(number, sizeof(number), "%" PRIu64, mbps);
		text = message_format("console-speed-mbit", "speed", number, NULL);
	}
	return output_clean(text ? text : "");
}

char *phone_text_hubs(sd_json_variant *phone)
{
	uint64_t depth = field_unsigned(phone, "hub_depth", UINT64_MAX);
	_cleanup_free_ char *text = NULL;
	char number[32];

	if (depth == UINT64_MAX)
		return output_clean("");
	snprintf(number, sizeof(number), "%" PRIu64, depth);
	if (depth <= 1)
		return output_clean(output_text(depth == 0 ? "console-no-hub" : "console-one-hub"));
	text = message_format("console-many-hubs", "count", number, NULL);
	return output_clean(text ? text : "");
}

char *phone_text_time(uint64_t time_ms, bool with_day)
{
	time_t seconds = (time_t)(time_ms / 1000);
	char text[TIME_BYTES] = "";
	struct tm local;

	if (localtime_r(&seconds, &local))
		(void)(with_day ? strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local)
				: strftime(text, sizeof(text), "%H:%M:%S", &local));
	return output_clean(text);
}

const char *phone_text_trust(sd_json_variant *phone)
{
	static const struct {
		enum trust trust;
		const char *id;
	} rows[] = {
		{ TRUST_LOCKED, "console-trust-locked" },
		{ TRUST_ASKING, "console-trust-asking" },
		{ TRUST_DENIED, "console-trust-denied" },
		{ TRUST_STALE, "console-trust-stale" },
		{ TRUST_TRUSTED, "console-trust-trusted" },
		{ TRUST_REFUSED_BY_POLICY, "console-trust-policy" },
	};

	if (!field_is(phone, "mode", "normal") && !field_is(phone, "mode", "restore"))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (field_is(phone, "trust", trust_name(rows[i].trust)))
			return rows[i].id;
	return NULL;
}
