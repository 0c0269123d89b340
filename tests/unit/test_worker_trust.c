/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/inquiry.h"
#include "worker/library_error.h"
#include "worker/mode.h"
#include "worker/record.h"
#include "worker/tls_look.h"
#include "worker/trust.h"
#include "worker/trust_word.h"
#include <errno.h>
#include <libimobiledevice/libimobiledevice.h>
#include <libimobiledevice/lockdown.h>
#include <stdio.h>
#include <string.h>

/* All that lockdownd may answer, and what a session or a Pair that it answers means. */
static const struct {
	int code;
	const char *word; /* NULL: nothing about trust */
	enum error_kind kind;
} codes[] = {
	{ LOCKDOWN_E_INVALID_ARG, NULL, ERROR_PROTOCOL },
	{ LOCKDOWN_E_INVALID_CONF, NULL, ERROR_PROTOCOL },
	{ LOCKDOWN_E_PLIST_ERROR, NULL, ERROR_PROTOCOL },
	{ LOCKDOWN_E_PAIRING_FAILED, NULL, ERROR_PROTOCOL },
	{ LOCKDOWN_E_SSL_ERROR, "stale", ERROR_REFUSED },
	{ LOCKDOWN_E_DICT_ERROR, NULL, ERROR_PROTOCOL },
	{ LOCKDOWN_E_RECEIVE_TIMEOUT, NULL, ERROR_SILENT },
	{ LOCKDOWN_E_MUX_ERROR, NULL, ERROR_REFUSED },
	{ LOCKDOWN_E_NO_RUNNING_SESSION, NULL, ERROR_PROTOCOL },
	{ LOCKDOWN_E_INVALID_RESPONSE, NULL, ERROR_PROTOCOL },
	{ LOCKDOWN_E_MISSING_VALUE, NULL, ERROR_REFUSED },
	{ LOCKDOWN_E_GET_PROHIBITED, "locked", ERROR_REFUSED },
	{ LOCKDOWN_E_PASSWORD_PROTECTED, "locked", ERROR_LOCKED },
	{ LOCKDOWN_E_USER_DENIED_PAIRING, "denied", ERROR_REFUSED },
	{ LOCKDOWN_E_PAIRING_DIALOG_RESPONSE_PENDING, "asking", ERROR_REFUSED },
	{ LOCKDOWN_E_MISSING_HOST_ID, NULL, ERROR_PROTOCOL },
	{ LOCKDOWN_E_INVALID_HOST_ID, "stale", ERROR_REFUSED },
	{ LOCKDOWN_E_SESSION_INACTIVE, NULL, ERROR_REFUSED },
	{ LOCKDOWN_E_INVALID_SERVICE, NULL, ERROR_UNSUPPORTED },
	{ LOCKDOWN_E_SERVICE_LIMIT, NULL, ERROR_BUSY },
	{ LOCKDOWN_E_MISSING_PAIR_RECORD, "stale", ERROR_REFUSED },
	{ LOCKDOWN_E_SAVE_PAIR_RECORD_FAILED, NULL, ERROR_REFUSED },
	{ LOCKDOWN_E_INVALID_PAIR_RECORD, "stale", ERROR_REFUSED },
	{ LOCKDOWN_E_SERVICE_PROHIBITED, NULL, ERROR_REFUSED },
	{ LOCKDOWN_E_ESCROW_LOCKED, "locked", ERROR_LOCKED },
	{ LOCKDOWN_E_PAIRING_PROHIBITED_OVER_THIS_CONNECTION, "refused-by-policy", ERROR_REFUSED },
	{ LOCKDOWN_E_FMIP_PROTECTED, "refused-by-policy", ERROR_REFUSED },
	{ LOCKDOWN_E_MC_PROTECTED, "refused-by-policy", ERROR_REFUSED },
	{ LOCKDOWN_E_MC_CHALLENGE_REQUIRED, "refused-by-policy", ERROR_REFUSED },
	{ LOCKDOWN_E_UNKNOWN_ERROR, NULL, ERROR_PROTOCOL },
};

static void test_words(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		enum trust_word word = TRUST_WORD_MAX;
		struct error err = {};
		bool is_answer = trust_word_from_lockdownd(codes[i].code, &word);

		if (is_answer != (codes[i].word != NULL) ||
		    (is_answer && strcmp(trust_word_name(word), codes[i].word) != 0))
			fail_msg("code %d", codes[i].code);
		(void)lockdownd_error_set(&err, codes[i].code);
		if (err.kind != codes[i].kind)
			fail_msg("code %d is %s", codes[i].code, error_kind_name(err.kind));
	}
}

