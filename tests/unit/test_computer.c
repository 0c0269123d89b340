/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What follows from what was seen of the computer itself, and the consents to move its records. */
#include "base/cleanup.h"
#include "doctor/computer.h"
#include "doctor/consent_move.h"
#include "unit.h"
#include <string.h>

#define UDID "00008110-001C20223E29401E"

static const uint64_t day_ms = UINT64_C(24) * 3600 * 1000;
static const uint64_t today_ms = UINT64_C(1795300000000); /* in November 2026 */

/* --- causes ---------------------------------------------------------------------------------- */

static void every_cause_has_its_words(void **state)
{
	for (int i = 0; i < COMPUTER_CAUSE_MAX; i++) {
		enum computer_cause cause = (enum computer_cause)i;

		if (cause == COMPUTER_NONE) {
			assert_string_equal(computer_condition(cause), "ok");
			assert_null(computer_reason(cause));
			continue;
		}
		assert_string_not_equal(computer_condition(cause), "ok");
		assert_non_null(computer_reason(cause));
		assert_non_null(computer_remedy(cause));
		for (int j = 1; j < i; j++)
			assert_string_not_equal(computer_reason((enum computer_cause)j),
						computer_reason(cause));
	}
	assert_int_equal(computer_cause_from_name("log-open"), COMPUTER_LOG_OPEN);
	assert_int_equal(computer_cause_from_name("moon"), COMPUTER_CAUSE_MAX);
	assert_int_equal(computer_cause_from_name(NULL), COMPUTER_CAUSE_MAX);
}

/* --- clock ----------------------------------------------------------------------------------- */

static enum computer_clock clock_says(struct computer_times times, const char *words)
{
	_cleanup_free_ char *text = NULL;
	enum computer_clock clock = computer_clock(&times, &text);

	if (words)
		assert_non_null(text ? strstr(text, words) : NULL);
	else
		assert_null(text);
	return clock;
}

static void only_evidence_speaks_against_the_clock(void **state)
{
	const uint64_t year_ms = 365 * day_ms;

	assert_int_equal(clock_says((struct computer_times){ 0 }, NULL), CLOCK_UNKNOWN);
	/* local time in it is no mistake */
	assert_int_equal(
	    clock_says((struct computer_times){ .board_ms = today_ms + 14 * day_ms / 24,
						.true_ms = today_ms },
		       NULL),
	    CLOCK_FITS);
	assert_int_equal(clock_says((struct computer_times){ .board_ms = today_ms - 9 * year_ms,
							     .true_ms = today_ms },
				    "2026-11-"),
			 CLOCK_BEHIND);
	assert_int_equal(clock_says((struct computer_times){ .board_ms = today_ms + 2 * day_ms,
							     .true_ms = today_ms },
				    "ahead"),
			 CLOCK_AHEAD);
	/* without a server's time */
	assert_int_equal(clock_says((struct computer_times){ .board_ms = today_ms,
							     .made_ms = today_ms - year_ms },
				    NULL),
			 CLOCK_UNKNOWN);
	assert_int_equal(clock_says((struct computer_times){ .board_ms = today_ms - year_ms,
							     .made_ms = today_ms },
				    "certainly behind"),
			 CLOCK_BEHIND);
	assert_int_equal(clock_says((struct computer_times){ .board_ms = today_ms - year_ms,
							     .made_ms = today_ms - 2 * year_ms,
							     .record_ms = today_ms },
				    "Either"),
			 CLOCK_BEHIND);
	assert_int_equal(clock_says((struct computer_times){ .board_ms = today_ms + 20 * year_ms,
							     .made_ms = today_ms },
				    "probably ahead"),
			 CLOCK_AHEAD);
}

/* --- conclusions ----------------------------------------------------------------------------- */

static const struct computer_phone anna = { .udid = UDID, .label = "Anna's iPhone" };

