/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/text.h"
#include "unit.h"
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-json.h>

#define BAD "\xef\xbf\xbd" /* U+FFFD */

/* text_to_utf8() of a string literal that may hold NUL bytes, into a buffer with room. */
#define assert_becomes(literal, expected)                                                          \
	do {                                                                                       \
		char _dst[256];                                                                    \
		size_t _n = text_to_utf8(_dst, sizeof(_dst), literal, sizeof(literal) - 1);        \
		assert_string_equal(_dst, expected);                                               \
		assert_int_equal(_n, strlen(expected));                                            \
	} while (0)

static void good_text_is_kept(void **state)
{
	assert_becomes("", "");
	assert_becomes("Anna's iPhone", "Anna's iPhone");
	assert_becomes(" ~", " ~");
	assert_becomes("\xc2\xa0", "\xc2\xa0");         /* first after C1 */
	assert_becomes("\xdf\xbf", "\xdf\xbf");         /* last of two bytes */
	assert_becomes("\xe0\xa0\x80", "\xe0\xa0\x80"); /* first of three */
	assert_becomes("\xed\x9f\xbf", "\xed\x9f\xbf"); /* last before the surrogates */
	assert_becomes("\xee\x80\x80", "\xee\x80\x80"); /* first after them */
	assert_becomes("\xef\xbf\xbd", "\xef\xbf\xbd"); /* U+FFFD itself */
	assert_becomes("\xf0\x90\x80\x80", "\xf0\x90\x80\x80");
	assert_becomes("\xf4\x8f\xbf\xbd", "\xf4\x8f\xbf\xbd");
	assert_becomes("\xf0\x9f\x93\xb1 x", "\xf0\x9f\x93\xb1 x");
}

static void control_characters_are_replaced(void **state)
{
	for (int c = 1; c < 0x20; c++) {
		char src[] = { 'a', (char)c, 'b' };
		char dst[16];

		assert_int_equal(text_to_utf8(dst, sizeof(dst), src, sizeof(src)), 5);
		assert_string_equal(dst, "a" BAD "b");
	}
	assert_becomes("\x7f", BAD);
	for (int c = 0x80; c < 0xa0; c++) { /* C1: each of the two bytes is replaced */
		char src[] = { (char)0xc2, (char)c };
		char dst[16];

		text_to_utf8(dst, sizeof(dst), src, sizeof(src));
		assert_string_equal(dst, BAD BAD);
	}
}

static void bad_sequences_are_replaced(void **state)
{
	assert_becomes("\x80", BAD);                 /* continuation alone */
	assert_becomes("a\xbfz", "a" BAD "z");       /* the same inside */
	assert_becomes("\xc0\x80", BAD BAD);         /* overlong NUL */
	assert_becomes("\xc1\xbf", BAD BAD);         /* overlong ASCII */
	assert_becomes("\xe0\x9f\xbf", BAD BAD BAD); /* overlong, three bytes */
	assert_becomes("\xf0\x8f\xbf\xbf", BAD BAD BAD BAD);
	assert_becomes("\xed\xa0\x80", BAD BAD BAD);         /* first surrogate */
	assert_becomes("\xed\xbf\xbf", BAD BAD BAD);         /* last surrogate */
	assert_becomes("\xf4\x90\x80\x80", BAD BAD BAD BAD); /* beyond U+10FFFF */
	assert_becomes("\xf5\x80\x80\x80", BAD BAD BAD BAD);
	assert_becomes("\xf8\x88\x80\x80\x80", BAD BAD BAD BAD BAD);
	assert_becomes("\xfe\xff", BAD BAD);
	assert_becomes("\xc3z", BAD "z"); /* lead without continuation: z survives */
	assert_becomes("\xe2\x82z", BAD BAD "z");
	assert_becomes("\xf0\x9f\x93z", BAD BAD BAD "z");
}

