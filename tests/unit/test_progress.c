/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "doctor/progress.h"
#include "unit.h"
#include <string.h>

static void test_steady(void **state)
{
	struct progress progress;

	progress_begin(&progress, 1000);
	for (uint64_t i = 0; i <= 20; i++)
		progress_update(&progress, "download", i * 500000, 100000000, true, 1000 + i * 500);
	assert_int_equal(progress.rate, 1000000);
	assert_int_equal(progress.remaining_s, 90);
}

static void test_nothing_is_told_too_early(void **state)
{
	struct progress progress;

	progress_begin(&progress, 0);
	progress_update(&progress, "download", 0, 1000, true, 0);
	progress_update(&progress, "download", 100, 1000, true, 1900);
	assert_int_equal(progress.rate, 0);
	assert_true(progress.remaining_s == UINT64_MAX);
	progress_update(&progress, "download", 200, 1000, true, 4000);
	assert_true(progress.rate > 0);
	assert_true(progress.remaining_s != UINT64_MAX);
}

static void test_rate_follows(void **state)
{
	struct progress progress;
	uint64_t done = 0, now = 0;

	progress_begin(&progress, 0);
	for (int i = 0; i < 60; i++, now += 500, done += 500000)
		progress_update(&progress, "download", done, 0, true, now);
	assert_uint_in_range(progress.rate, 990000, 1010000);
	for (int i = 0; i < 60; i++, now += 500, done += 50000)
		progress_update(&progress, "download", done, 0, true, now);
	assert_uint_in_range(progress.rate, 95000, 150000);
	assert_true(progress.remaining_s == UINT64_MAX);
	/* a stall is told as what it is: no rate */
	for (int i = 0; i < 240; i++, now += 500)
		progress_update(&progress, "download", done, done * 2, true, now);
	assert_int_equal(progress.rate, 0);
	assert_true(progress.remaining_s == UINT64_MAX);
}

static void test_new_part_begins_anew(void **state)
{
	struct progress progress;

	progress_begin(&progress, 0);
	progress_update(&progress, "verify-system", 0, 1000, false, 0);
	progress_update(&progress, "verify-system", 500, 1000, false, 5000);
	assert_int_equal(progress.remaining_s, 5);
	progress_update(&progress, "firmware", 0, 1000, false, 5500);
	assert_int_equal(progress.rate, 0);
	progress_update(&progress, "firmware", 900, 1000, false, 9000);
	assert_true(progress.rate > 0);
	progress_update(&progress, "firmware", 100, 1000, false, 9500); /* back */
	assert_int_equal(progress.rate, 0);
	assert_true(progress.remaining_s == UINT64_MAX);
}

static void test_clock_that_stands_or_goes_back(void **state)
{
	struct progress progress;

	progress_begin(&progress, 5000);
	progress_update(&progress, NULL, 1, 10, true, 5000);
	progress_update(&progress, NULL, 5, 10, true, 5000);
	progress_update(&progress, NULL, 6, 10, true, 100);
	assert_int_equal(progress.rate, 0);
	assert_int_equal(progress.done, 6);
}

static void test_more_than_all(void **state)
{
	struct progress progress;

	progress_begin(&progress, 0);
	progress_update(&progress, "x", 0, 10, true, 0);
	progress_update(&progress, "x", 40, 10, true, 4000);
	assert_int_equal(progress.remaining_s, 0);
}

static void test_json(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_free_ char *text = NULL;
	struct progress progress;

	progress_begin(&progress, 0);
	progress_update(&progress, "download", 10, 0, true, 0);
	assert_int_equal(progress_to_json(&progress, &object), 0);
	assert_true(sd_json_variant_format(object, 0, &text) >= 0);
	assert_string_equal(text, "{\"part\":\"download\",\"done\":10,\"unit\":\"bytes\"}");
	sd_json_variant_unref(object);
	object = NULL;
	free(text);
	progress_update(&progress, "firmware", 0, 1000, false, 0);
	progress_update(&progress, "firmware", 500, 1000, false, 5000);
	assert_int_equal(progress_to_json(&progress, &object), 0);
	assert_true(sd_json_variant_format(object, 0, &text) >= 0);
	assert_string_equal(text, "{\"part\":\"firmware\",\"done\":500,\"total\":1000,\"unit\":"
				  "\"permille\",\"rate\":100,\"remaining_s\":5}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_nothing_is_told_too_early),
		cmocka_unit_test(test_rate_follows),
		cmocka_unit_test(test_new_part_begins_anew),
		cmocka_unit_test(test_clock_that_stands_or_goes_back),
		cmocka_unit_test(test_more_than_all),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
