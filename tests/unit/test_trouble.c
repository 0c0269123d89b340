/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/text.h"
#include "bus/trouble.h"
#include "unit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SECOND = 1000, MINUTE = 60 * SECOND };

static const uint64_t NOW = 3600ULL * SECOND;

static struct troubles *make(void)
{
	struct troubles *troubles;

	assert_int_equal(troubles_new(&troubles), 0);
	return troubles;
}

static unsigned count_of(const struct troubles *troubles, const char *port, enum trouble_kind kind)
{
	const struct trouble *trouble = troubles_port(troubles, port);

	return trouble ? trouble->counts[kind] : 0;
}

static void test_names(void **state)
{
	for (int i = 0; i < TROUBLE_MAX; i++) {
		enum trouble_kind kind = TROUBLE_MAX;

		assert_int_equal(trouble_from_name(trouble_name((enum trouble_kind)i), &kind), 0);
		assert_int_equal(kind, i);
	}
	assert_int_equal(trouble_from_name("none", &(enum trouble_kind){ 0 }), -EINVAL);
}

static void test_counts_by_port(void **state)
{
	_cleanup_(troubles_freep) struct troubles *troubles = make();
	const struct trouble *trouble;

	assert_null(troubles_port(troubles, "1-2"));
	assert_true(troubles_note(troubles, "1-2", TROUBLE_RESET, 1, "first", 2 * SECOND, NOW));
	assert_true(troubles_note(troubles, "1-2", TROUBLE_RESET, 3, "second", 0, NOW));
	assert_true(troubles_note(troubles, "1-2", TROUBLE_EMI, 1, "older", SECOND, NOW));
	assert_true(troubles_note(troubles, "1-2.1", TROUBLE_OVER_CURRENT, 1, "hub", 0, NOW));
	assert_int_equal(troubles_count(troubles), 2);
	trouble = troubles_port(troubles, "1-2");
	assert_int_equal(trouble->counts[TROUBLE_RESET], 4);
	assert_int_equal(trouble->counts[TROUBLE_EMI], 1);
	assert_int_equal(trouble->counts[TROUBLE_OVER_CURRENT], 0);
	assert_int_equal(trouble_total(trouble), 5);
	assert_string_equal(trouble->line, "second"); /* the latest, not the one told last */
	assert_int_equal(trouble->last_ms, NOW);
	assert_ptr_equal(troubles_at(troubles, 0), trouble);
	assert_string_equal(troubles_at(troubles, 1)->port, "1-2.1");
	assert_null(troubles_at(troubles, 2));
	troubles_forget(troubles, "1-2");
	troubles_forget(troubles, "1-9");
	assert_null(troubles_port(troubles, "1-2"));
	assert_int_equal(troubles_count(troubles), 1);
	troubles_clear(troubles);
	assert_int_equal(troubles_count(troubles), 0);
}

static void test_fades(void **state)
{
	_cleanup_(troubles_freep) struct troubles *troubles = make();
	uint64_t next_ms;

	assert_false(troubles_expire(troubles, NOW, &next_ms));
	assert_true(next_ms == UINT64_MAX);
	assert_true(troubles_note(troubles, "1-2", TROUBLE_RESET, 1, "old", 4 * MINUTE, NOW));
	assert_true(troubles_note(troubles, "1-2", TROUBLE_RESET, 1, "new", 0, NOW));
	/* too old when it is told */
	assert_false(troubles_note(troubles, "1-2", TROUBLE_RESET, 1, "x", 5 * MINUTE, NOW));
	assert_false(troubles_note(troubles, "1-7", TROUBLE_RESET, 1, "x", 60 * MINUTE, NOW));
	assert_int_equal(troubles_count(troubles), 1);
	assert_false(troubles_expire(troubles, NOW, &next_ms));
	assert_uint_in_range(next_ms, NOW + MINUTE, NOW + MINUTE + 30 * SECOND);
	assert_true(troubles_expire(troubles, next_ms, &next_ms));
	assert_int_equal(count_of(troubles, "1-2", TROUBLE_RESET), 1);
	assert_uint_in_range(next_ms, NOW + 5 * MINUTE, NOW + 5 * MINUTE + 30 * SECOND);
	assert_false(troubles_expire(troubles, next_ms - 1, &next_ms));
	assert_int_equal(count_of(troubles, "1-2", TROUBLE_RESET), 1);
	assert_true(troubles_expire(troubles, next_ms, &next_ms));
	assert_int_equal(troubles_count(troubles), 0);
	assert_true(next_ms == UINT64_MAX);
}