static void noncharacters_are_replaced(void **state)
{
	assert_becomes("\xef\xb7\x8f", "\xef\xb7\x8f"); /* U+FDCF, before them */
	assert_becomes("\xef\xb7\x90", BAD BAD BAD);    /* U+FDD0 */
	assert_becomes("\xef\xb7\xaf", BAD BAD BAD);    /* U+FDEF */
	assert_becomes("\xef\xb7\xb0", "\xef\xb7\xb0"); /* U+FDF0, after them */
	assert_becomes("\xef\xbf\xbe", BAD BAD BAD);    /* U+FFFE */
	assert_becomes("\xf4\x8f\xbf\xbf", BAD BAD BAD BAD);
}

static void sequences_torn_at_the_end_are_replaced(void **state)
{
	static const char whole[] = "\xf0\x9f\x93\xb1";

	for (size_t n = 1; n < 4; n++) {
		char dst[32], expected[32] = "";

		for (size_t i = 0; i < n; i++)
			memcpy(expected + 3 * i, BAD, sizeof(BAD));
		text_to_utf8(dst, sizeof(dst), whole, n);
		assert_string_equal(dst, expected);
	}
}

static void copy_ends_at_the_first_nul(void **state)
{
	assert_becomes("ab\0cd", "ab");
	assert_becomes("\0", "");
}