static void concludes(const struct computer_facts *facts, bool wanted, const char *id)
{
	_cleanup_free_ char *text = NULL;
	const char *found = NULL;

	assert_int_equal(computer_conclude(facts, &found, &text), wanted);
	assert_string_equal(found, id);
	assert_non_null(text);
	if (wanted)
		assert_non_null(strstr(text, "Anna's iPhone"));
}

static void nothing_is_concluded_without_a_phone_that_works_here(void **state)
{
	const struct computer_record record = { .udid = UDID, .broken = true };

	concludes(&(struct computer_facts){ .records = &record, .record_count = 1, .looked = 1 },
		  false, "no-phone");
}

static void what_the_records_say_is_told_apart(void **state)
{
	/* the same phone, as other systems write it */
	struct computer_record records[] = {
		{ .udid = "00008110-00AAAAAAAAAAAAAA", .broken = true },
		{ .udid = "00008110001c20223e29401e" },
	};
	struct computer_facts facts = {
		.phones = &anna,
		.phone_count = 1,
		.records = records,
		.record_count = 2,
		.looked = 1,
	};

	concludes(&facts, true, "works-record");
	records[1].broken = true;
	concludes(&facts, true, "works-broken");
	facts.record_count = 1;
	concludes(&facts, true, "works-no-record");
	facts.closed = 1; /* it may lie on the volume that nobody could look into */
	concludes(&facts, true, "works-unseen");
}

/* --- consents -------------------------------------------------------------------------------- */

static void consent_is_for_one_volume_once_and_not_for_long(void **state)
{
	_cleanup_(move_consents_freep) struct move_consents *consents = NULL;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *volume = NULL, *shown = NULL;
	char token[CONSENT_TOKEN_BYTES];
	struct error err;

	assert_int_equal(move_consents_new(&consents), 0);
	assert_true(sd_json_buildo(&volume, SD_JSON_BUILD_PAIR_STRING("id", "sda2")) >= 0);
	assert_int_equal(move_consent_mint(consents, volume, 1000, token), 0);
	assert_int_equal(strlen(token), CONSENT_TOKEN_BYTES - 1);
	assert_true(move_consent_use(consents, "", "sda2", 1000, &shown, &err) < 0);
	assert_true(move_consent_use(consents, token, "sda3", 1000, &shown, &err) < 0);
	assert_int_equal(err.kind, ERROR_NO_CONSENT);
	assert_int_equal(move_consent_use(consents, token, "sda2", 1000, &shown, &err), 0);
	assert_ptr_equal(shown, volume);
	assert_true(move_consent_use(consents, token, "sda2", 1000, &shown, &err) < 0);
	assert_int_equal(move_consent_mint(consents, volume, 1000, token), 0);
	assert_true(move_consent_use(consents, token, "sda2", 1000 + timing_ms(TIMING_CONSENT),
				     &shown, &err) < 0);
	assert_non_null(strstr(err.text, "too old"));
}

static void many_consents_make_room(void **state)
{
	_cleanup_(move_consents_freep) struct move_consents *consents = NULL;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *volume = NULL, *shown = NULL;
	char first[CONSENT_TOKEN_BYTES], token[CONSENT_TOKEN_BYTES];
	struct error err;

	assert_int_equal(move_consents_new(&consents), 0);
	assert_true(sd_json_buildo(&volume, SD_JSON_BUILD_PAIR_STRING("id", "sda2")) >= 0);
	assert_int_equal(move_consent_mint(consents, volume, 1, first), 0);
	for (uint64_t i = 2; i < 200; i++)
		assert_int_equal(move_consent_mint(consents, volume, i, token), 0);
	assert_true(move_consent_use(consents, first, "sda2", 300, &shown, &err) < 0);
	assert_int_equal(move_consent_use(consents, token, "sda2", 300, &shown, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cause_has_its_words),
		cmocka_unit_test(only_evidence_speaks_against_the_clock),
		cmocka_unit_test(nothing_is_concluded_without_a_phone_that_works_here),
		cmocka_unit_test(what_the_records_say_is_told_apart),
		cmocka_unit_test(consent_is_for_one_volume_once_and_not_for_long),
		cmocka_unit_test(many_consents_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