/* A ring of slots in the long run: one line every ten seconds for an hour. */
static void test_long_run(void **state)
{
	_cleanup_(troubles_freep) struct troubles *troubles = make();

	for (uint64_t now_ms = NOW; now_ms < 2 * NOW; now_ms += 10ULL * SECOND) {
		uint64_t next_ms;

		troubles_note(troubles, "3-1", TROUBLE_EMI, 1, "x", 0, now_ms);
		troubles_expire(troubles, now_ms, &next_ms);
		assert_true(next_ms > now_ms);
		if (now_ms > NOW + 6ULL * MINUTE)
			assert_uint_in_range(count_of(troubles, "3-1", TROUBLE_EMI), 30, 34);
	}
}

static void test_dead_controller_stays(void **state)
{
	_cleanup_(troubles_freep) struct troubles *troubles = make();
	uint64_t next_ms;

	assert_true(troubles_note(troubles, "", TROUBLE_HOST, 1, "died", 30 * MINUTE, NOW));
	assert_true(troubles_note(troubles, "", TROUBLE_RESET, 1, "x", 0, NOW));
	assert_true(troubles_expire(troubles, NOW * 2, &next_ms));
	assert_true(next_ms == UINT64_MAX);
	assert_int_equal(count_of(troubles, "", TROUBLE_HOST), 1);
	assert_int_equal(count_of(troubles, "", TROUBLE_RESET), 0);
	troubles_forget(troubles, "");
	assert_int_equal(troubles_count(troubles), 0);
}

static void test_bounds(void **state)
{
	_cleanup_(troubles_freep) struct troubles *troubles = make();
	char port[64], line[2 * TROUBLE_LINE_BYTES];

	for (unsigned i = 1; i <= TROUBLE_PORTS_MAX + 1; i++) {
		snprintf(port, sizeof(port), "1-%u", i);
		/* port 5 has the oldest trouble */
		assert_true(
		    troubles_note(troubles, port, TROUBLE_EMI, 1, "x", i == 5 ? MINUTE : 0, NOW));
	}
	assert_int_equal(troubles_count(troubles), TROUBLE_PORTS_MAX);
	assert_null(troubles_port(troubles, "1-5"));
	assert_non_null(troubles_port(troubles, "1-1"));
	assert_false(troubles_note(troubles, "1-22222222222222222222222222222222", TROUBLE_EMI, 1,
				   "x", 0, NOW));
	assert_false(troubles_note(troubles, "1-1", TROUBLE_EMI, 0, "x", 0, NOW));
	memset(line, 'l', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (int i = 0; i < 3; i++)
		assert_true(troubles_note(troubles, "1-1", TROUBLE_EMI, UINT32_MAX, line, 0, NOW));
	assert_int_equal(strlen(troubles_port(troubles, "1-1")->line), TROUBLE_LINE_BYTES - 1);
	assert_int_equal(count_of(troubles, "1-1", TROUBLE_EMI), 1000 * 1000);
	/* older than the clock itself */
	assert_true(troubles_note(troubles, "1-1", TROUBLE_RESET, 1, "x", 2 * SECOND, SECOND));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_counts_by_port),
		cmocka_unit_test(test_fades),
		cmocka_unit_test(test_long_run),
		cmocka_unit_test(test_dead_controller_stays),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
