/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The object `firmware`: there and back, what is refused, and what is not written. */
#include "base/cleanup.h"
#include "doctor/firmware.h"
#include "unit.h"
#include <errno.h>
#include <string.h>

#define SHA1   "94b8cfcd85de64dc6bb18287c340d5abe92109c3"
#define SHA256 "94b8cfcd85de64dc6bb18287c340d5abe92109c394b8cfcd85de64dc6bb18287"

static struct firmware firmware_full(void)
{
	return (struct firmware){
		.product = "iPhone14,5",
		.version = "26.6.1",
		.build = "23G83",
		.name = "a_Restore.ipsw",
		.url = "https://updates.cdn-apple.com/a_Restore.ipsw",
		.path = "/data/firmware/a.ipsw",
		.size = 10000000000,
		.sha1 = SHA1,
		.sha256 = SHA256,
		.verified = true,
		.sources = "image apple ipsw.me",
		.confirmed = true,
		.conflict = true,
		.said_signed = "yes",
		.released_ms = 1755450000000,
	};
}

static struct firmware there_and_back(const struct firmware *firmware)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct firmware back;

	assert_int_equal(firmware_to_json(firmware, &object), 0);
	assert_int_equal(firmware_from_json(object, &back), 0);
	return back;
}

static void test_round_trip(void **state)
{
	struct firmware full = firmware_full(), empty = { 0 }, back;

	back = there_and_back(&full);
	assert_string_equal(back.sources, full.sources);
	assert_string_equal(back.said_signed, "yes");
	assert_true(back.confirmed && back.conflict && back.verified);
	assert_int_equal(back.released_ms, full.released_ms);
	assert_int_equal(back.size, full.size);
	assert_string_equal(back.sha256, SHA256);
	back = there_and_back(&empty);
	assert_memory_equal(&back, &empty, sizeof(empty));
}

static void test_only_what_is_set_is_written(void **state)
{
	static const char *const names[] = { "sources", "confirmed", "conflict", "said_signed",
					     "released_ms" };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *all = NULL;
	struct firmware empty = { 0 }, full = firmware_full();

	assert_int_equal(firmware_to_json(&empty, &object), 0);
	assert_int_equal(firmware_to_json(&full, &all), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_null(sd_json_variant_by_key(object, names[i]));
		assert_non_null(sd_json_variant_by_key(all, names[i]));
	}
}

#define LONG "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"[]",
		"{\"said_signed\":\"maybe\"}",
		"{\"said_signed\":true}",
		"{\"confirmed\":\"yes\"}",
		"{\"conflict\":1}",
		"{\"released_ms\":-1}",
		"{\"sources\":[\"image\"]}",
		"{\"sha1\":\"94B8\"}",
		"{\"name\":\"../x\"}",
		"{\"name\":\"..\"}",
		"{\"name\":\".\"}",
		"{\"name\":\"" LONG LONG LONG LONG "\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
		struct firmware firmware;

		assert_int_equal(sd_json_parse(texts[i], 0, &object, NULL, NULL), 0);
		if (firmware_from_json(object, &firmware) != -EBADMSG)
			fail_msg("taken: %s", texts[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_only_what_is_set_is_written),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
