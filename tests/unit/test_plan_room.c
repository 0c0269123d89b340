/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much room a plan takes, what goes to make it, and what is said when nothing helps. */
#include "base/cleanup.h"
#include "doctor/plan_room.h"
#include "unit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define GB UINT64_C(1000000000)
static const uint64_t spare = UINT64_C(512) << 20;

struct bench {
	struct plan plan;
	struct plan_drop may_go[4];
	struct plan_request request;
	struct error err;
};

/* A download of 8 GB onto a data partition with 20 GB free. */
static struct bench *bench_init(struct bench *bench)
{
	memset(bench, 0, sizeof(*bench));
	bench->plan.goal = GOAL_FIRMWARE;
	bench->plan.firmware.size = 8 * GB;
	strcpy(bench->plan.firmware.build, "21F90");
	strcpy(bench->plan.room.folder, "/data/idevicerescue");
	bench->plan.room.lasting = true;
	bench->plan.room.free_bytes = 20 * GB;
	bench->request.may_go = bench->may_go;
	for (unsigned i = 0; i < 4; i++) {
		snprintf(bench->may_go[i].file, sizeof(bench->may_go[i].file), "%u.ipsw", i);
		snprintf(bench->may_go[i].label, sizeof(bench->may_go[i].label), "iOS %u", i);
		bench->may_go[i].bytes = 3 * GB;
	}
	return bench;
}

static int take(struct bench *bench)
{
	return plan_take_room(&bench->plan, &bench->request, &bench->err);
}

static void refused(struct bench *bench, const char *words)
{
	assert_int_equal(take(bench), -ENOSPC);
	assert_int_equal(bench->err.kind, ERROR_NO_SPACE);
	if (!strstr(bench->err.text, words))
		fail_msg("'%s' is not in: %s", words, bench->err.text);
	assert_true(strlen(bench->err.text) < ERROR_TEXT_BYTES - 1); /* it was not cut off */
}

static void test_need_is_what_is_still_missing(void **state)
{
	struct bench bench;

	assert_int_equal(take(bench_init(&bench)), 0);
	assert_int_equal(bench.plan.need_bytes, 8 * GB + spare);
	bench.request.part_bytes = 3 * GB;
	assert_int_equal(take(&bench), 0);
	assert_int_equal(bench.plan.need_bytes, 5 * GB + spare);
	bench.plan.variant = (struct variant){ .os_bytes = 6 * GB, .os_packed = true };
	assert_int_equal(take(&bench), 0);
	assert_int_equal(bench.plan.need_bytes, 11 * GB + spare);
	strcpy(bench.plan.firmware.path, "/data/x.ipsw");
	assert_int_equal(take(&bench), 0);
	assert_int_equal(bench.plan.need_bytes, 6 * GB + spare);
	bench.plan.variant.os_bytes = UINT64_MAX; /* a manifest that lies */
	refused(&bench, "of room are needed");
}

static void test_small_files_need_little_beside_them(void **state)
{
	struct bench bench;

	bench_init(&bench)->plan.firmware.size = 64 << 20;
	assert_int_equal(take(&bench), 0);
	assert_int_equal(bench.plan.need_bytes, 128 << 20);
}

static void test_no_more_goes_than_must(void **state)
{
	struct bench bench;

	bench_init(&bench)->request.may_go_count = 4;
	assert_int_equal(take(&bench), 0);
	assert_int_equal(bench.plan.drop_count, 0);
	bench.plan.room.free_bytes = 4 * GB; /* 4.54 GB are missing */
	assert_int_equal(take(&bench), 0);
	assert_int_equal(bench.plan.drop_count, 2);
	assert_string_equal(bench.plan.drops[0].file, "0.ipsw");
	assert_string_equal(bench.plan.drops[1].file, "1.ipsw");
	assert_int_equal(take(&bench), 0); /* planned again: not twice as many */
	assert_int_equal(bench.plan.drop_count, 2);
}

static void test_what_cannot_be_made_is_said(void **state)
{
	struct bench bench;

	bench_init(&bench)->plan.room.free_bytes = GB;
	refused(&bench, "8.5 GB of room are needed and 1.0 GB are free in /data/idevicerescue");
	bench.request.may_go_count = 2;
	refused(&bench, "6.0 GB more would be");
	assert_non_null(strstr(bench.err.text, "larger stick"));
	assert_non_null(strstr(bench.err.text, "firmware drop"));
	bench.plan.room.folder[0] = '\0';
	refused(&bench, "no place");
}

static void test_fat_holds_no_large_file(void **state)
{
	struct bench bench;

	bench_init(&bench)->plan.room.fat = true;
	refused(&bench, "FAT");
	bench.plan.firmware.size = (UINT64_C(4) << 30) - 1;
	assert_int_equal(take(&bench), 0);
	bench.plan.firmware.size++;
	refused(&bench, "exFAT");
	strcpy(bench.plan.firmware.path, "/data/x.ipsw"); /* it is here already */
	assert_int_equal(take(&bench), 0);
}

