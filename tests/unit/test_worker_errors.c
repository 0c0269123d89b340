/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/library_error.h"
#include "worker/reply.h"
#include <errno.h>
#include <libimobiledevice/lockdown.h>
#include <libusb.h>
#include <stdlib.h>
#include <string.h>

static void check(const struct error *err, enum error_kind kind, const char *origin, int code)
{
	if (err->kind != kind)
		fail_msg("%s %d is %s, not %s", origin, code, error_kind_name(err->kind),
			 error_kind_name(kind));
	assert_string_equal(err->origin, origin);
	assert_int_equal(err->code, code);
	assert_true(strlen(err->text) > 0);
}

static void test_lockdownd(void **state)
{
	static const struct {
		int code;
		enum error_kind kind;
	} rows[] = {
		{ LOCKDOWN_E_RECEIVE_TIMEOUT, ERROR_SILENT },
		{ LOCKDOWN_E_PASSWORD_PROTECTED, ERROR_LOCKED },
		{ LOCKDOWN_E_ESCROW_LOCKED, ERROR_LOCKED },
		{ LOCKDOWN_E_GET_PROHIBITED, ERROR_REFUSED },
		{ LOCKDOWN_E_MUX_ERROR, ERROR_REFUSED },
		{ LOCKDOWN_E_PLIST_ERROR, ERROR_PROTOCOL },
		{ LOCKDOWN_E_UNKNOWN_ERROR, ERROR_PROTOCOL },
		{ LOCKDOWN_E_SET_PROHIBITED, ERROR_PROTOCOL }, /* has no row */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct error err = {};

		assert_true(lockdownd_error_set(&err, rows[i].code) < 0);
		check(&err, rows[i].kind, "lockdownd", rows[i].code);
	}
}

static void test_libusb(void **state)
{
	static const struct {
		int code;
		enum error_kind kind;
	} rows[] = {
		{ LIBUSB_ERROR_NO_DEVICE, ERROR_UNPLUGGED }, { LIBUSB_ERROR_TIMEOUT, ERROR_SILENT },
		{ LIBUSB_ERROR_BUSY, ERROR_BUSY },           { LIBUSB_ERROR_ACCESS, ERROR_REFUSED },
		{ LIBUSB_ERROR_PIPE, ERROR_PROTOCOL },       { LIBUSB_ERROR_OTHER, ERROR_PROTOCOL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct error err = {};

		assert_true(libusb_error_set(&err, rows[i].code) < 0);
		check(&err, rows[i].kind, "libusb", rows[i].code);
	}
}

/* The line that a signal handler writes is the same that reply_result_build() makes. */
static void test_error_text(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	_cleanup_free_ char *text = NULL;
	struct error err = {};
	sd_json_variant *error;

	(void)libusb_error_set(&err, LIBUSB_ERROR_TIMEOUT);
	assert_int_equal(reply_error_text(&err, NULL, &text), 0);
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_true(sd_json_parse(text, 0, &line, NULL, NULL) >= 0);
	assert_string_equal(sd_json_variant_string(sd_json_variant_by_key(line, "type")), "result");
	assert_false(sd_json_variant_boolean(sd_json_variant_by_key(line, "ok")));
	error = sd_json_variant_by_key(line, "error");
	assert_string_equal(sd_json_variant_string(sd_json_variant_by_key(error, "kind")),
			    "silent");
	assert_int_equal(sd_json_variant_integer(sd_json_variant_by_key(error, "code")),
			 LIBUSB_ERROR_TIMEOUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lockdownd),
		cmocka_unit_test(test_libusb),
		cmocka_unit_test(test_error_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