static void test_details(void **state)
{
	static const struct {
		int code;
		const char *detail;
	} details[] = {
		{ LOCKDOWN_E_PASSWORD_PROTECTED, "passcode" },
		{ LOCKDOWN_E_ESCROW_LOCKED, "escrow" },
		{ LOCKDOWN_E_PAIRING_PROHIBITED_OVER_THIS_CONNECTION, "over-network" },
		{ LOCKDOWN_E_FMIP_PROTECTED, "fmip" },
		{ LOCKDOWN_E_MC_PROTECTED, "mc" },
		{ LOCKDOWN_E_MC_CHALLENGE_REQUIRED, "mc-challenge" },
	};
	unsigned found = 0;

	for (int code = 0; code >= LOCKDOWN_E_UNKNOWN_ERROR; code--)
		found += trust_detail_from_lockdownd(code) != NULL;
	assert_int_equal(found, ARRAY_LEN(details));
	for (size_t i = 0; i < ARRAY_LEN(details); i++)
		assert_string_equal(trust_detail_from_lockdownd(details[i].code),
				    details[i].detail);
}

/* How a session's TLS ended, and the word for it. */
static void test_tls_details(void **state)
{
	static const struct {
		struct tls_look look;
		const char *detail;
	} looks[] = {
		{ { .end = TLS_END_UNKNOWN }, NULL },
		{ { .end = TLS_END_FINE }, NULL },
		{ { .end = TLS_END_SILENT }, "no-handshake" },
		{ { .end = TLS_END_CLOSED }, "tls-refused" },
		{ { .end = TLS_END_FOREIGN }, "tls-protocol" },
		{ { .end = TLS_END_ALERT, .alert = 70 }, "tls-protocol" },
		{ { .end = TLS_END_ALERT, .alert = 71 }, "tls-protocol" },
		{ { .end = TLS_END_ALERT, .alert = 40 }, "tls-refused" },
		{ { .end = TLS_END_ALERT, .alert = 42, .version = "TLSv1.3" }, "tls-refused" },
		{ { .end = TLS_END_ALERT, .alert = 255 }, "tls-refused" },
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		const char *detail = tls_look_detail(&looks[i].look);

		if (!detail != !looks[i].detail || (detail && strcmp(detail, looks[i].detail) != 0))
			fail_msg("look %zu: %s", i, detail ? detail : "none");
		tls_look_text(&looks[i].look, text, sizeof(text));
		assert_true(strlen(text) > 10);
	}
}

static void test_reached(void **state)
{
	struct inquiry inquiry = {};
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	_cleanup_free_ char *text = NULL;

	inquiry_reached(&inquiry, REACHED_RECORD);
	inquiry_reached(&inquiry, REACHED_PORT); /* never back */
	inquiry_reached(NULL, REACHED_PORT);
	inquiry_record(&inquiry, true, false);
	inquiry_detail(&inquiry, "clock");
	assert_int_equal(inquiry_fields(&inquiry, &fields), 0);
	assert_true(sd_json_variant_format(fields, 0, &text) >= 0);
	assert_string_equal(text, "{\"reach\":\"record\",\"record\":true,"
				  "\"record_broken\":false,\"detail\":\"clock\"}");
}

/* What a broken connection looks like is never an answer but for TLS, and silence is none of it. */
static void test_hang_ups(void **state)
{
	assert_true(trust_word_is_hang_up(LOCKDOWN_E_SSL_ERROR));
	assert_true(trust_word_is_hang_up(LOCKDOWN_E_MUX_ERROR));
	assert_true(trust_word_is_hang_up(LOCKDOWN_E_PLIST_ERROR));
	assert_true(trust_word_is_hang_up(LOCKDOWN_E_UNKNOWN_ERROR));
	assert_false(trust_word_is_hang_up(LOCKDOWN_E_SUCCESS));
	assert_false(trust_word_is_hang_up(LOCKDOWN_E_RECEIVE_TIMEOUT));
	assert_false(trust_word_is_hang_up(LOCKDOWN_E_INVALID_HOST_ID));
	assert_false(trust_word_is_hang_up(LOCKDOWN_E_GET_PROHIBITED));
}

