/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/computer.h"
#include "base/cleanup.h"
#include "bus/serial.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct cause_words {
	const char *name, *condition;
	const char *reason, *remedy; /* ids of messages */
} causes[COMPUTER_CAUSE_MAX] = {
	[COMPUTER_NONE] = { "none", "ok", NULL, NULL },
	[COMPUTER_HIBERNATED] = { "hibernated", "hibernated", "computer-reason-hibernated",
				  "computer-remedy-hibernated" },
	[COMPUTER_SLEEPER] = { "sleeper", "hibernated", "computer-reason-sleeper",
			       "computer-remedy-sleeper" },
	[COMPUTER_DIRTY] = { "dirty", "dirty", "computer-reason-dirty", "computer-remedy-dirty" },
	[COMPUTER_LOG_OPEN] = { "log-open", "dirty", "computer-reason-log-open",
				"computer-remedy-log-open" },
	[COMPUTER_RECOVER] = { "recover", "dirty", "computer-reason-recover",
			       "computer-remedy-recover" },
	[COMPUTER_ERRORS] = { "errors", "dirty", "computer-reason-errors",
			      "computer-remedy-errors" },
	[COMPUTER_BITLOCKER] = { "bitlocker", "encrypted", "computer-reason-bitlocker",
				 "computer-remedy-bitlocker" },
	[COMPUTER_LUKS] = { "luks", "encrypted", "computer-reason-luks", "computer-remedy-luks" },
	[COMPUTER_PROTECTED] = { "protected", "read-only", "computer-reason-protected",
				 "computer-remedy-protected" },
	[COMPUTER_MACOS] = { "macos", "unsupported", "computer-reason-macos",
			     "computer-remedy-macos" },
	[COMPUTER_FILE_SYSTEM] = { "file-system", "unsupported", "computer-reason-file-system",
				   "computer-remedy-file-system" },
	[COMPUTER_UNREADABLE] = { "unreadable", "unsupported", "computer-reason-unreadable",
				  "computer-remedy-unreadable" },
};

enum computer_cause computer_cause_from_name(const char *name)
{
	for (int cause = 0; name && cause < COMPUTER_CAUSE_MAX; cause++)
		if (strcmp(causes[cause].name, name) == 0)
			return (enum computer_cause)cause;
	return COMPUTER_CAUSE_MAX;
}

const char *computer_condition(enum computer_cause cause)
{
	return causes[cause].condition;
}

static const char *words(const char *id)
{
	const struct message *message = id ? message_find(id) : NULL;

	return message ? message->text : NULL;
}

const char *computer_reason(enum computer_cause cause)
{
	return words(causes[cause].reason);
}

const char *computer_remedy(enum computer_cause cause)
{
	return words(causes[cause].remedy);
}

/* --- the clock ------------------------------------------------------------------------------- */

static const uint64_t day_ms = UINT64_C(24) * 3600 * 1000;
/* Local time is up to 14 hours off, and a clock that is a day off breaks nothing. */
static const uint64_t tolerance_ms = UINT64_C(38) * 3600 * 1000;
/* Nobody will start this image later than that. */
static const uint64_t image_life_ms = UINT64_C(15) * 365 * 24 * 3600 * 1000;

const char *computer_clock_name(enum computer_clock clock)
{
	static const char *const names[CLOCK_MAX] = {
		[CLOCK_UNKNOWN] = "unknown",
		[CLOCK_FITS] = "fits",
		[CLOCK_BEHIND] = "behind",
		[CLOCK_AHEAD] = "ahead",
	};

	return names[clock];
}

static void date_text(uint64_t ms, char ret[static sizeof("YYYY-MM-DD")])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	ret[0] = '\0';
	if (gmtime_r(&seconds, &tm))
		(void)strftime(ret, sizeof("YYYY-MM-DD"), "%Y-%m-%d", &tm);
}

static bool is_before(uint64_t ms, uint64_t than_ms)
{
	return than_ms > tolerance_ms && ms < than_ms - tolerance_ms;
}

