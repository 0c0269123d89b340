/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/amount_text.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "facts/facts.h"
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { KILO = 1000, MS_PER_S = 1000, MINUTE_S = 60, HOUR_S = 3600, TENTHS_BELOW = 100 };

static void amount_set(char *ret, const char *text)
{
	text_copy(ret, AMOUNT_BYTES, text ? text : "");
}

/* "7.4" below 100, "128" above; count in tenths. */
static void tenths_text(uint64_t tenths, char ret[static AMOUNT_BYTES])
{
	if (tenths % 10 == 0 || tenths >= (uint64_t)TENTHS_BELOW * 10)
		snprintf(ret, AMOUNT_BYTES, "%" PRIu64, tenths / 10);
	else
		snprintf(ret, AMOUNT_BYTES, "%" PRIu64 ".%" PRIu64, tenths / 10, tenths % 10);
}

void amount_text_bytes(uint64_t bytes, char ret[static AMOUNT_BYTES])
{
	static const struct {
		uint64_t unit;
		const char *id;
	} units[] = {
		{ (uint64_t)KILO * KILO * KILO, "amount-gigabytes" },
		{ (uint64_t)KILO * KILO, "amount-megabytes" },
		{ KILO, "amount-kilobytes" },
		{ 1, "amount-bytes" },
	};
	_cleanup_free_ char *text = NULL;
	char count[AMOUNT_BYTES];
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && bytes < units[i].unit)
		i++;
	if (units[i].unit == 1)
		snprintf(count, sizeof(count), "%" PRIu64, bytes);
	else
		tenths_text(bytes / (units[i].unit / 10), count);
	text = message_format(units[i].id, "count", count, NULL);
	amount_set(ret, text);
}

void amount_text_rate(uint64_t rate, char ret[static AMOUNT_BYTES])
{
	_cleanup_free_ char *text = NULL;
	char amount[AMOUNT_BYTES];

	amount_text_bytes(rate, amount);
	text = message_format("amount-rate", "amount", amount, NULL);
	amount_set(ret, text);
}

void amount_text_day(uint64_t ms, char ret[static AMOUNT_BYTES])
{
	time_t seconds = (time_t)(ms / MS_PER_S);
	struct tm tm;

	ret[0] = '\0';
	if (ms > 0 && ms <= INT64_MAX && gmtime_r(&seconds, &tm))
		(void)strftime(ret, AMOUNT_BYTES, "%Y-%m-%d", &tm);
}

void amount_text_duration(uint64_t seconds, char ret[static AMOUNT_BYTES])
{
	uint64_t minutes = seconds / MINUTE_S + (seconds % MINUTE_S >= MINUTE_S / 2);
	_cleanup_free_ char *text = NULL;
	char count[AMOUNT_BYTES];

	if (seconds < MINUTE_S) {
		text = message_format("amount-moment", NULL);
	} else if (minutes == 1) {
		text = message_format("amount-about-minute", NULL);
	} else if (seconds < HOUR_S) {
		snprintf(count, sizeof(count), "%" PRIu64, minutes);
		text = message_format("amount-about-minutes", "minutes", count, NULL);
	} else if (seconds < 2 * HOUR_S) {
		snprintf(count, sizeof(count), "%" PRIu64, (seconds - HOUR_S) / MINUTE_S);
		text = message_format("amount-about-hour", "minutes", count, NULL);
	} else {
		snprintf(count, sizeof(count), "%" PRIu64,
			 seconds / HOUR_S + (seconds % HOUR_S >= HOUR_S / 2));
		text = message_format("amount-about-hours", "hours", count, NULL);
	}
	amount_set(ret, text);
}