static void test_words_have_names(void **state)
{
	for (size_t i = 0; i < TRUST_WORD_MAX; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(trust_word_name((enum trust_word)i),
						trust_word_name((enum trust_word)k));
}

static void test_record_names(void **state)
{
	static const char *const records[] = {
		"00008110-001C20223E29401E.plist",
		"63c3d055c4f83e960e5980fa68be0fbf7d4ba74c.plist",
		"a.plist",
	};
	static const char *const others[] = {
		"SystemConfiguration.plist",
		".plist",
		"",
		"a",
		"a.plist.bak",
		"a.b.plist",
		"a_b.plist",
		"..",
		"../a.plist",
		"a/b.plist",
		"a.PLIST",
		"a b.plist",
		".a.plist",
		"a\n.plist",
		"plist",
	};

	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		if (!record_file_name(records[i]))
			fail_msg("%s is a record", records[i]);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (record_file_name(others[i]))
			fail_msg("%s is no record", others[i]);
}

static void test_mode_ways(void **state)
{
	static const struct {
		enum mode_action action;
		enum mode mode;
		enum mode_way way;
	} ways[] = {
		{ MODE_ACTION_ENTER_RECOVERY, MODE_NORMAL, MODE_WAY_LOCKDOWND },
		{ MODE_ACTION_EXIT_RECOVERY, MODE_RECOVERY, MODE_WAY_IBOOT },
		{ MODE_ACTION_RESTART, MODE_NORMAL, MODE_WAY_RELAY },
		{ MODE_ACTION_RESTART, MODE_RESTORE, MODE_WAY_RESTORED },
		{ MODE_ACTION_RESTART, MODE_RECOVERY, MODE_WAY_IBOOT },
	};
	unsigned found = 0;

	for (size_t a = 0; a < MODE_ACTION_MAX; a++)
		for (size_t m = 0; m < MODE_MAX; m++)
			found += mode_way((enum mode_action)a, (enum mode)m) != MODE_WAY_NONE;
	assert_int_equal(found, ARRAY_LEN(ways)); /* from everywhere else, only the buttons lead */
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		assert_int_equal(mode_way(ways[i].action, ways[i].mode), ways[i].way);
}

static int parse(const char *own, struct trust_request *ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_(request_done) struct request request = {};
	char text[512];

	snprintf(text, sizeof(text), "{\"v\":1,\"type\":\"request\",\"kind\":\"trust\",%s}", own);
	assert_true(sd_json_parse(text, 0, &object, NULL, NULL) >= 0);
	assert_int_equal(request_parse(object, WORKER_TRUST, &request, err), 0);
	return trust_request_parse(&request, ret, err);
}

static void test_requests(void **state)
{
	static const char *const bad[] = {
		"\"udid\":\"A\"",
		"\"action\":\"check\"",
		"\"udid\":\"A\",\"action\":\"heal\"",
		"\"udid\":\"A\",\"action\":null",
		"\"udid\":\"A/B\",\"action\":\"check\"",
		"\"udid\":\"A\",\"action\":\"pair\"",
		"\"udid\":\"A\",\"action\":\"pair\",\"limit_s\":9",
		"\"udid\":\"A\",\"action\":\"pair\",\"limit_s\":3601",
		"\"udid\":\"A\",\"action\":\"pair\",\"limit_s\":18446744073709551615",
		"\"udid\":\"A\",\"action\":\"pair\",\"limit_s\":4294967306",
		"\"udid\":\"A\",\"action\":\"verify\",\"limit_s\":0",
	};
	struct trust_request request = {};
	struct error err = {};

	assert_int_equal(parse("\"udid\":\"A-1\",\"action\":\"check\"", &request, &err), 0);
	assert_int_equal(request.action, TRUST_CHECK);
	assert_string_equal(request.udid, "A-1");
	assert_int_equal(parse("\"udid\":\"A\",\"action\":\"verify\"", &request, &err), 0);
	assert_int_equal(request.action, TRUST_VERIFY);
	assert_int_equal(parse("\"udid\":\"A\",\"action\":\"unpair\"", &request, &err), 0);
	assert_int_equal(request.action, TRUST_UNPAIR);
	assert_int_equal(
	    parse("\"udid\":\"A\",\"action\":\"pair\",\"limit_s\":3600", &request, &err), 0);
	assert_int_equal(request.action, TRUST_PAIR);
	assert_int_equal(request.limit_s, 3600);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct trust_request untouched = { .limit_s = 7 };

		err = (struct error){};
		if (parse(bad[i], &untouched, &err) != -EINVAL || err.kind != ERROR_USAGE)
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(untouched.limit_s, 7);
	}
}

/* Whoever moves to another library looks whether what the table says of it is still so. */
static void test_thresholds_are_of_this_library(void **state)
{
	for (int i = 0; i < THRESHOLD_MAX; i++)
		if (!strstr(threshold_fact((enum threshold)i)->source, libimobiledevice_version()))
			fail_msg("thresholds.tsv, %s: is it so with libimobiledevice %s, too?",
				 threshold_fact((enum threshold)i)->id, libimobiledevice_version());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_details),
		cmocka_unit_test(test_tls_details),
		cmocka_unit_test(test_reached),
		cmocka_unit_test(test_hang_ups),
		cmocka_unit_test(test_words_have_names),
		cmocka_unit_test(test_record_names),
		cmocka_unit_test(test_mode_ways),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_thresholds_are_of_this_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