/* The text `id` with both dates. */
static enum computer_clock clock_found(enum computer_clock clock, const char *id, uint64_t board_ms,
				       uint64_t other_ms, char **ret_text)
{
	char board[sizeof("YYYY-MM-DD")], other[sizeof("YYYY-MM-DD")];

	date_text(board_ms, board);
	date_text(other_ms, other);
	*ret_text = message_format(id, "board", board, "other", other, NULL);
	return clock;
}

enum computer_clock computer_clock(const struct computer_times *times, char **ret_text)
{
	uint64_t board_ms = times->board_ms;

	*ret_text = NULL;
	if (board_ms < day_ms) /* no clock at all, or one that says 1970 */
		return CLOCK_UNKNOWN;
	if (times->true_ms > 0) {
		if (is_before(board_ms, times->true_ms))
			return clock_found(CLOCK_BEHIND, "computer-clock-behind", board_ms,
					   times->true_ms, ret_text);
		if (is_before(times->true_ms, board_ms))
			return clock_found(CLOCK_AHEAD, "computer-clock-ahead", board_ms,
					   times->true_ms, ret_text);
		return CLOCK_FITS;
	}
	if (times->made_ms > 0 && is_before(board_ms, times->made_ms))
		return clock_found(CLOCK_BEHIND, "computer-clock-before-image", board_ms,
				   times->made_ms, ret_text);
	if (times->record_ms > 0 && is_before(board_ms, times->record_ms))
		return clock_found(CLOCK_BEHIND, "computer-clock-before-record", board_ms,
				   times->record_ms, ret_text);
	if (times->made_ms > 0 && board_ms > times->made_ms + image_life_ms)
		return clock_found(CLOCK_AHEAD, "computer-clock-far-ahead", board_ms,
				   times->made_ms, ret_text);
	return CLOCK_UNKNOWN;
}

/* --- conclusions ----------------------------------------------------------------------------- */

/* Some write the newer form without its hyphen, or in small letters. */
static bool udid_equal(const char *a, const char *b)
{
	char first[UDID_BYTES], second[UDID_BYTES];

	return udid_from_serial(a, first) == 0 && udid_from_serial(b, second) == 0 &&
	       strcmp(first, second) == 0;
}

enum keeps { KEEPS_NONE, KEEPS_WHOLE, KEEPS_BROKEN };

static enum keeps record_of(const struct computer_facts *facts, const char *udid)
{
	enum keeps keeps = KEEPS_NONE;

	for (size_t i = 0; i < facts->record_count; i++) {
		if (!udid_equal(facts->records[i].udid, udid))
			continue;
		if (facts->records[i].broken)
			return KEEPS_BROKEN;
		keeps = KEEPS_WHOLE;
	}
	return keeps;
}

/* The phone that tells most: one whose record here is broken, then one that has a record. */
static const struct computer_phone *telling(const struct computer_facts *facts, enum keeps *ret)
{
	const struct computer_phone *best = NULL;

	for (size_t i = 0; i < facts->phone_count; i++) {
		enum keeps keeps = record_of(facts, facts->phones[i].udid);

		if (best && keeps <= *ret)
			continue;
		best = &facts->phones[i];
		*ret = keeps;
	}
	return best;
}

static const char *conclusion_message(const struct computer_facts *facts, enum keeps keeps)
{
	switch (keeps) {
	case KEEPS_BROKEN:
		return "computer-works-broken";
	case KEEPS_WHOLE:
		return "computer-works-record";
	case KEEPS_NONE:
		break;
	}
	return facts->looked > 0 && facts->closed == 0 ? "computer-works-no-record"
						       : "computer-works-unseen";
}

bool computer_conclude(const struct computer_facts *facts, const char **ret_id, char **ret_text)
{
	enum keeps keeps = KEEPS_NONE;
	const struct computer_phone *phone = telling(facts, &keeps);
	const char *message = phone ? conclusion_message(facts, keeps) : "computer-no-phone";

	*ret_id = message + strlen("computer-");
	*ret_text = message_format(message, "phone", phone ? phone->label : "", NULL);
	return phone != NULL;
}