static void test_memory_must_be_left(void **state)
{
	struct bench bench;

	bench_init(&bench)->plan.room.lasting = false;
	bench.plan.room.ram_bytes = 16 * GB;
	assert_int_equal(take(&bench), 0);
	bench.plan.room.ram_bytes = 12 * GB; /* 8 GB and 4 GiB */
	refused(&bench, "12.3 GB; this one has 12.0 GB");
	bench.plan.room.lasting = true;
	assert_int_equal(take(&bench), 0);
	bench.plan.room.lasting = false;
	strcpy(bench.plan.room.cache, "/media/disk");
	bench.plan.room.cache_free_bytes = 20 * GB;
	assert_int_equal(take(&bench), 0); /* it goes to a disk */
	/* a folder that the person chose may be in memory, too, beside a data partition */
	bench.plan.room.lasting = true;
	bench.plan.room.cache_in_memory = true;
	refused(&bench, "'/media/disk' is in memory");
	bench.plan.room.ram_bytes = 16 * GB;
	assert_int_equal(take(&bench), 0);
}

static void test_another_disk_has_its_own_room(void **state)
{
	struct bench bench;

	strcpy(bench_init(&bench)->plan.room.cache, "/media/disk");
	bench.plan.room.free_bytes = GB;
	bench.plan.room.cache_free_bytes = 8 * GB;
	refused(&bench, "8.0 GB are free in /media/disk");
	bench.request.may_go_count = 1;
	assert_int_equal(take(&bench), 0);
	assert_int_equal(bench.plan.drop_count, 1);
	bench.plan.variant = (struct variant){ .os_bytes = 6 * GB, .os_packed = true };
	refused(&bench, "1.0 GB are free in /data/idevicerescue"); /* unpacked beside the job */
}

/* Room that is there once is not counted twice. */
static void test_another_folder_of_one_disk_shares_its_room(void **state)
{
	struct bench bench;

	strcpy(bench_init(&bench)->plan.room.cache, "/data/mine");
	bench.plan.room.free_bytes = bench.plan.room.cache_free_bytes = 10 * GB;
	bench.plan.variant = (struct variant){ .os_bytes = 6 * GB, .os_packed = true };
	assert_int_equal(take(&bench), 0);
	bench.plan.room.cache_here = true;
	refused(&bench, "14.5 GB of room are needed and 10.0 GB are free in /data/mine");
	bench.request.may_go_count = 4;
	assert_int_equal(take(&bench), 0);
	assert_int_equal(bench.plan.drop_count, 2);
}

static void test_drops_outlive_the_journal(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *variant = NULL;
	struct object object = { 0 };
	struct bench bench;
	struct plan again = { 0 };

	bench_init(&bench)->request.may_go_count = 4;
	bench.plan.room.free_bytes = 4 * GB;
	assert_int_equal(take(&bench), 0);
	plan_put_drops(&object, &bench.plan);
	assert_int_equal(object_end(&object, &variant), 0);
	assert_int_equal(plan_read_drops(variant, &again), 0);
	assert_int_equal(again.drop_count, 2);
	assert_memory_equal(again.drops, bench.plan.drops, sizeof(again.drops));
}

static void test_wrong_drops_are_refused(void **state)
{
	static const char *const texts[] = {
		"{\"drops\":{}}",
		"{\"drops\":[1]}",
		"{\"drops\":[{\"bytes\":1}]}",
		"{\"drops\":[{\"file\":\"\"}]}",
		"{\"drops\":[{\"file\":\"../jobs\",\"bytes\":1}]}",
		"{\"drops\":[{\"file\":\"a\",\"bytes\":-1}]}",
		"{\"drops\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *variant = NULL;
		struct plan plan = { 0 };

		assert_int_equal(sd_json_parse(texts[i], 0, &variant, NULL, NULL), 0);
		assert_int_equal(plan_read_drops(variant, &plan), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_need_is_what_is_still_missing),
		cmocka_unit_test(test_small_files_need_little_beside_them),
		cmocka_unit_test(test_no_more_goes_than_must),
		cmocka_unit_test(test_what_cannot_be_made_is_said),
		cmocka_unit_test(test_fat_holds_no_large_file),
		cmocka_unit_test(test_memory_must_be_left),
		cmocka_unit_test(test_another_disk_has_its_own_room),
		cmocka_unit_test(test_another_folder_of_one_disk_shares_its_room),
		cmocka_unit_test(test_drops_outlive_the_journal),
		cmocka_unit_test(test_wrong_drops_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
