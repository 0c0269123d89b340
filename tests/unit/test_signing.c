/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "doctor/signing.h"
#include "unit.h"
#include <errno.h>
#include <string.h>

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct signing take(const char *text, const struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *result = NULL;
	struct signing signing;

	if (text)
		assert_int_equal(sd_json_parse(text, 0, &result, NULL, NULL), 0);
	signing_take(result, err, 1234, &signing);
	assert_int_equal(signing.at_ms, 1234);
	return signing;
}

static void test_answers(void **state)
{
	struct signing signing =
	    take("{\"verdict\":\"signed\",\"manifest_sha256\":\"" HASH "\"}", NULL);

	assert_int_equal(signing.verdict, SIGN_SIGNED);
	assert_string_equal(signing.manifest_sha256, HASH);
	assert_string_equal(signing.text, "");
	signing = take("{\"verdict\":\"not-signed\",\"manifest_sha256\":\"" HASH
		       "\",\"reason\":{\"kind\":\"not-signed\",\"text\":\"STATUS 94\"}}",
		       NULL);
	assert_int_equal(signing.verdict, SIGN_NOT_SIGNED);
	assert_string_equal(signing.text, "STATUS 94");
	signing = take("{\"verdict\":\"unknown\"}", NULL);
	assert_int_equal(signing.verdict, SIGN_UNKNOWN);
	assert_true(strlen(signing.text) > 10);
}

/* Whatever goes wrong is no answer of Apple's: a ticket nobody can name proves nothing either. */
static void test_what_is_no_answer(void **state)
{
	static const char *const nonsense[] = {
		"{}",
		"{\"verdict\":\"yes\"}",
		"{\"verdict\":\"not-asked\"}",
		"{\"verdict\":1}",
		"{\"verdict\":\"signed\"}",
		"{\"verdict\":\"signed\",\"manifest_sha256\":\"abc\"}",
		"{\"verdict\":\"not-signed\",\"manifest_sha256\":\"ABC\"}",
	};
	const struct error err = { .kind = ERROR_NETWORK, .text = "gs.apple.com is silent" };
	struct signing signing = take(NULL, &err);

	assert_int_equal(signing.verdict, SIGN_UNKNOWN);
	assert_string_equal(signing.text, "gs.apple.com is silent");
	for (size_t i = 0; i < ARRAY_LEN(nonsense); i++)
		assert_int_equal(take(nonsense[i], NULL).verdict, SIGN_UNKNOWN);
}

static void test_round_trip(void **state)
{
	for (int verdict = 0; verdict < SIGN_VERDICT_MAX; verdict++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
		struct signing signing = { .verdict = (enum sign_verdict)verdict,
					   .text = "why",
					   .at_ms = 5,
					   .manifest_sha256 = HASH },
			       back;

		assert_int_equal(signing_to_json(&signing, &object), 0);
		assert_int_equal(signing_from_json(object, &back), 0);
		assert_int_equal(back.verdict, signing.verdict);
		assert_string_equal(back.text, "why");
		assert_int_equal(back.at_ms, 5);
		assert_string_equal(back.manifest_sha256, HASH);
	}
	assert_int_equal(sign_verdict_from_name(NULL), SIGN_VERDICT_MAX);
	assert_int_equal(signing_from_json(NULL, &(struct signing){ 0 }), -EBADMSG);
}

/* Two sources of their own call it current: only then a refusal contradicts them. */
static void test_control(void **state)
{
	static const struct {
		const char *sources, *said;
		bool current;
	} rows[] = {
		{ "apple ipsw.me", "yes", true },      { "image apple appledb", "yes", true },
		{ "apple ipsw.me", "no", false },      { "apple ipsw.me", "", false },
		{ "ipsw.me appledb", "yes", false },   { "apple", "yes", false },
		{ "pineapple ipsw.me", "yes", false }, { "", "yes", false },
		{ "  ipsw.me   apple ", "yes", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct firmware firmware = { 0 };

		strcpy(firmware.sources, rows[i].sources);
		strcpy(firmware.said_signed, rows[i].said);
		assert_int_equal(firmware_is_called_current(&firmware), rows[i].current);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_what_is_no_answer),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
