/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/phone_text.h"
#include "base/cleanup.h"
#include "doctor/lights.h"
#include "face/output.h"
#include "phone/phone.h"
#include "service/fields.h"
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { SPEED_LOW_MBPS = 1, GIGABIT_MBPS = 1000, TIME_BYTES = 64, LIGHTS_BYTES = 96 };

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

/* The object of this light, NULL if the phone has none. */
static sd_json_variant *light_find(sd_json_variant *phone, const char *name)
{
	sd_json_variant *lights = field_array(phone, "lights");

	for (size_t i = 0; i < sd_json_variant_elements(lights); i++) {
		sd_json_variant *light = sd_json_variant_by_index(lights, i);

		if (field_is(light, "light", name))
			return light;
	}
	return NULL;
}

static enum light_state light_state(sd_json_variant *light)
{
	for (int state = 0; state < LIGHT_STATE_MAX; state++)
		if (field_is(light, "state", light_state_name((enum light_state)state)))
			return (enum light_state)state;
	return LIGHT_OFF;
}

char *phone_text_lights(sd_json_variant *phone)
{
	static const char *const places[LIGHT_MAX] = {
		[LIGHT_USB] = "lights-short-usb",
		[LIGHT_MUX] = "lights-short-mux",
		[LIGHT_LINK] = "lights-short-link",
	};
	static const char *const words[LIGHT_STATE_MAX] = {
		[LIGHT_OFF] = "lights-state-off",
		[LIGHT_WORKING] = "lights-state-working",
		[LIGHT_FAILED] = "lights-state-failed",
	};
	char text[LIGHTS_BYTES] = "";
	size_t used = 0;

	for (int light = 0; light < LIGHT_MAX; light++) {
		sd_json_variant *object = light_find(phone, light_name((enum light)light));
		_cleanup_free_ char *one = NULL;
		int n;

		if (!object)
			return output_clean("");
		one = message_format(places[light], "state",
				     output_text(words[light_state(object)]), NULL);
		n = snprintf(text + used, sizeof(text) - used, "%s%s", used > 0 ? "  " : "",
			     one ? one : "");
		if (n > 0 && (size_t)n < sizeof(text) - used)
			used += (size_t)n;
	}
	return output_clean(text);
}

char *phone_text_light(sd_json_variant *phone, const char *light)
{
	static const char *const words[LIGHT_STATE_MAX] = {
		[LIGHT_OFF] = "lights-state-off-long",
		[LIGHT_WORKING] = "lights-state-working-long",
		[LIGHT_FAILED] = "lights-state-failed",
	};
	sd_json_variant *object = light_find(phone, light);
	const char *evidence = field_string(object, "evidence");
	_cleanup_free_ char *line = NULL;

	if (object)
		line =
		    message_format("lights-line", "state", output_text(words[light_state(object)]),
				   "evidence", evidence ? evidence : "", NULL);
	return output_clean(line ? line : "");
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