static void copy_ends_before_a_character_that_does_not_fit(void **state)
{
	static const char src[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x93\xb1"; /* 1, 2, 3, 4 bytes */
	static const size_t ends[] = { 0, 1, 3, 6, 10 };

	for (size_t size = 1; size <= sizeof(src); size++) {
		_cleanup_free_ char *dst = malloc(size); /* exact, so that ASan sees one too far */
		size_t expected = 0;

		assert_non_null(dst);
		for (size_t i = 0; i < ARRAY_LEN(ends); i++)
			if (ends[i] < size)
				expected = ends[i];
		assert_int_equal(text_copy(dst, size, src), expected);
		assert_int_equal(strlen(dst), expected);
		assert_memory_equal(dst, src, expected);
	}
}

static void a_replacement_that_does_not_fit_ends_the_copy(void **state)
{
	char dst[4];

	assert_int_equal(text_copy(dst, sizeof(dst), "a\x80"), 1);
	assert_string_equal(dst, "a");
	assert_int_equal(text_copy(dst, sizeof(dst),
				   "\x80"
				   "a"),
			 3);
	assert_string_equal(dst, BAD);
}

static void null_is_empty(void **state)
{
	char dst[4] = "xyz";

	assert_int_equal(text_copy(dst, sizeof(dst), NULL), 0);
	assert_string_equal(dst, "");
	memcpy(dst, "xyz", sizeof(dst));
	assert_int_equal(text_to_utf8(dst, sizeof(dst), NULL, 10), 0);
	assert_string_equal(dst, "");
}

/* The promise behind the function: whatever went in, sd-json takes what came out. */
static void sd_json_takes_every_result(void **state)
{
	for (unsigned code = 1; code <= 0x10ffff; code++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *string = NULL;
		char src[4], dst[32];
		size_t n;

		if (code < 0x80) {
			src[0] = (char)code;
			n = 1;
		} else if (code < 0x800) {
			src[0] = (char)(0xc0 | code >> 6);
			src[1] = (char)(0x80 | (code & 0x3f));
			n = 2;
		} else if (code < 0x10000) {
			src[0] = (char)(0xe0 | code >> 12);
			src[1] = (char)(0x80 | (code >> 6 & 0x3f));
			src[2] = (char)(0x80 | (code & 0x3f));
			n = 3;
		} else {
			src[0] = (char)(0xf0 | code >> 18);
			src[1] = (char)(0x80 | (code >> 12 & 0x3f));
			src[2] = (char)(0x80 | (code >> 6 & 0x3f));
			src[3] = (char)(0x80 | (code & 0x3f));
			n = 4;
		}
		text_to_utf8(dst, sizeof(dst), src, n);
		if (sd_json_variant_new_string(&string, dst) < 0)
			fail_msg("sd-json refuses what U+%04X became", code);
	}
}

static void sd_json_takes_every_pair_of_bytes(void **state)
{
	for (unsigned pair = 0; pair <= 0xffff; pair++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *string = NULL;
		char src[] = { (char)(pair >> 8), (char)pair };
		char dst[16];

		text_to_utf8(dst, sizeof(dst), src, sizeof(src));
		if (sd_json_variant_new_string(&string, dst) < 0)
			fail_msg("sd-json refuses what the bytes %04x became", pair);
	}
}

static void hex_is_read(void **state)
{
	uint64_t value = 0;

	assert_int_equal(text_parse_hex("0", 1, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(text_parse_hex("8110xyz", 4, &value), 0); /* exactly n bytes */
	assert_int_equal(value, 0x8110);
	assert_int_equal(text_parse_hex("aBcDeF09", 8, &value), 0);
	assert_int_equal(value, 0xabcdef09);
	assert_int_equal(text_parse_hex("ffffffffffffffff", 16, &value), 0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(text_parse_hex("000000000000000000001", 21, &value), 0);
	assert_int_equal(value, 1);
}

static void bad_hex_is_refused(void **state)
{
	static const char *const bad[] = { "0x1", "-1", "+1", " 1", "1 ",  "g",   "/",
					   ":",   "@",  "G",  "`",  "1\n", "\xb9" };
	uint64_t value = 77;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(text_parse_hex(bad[i], strlen(bad[i]), &value), -EINVAL);
	assert_int_equal(text_parse_hex("1\0"
					"2",
					3, &value),
			 -EINVAL);
	assert_int_equal(text_parse_hex("", 0, &value), -EINVAL);
	assert_int_equal(text_parse_hex("10000000000000000", 17, &value), -ERANGE);
	assert_int_equal(text_parse_hex("fffffffffffffffff", 17, &value), -ERANGE);
	assert_int_equal(value, 77); /* nothing is written on failure */
}

static void case_is_folded(void **state)
{
	assert_true(text_equal_fold("D17AP", "d17ap"));
	assert_true(text_equal_fold("", ""));
	assert_false(text_equal_fold("d17ap", "d17a"));
	assert_false(text_equal_fold("d17ap", "d16ap"));
}

static void columns_are_counted(void **state)
{
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	assert_int_equal(text_columns(""), 0);
	assert_int_equal(text_columns("iPhone"), 6);
	assert_int_equal(text_columns("\xc3\xa9"), 1);                 /* é */
	assert_int_equal(text_columns("e\xcc\x81"), 1);                /* e + accent */
	assert_int_equal(text_columns("\xe6\x89\x8b\xe6\xa9\x9f"), 4); /* 手機 */
	assert_int_equal(text_columns("a\x01"
				      "b"),
			 2);                         /* unprintable */
	assert_int_equal(text_columns("ab\xff"), 2); /* stops at bad text */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_text_is_kept),
		cmocka_unit_test(control_characters_are_replaced),
		cmocka_unit_test(bad_sequences_are_replaced),
		cmocka_unit_test(noncharacters_are_replaced),
		cmocka_unit_test(sequences_torn_at_the_end_are_replaced),
		cmocka_unit_test(copy_ends_at_the_first_nul),
		cmocka_unit_test(copy_ends_before_a_character_that_does_not_fit),
		cmocka_unit_test(a_replacement_that_does_not_fit_ends_the_copy),
		cmocka_unit_test(null_is_empty),
		cmocka_unit_test(sd_json_takes_every_result),
		cmocka_unit_test(sd_json_takes_every_pair_of_bytes),
		cmocka_unit_test(hex_is_read),
		cmocka_unit_test(bad_hex_is_refused),
		cmocka_unit_test(case_is_folded),
		cmocka_unit_test(columns_are_counted),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
