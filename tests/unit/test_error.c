/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/error.h"
#include "unit.h"
#include <errno.h>
#include <string.h>

/* As DESIGN §12 documents them; a second, independent writing-down of error.c's table. */
static const struct {
	enum error_kind kind;
	const char *name;
	int exit_status;
} documented[] = {
	{ ERROR_NONE, "none", 0 },
	{ ERROR_USAGE, "usage", 2 },
	{ ERROR_NO_PHONE, "no-phone", 3 },
	{ ERROR_AMBIGUOUS, "ambiguous", 4 },
	{ ERROR_REFUSED, "refused", 5 },
	{ ERROR_LOCKED, "locked", 5 },
	{ ERROR_SILENT, "silent", 5 },
	{ ERROR_BUSY, "busy", 5 },
	{ ERROR_UNSUPPORTED, "unsupported", 5 },
	{ ERROR_NO_CONSENT, "no-consent", 6 },
	{ ERROR_BAD_FILE, "bad-file", 7 },
	{ ERROR_NOT_SIGNED, "not-signed", 8 },
	{ ERROR_NO_SPACE, "no-space", 9 },
	{ ERROR_NETWORK, "network", 10 },
	{ ERROR_UNPLUGGED, "unplugged", 11 },
	{ ERROR_NO_SERVICE, "no-service", 12 },
	{ ERROR_ENGINE, "engine", 13 },
	{ ERROR_CANCELLED, "cancelled", 14 },
	{ ERROR_PROTOCOL, "protocol", 70 },
	{ ERROR_BUG, "bug", 70 },
};

static void every_kind_is_documented(void **state)
{
	assert_int_equal(ARRAY_LEN(documented), ERROR_KIND_MAX);
	for (size_t i = 0; i < ARRAY_LEN(documented); i++) {
		assert_string_equal(error_kind_name(documented[i].kind), documented[i].name);
		assert_int_equal(error_kind_from_name(documented[i].name), documented[i].kind);
		assert_int_equal(error_exit_status(documented[i].kind), documented[i].exit_status);
	}
}

static void unknown_names_are_our_bug(void **state)
{
	assert_int_equal(error_kind_from_name(NULL), ERROR_BUG);
	assert_int_equal(error_kind_from_name(""), ERROR_BUG);
	assert_int_equal(error_kind_from_name("NO-PHONE"), ERROR_BUG);
	assert_int_equal(error_kind_from_name("no-phone "), ERROR_BUG);
}

static void set_fills_all_fields(void **state)
{
	struct error err;

	memset(&err, 0xaa, sizeof(err));
	assert_int_equal(error_set(&err, ERROR_LOCKED, "lockdownd", -17, "%s is locked", "Phone"),
			 -EACCES);
	assert_int_equal(err.kind, ERROR_LOCKED);
	assert_string_equal(err.origin, "lockdownd");
	assert_int_equal(err.code, -17);
	assert_string_equal(err.text, "Phone is locked");
}

static void every_kind_but_none_fails(void **state)
{
	for (int kind = ERROR_NONE + 1; kind < ERROR_KIND_MAX; kind++)
		assert_true(error_set(NULL, (enum error_kind)kind, "test", 0, "x") < 0);
	assert_int_equal(error_set(NULL, ERROR_NONE, "test", 0, "x"), 0);
	assert_int_equal(error_set(NULL, ERROR_NO_PHONE, "test", 0, "x"), -ENODEV);
	assert_int_equal(error_set(NULL, ERROR_AMBIGUOUS, "test", 0, "x"), -ENOTUNIQ);
	assert_int_equal(error_set(NULL, ERROR_USAGE, "test", 0, "x"), -EINVAL);
}

static void errno_is_explained(void **state)
{
	struct error err;

	assert_int_equal(
	    error_set_errno(&err, ERROR_NO_SPACE, "kernel", ENOSPC, "cannot write %s", "journal"),
	    -ENOSPC);
	assert_int_equal(err.kind, ERROR_NO_SPACE);
	assert_int_equal(err.code, ENOSPC);
	assert_string_equal(err.text, "cannot write journal: No space left on device");
	assert_int_equal(error_set_errno(NULL, ERROR_BUG, "kernel", EIO, "x"), -EIO);
}

/* A text of n bytes 'x' and then `tail`, as the cut finds it. */
static void assert_cut(size_t n, const char *tail, const char *expected_tail)
{
	char text[ERROR_TEXT_BYTES * 2];
	struct error err;

	memset(text, 'x', n);
	strncpy(text + n, tail, sizeof(text) - n - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&err, ERROR_BUG, "test", 0, "%s", text);
	assert_int_equal(strlen(err.text), n + strlen(expected_tail));
	assert_string_equal(err.text + n, expected_tail);
	error_set_errno(&err, ERROR_BUG, "test", EIO, "%s", text);
	assert_memory_equal(err.text, text, n);
	assert_memory_equal(err.text + n, expected_tail, strlen(expected_tail));
}

static void long_text_is_cut_at_a_character(void **state)
{
	static const char phone[] = "\xf0\x9f\x93\xb1"; /* four bytes */
	static const char euro[] = "\xe2\x82\xac";      /* three */
	const size_t room = ERROR_TEXT_BYTES - 1;

	assert_cut(room, "", "");
	assert_cut(room - 1, "yz", "y");
	assert_cut(room - 4, phone, phone);
	assert_cut(room - 3, phone, "");
	assert_cut(room - 2, phone, "");
	assert_cut(room - 1, phone, "");
	assert_cut(room - 3, euro, euro);
	assert_cut(room - 2, euro, "");
	assert_cut(room - 1, euro, "");
	assert_cut(room, euro, "");
}

static void long_origin_is_cut(void **state)
{
	struct error err;

	error_set(&err, ERROR_BUG, "an origin that is longer than anybody thought", 0, "x");
	assert_string_equal(err.origin, "an origin that is longer than a");
	error_set(&err, ERROR_BUG, NULL, 0, "x");
	assert_string_equal(err.origin, "");
}

static void foreign_bytes_become_text(void **state)
{
	struct error err;

	error_set(&err, ERROR_PROTOCOL, "usb\x01mux", 0, "got %s", "\xff\n");
	assert_string_equal(err.origin, "usb\xef\xbf\xbdmux");
	assert_string_equal(err.text, "got \xef\xbf\xbd\xef\xbf\xbd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_documented),
		cmocka_unit_test(unknown_names_are_our_bug),
		cmocka_unit_test(set_fills_all_fields),
		cmocka_unit_test(every_kind_but_none_fails),
		cmocka_unit_test(errno_is_explained),
		cmocka_unit_test(long_text_is_cut_at_a_character),
		cmocka_unit_test(long_origin_is_cut),
		cmocka_unit_test(foreign_bytes_become_text),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
