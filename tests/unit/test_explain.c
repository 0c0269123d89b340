/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a code, a name or a line to what it means. */
#include "base/cleanup.h"
#include "doctor/explain.h"
#include "unit.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct explained {
	struct verdict list[EXPLAIN_MAX];
	size_t count;
};

static struct explained ask(const char *text)
{
	struct explained answer = { 0 };

	answer.count = explain(text, answer.list);
	assert_true(answer.count <= EXPLAIN_MAX);
	for (size_t i = 0; i + 1 < answer.count; i++)
		assert_true(answer.list[i].rank <= answer.list[i + 1].rank);
	return answer;
}

static bool has_code(const struct explained *answer, const struct code_fact *code)
{
	for (size_t i = 0; i < answer->count; i++)
		if (answer->list[i].code == code)
			return true;
	return false;
}

/* The first verdict is of this scheme, with this number and name ("" none). */
static void assert_first(const char *text, const char *scheme, const char *code, const char *name)
{
	struct explained answer = ask(text);
	char shown[EXPLAIN_CODE_BYTES];

	if (answer.count == 0)
		fail_msg("nothing is known of %s", text);
	assert_string_equal(verdict_scheme(&answer.list[0]), scheme);
	verdict_code(&answer.list[0], shown);
	assert_string_equal(shown, code);
	assert_string_equal(verdict_name(&answer.list[0]) ? verdict_name(&answer.list[0]) : "",
			    name);
}

static void numbers_in_every_form(void **state)
{
	assert_first("0xE8000013", "mobile-device", "0xe8000013", "kAMDInvalidResponseError");
	assert_first("0xe8000013", "mobile-device", "0xe8000013", "kAMDInvalidResponseError");
	assert_first("E8000013", "mobile-device", "0xe8000013", "kAMDInvalidResponseError");
	assert_first("3892314131", "mobile-device", "0xe8000013", "kAMDInvalidResponseError");
	assert_first("-402653165", "mobile-device", "0xe8000013", "kAMDInvalidResponseError");
	assert_first("0xFFFFFFFFE8000013", "mobile-device", "0xe8000013",
		     "kAMDInvalidResponseError");
	assert_first("0xFFFFFFEB", "lockdownd", "-21", "InvalidHostID");
	assert_first("4294967275", "lockdownd", "-21", "InvalidHostID");
	assert_first("0xFFFFFFFFFFFFFFEB", "lockdownd", "-21", "InvalidHostID");
	assert_first("-0x15", "lockdownd", "-21", "InvalidHostID");
	assert_first("-18", "lockdownd", "-18", "UserDeniedPairing");
	assert_first("4013", "itunes", "4013", "");
	assert_first("04013", "itunes", "4013", "");
	assert_first("+4013", "itunes", "4013", "");
	assert_first("error 9", "itunes", "9", "");
	assert_first("iTunes error (9).", "itunes", "9", "");
	assert_first("An unknown error occurred (0xE8000065).", "mobile-device", "0xe8000065",
		     "kAMDMuxConnectError");
}

static void names_in_every_form(void **state)
{
	assert_first("kAMDInvalidResponseError", "mobile-device", "0xe8000013",
		     "kAMDInvalidResponseError");
	assert_first("UserDeniedPairing", "lockdownd", "-18", "UserDeniedPairing");
	assert_first("userdeniedpairing", "lockdownd", "-18", "UserDeniedPairing");
	assert_first("user denied pairing", "mobile-device", "0xe8000095",
		     "kAMDUserDeniedPairingError");
	assert_first("LOCKDOWN_E_USER_DENIED_PAIRING", "lockdownd", "-18", "UserDeniedPairing");
	assert_first("lockdown_e_fmip_protected", "lockdownd", "-37", "FMiPProtected");
	assert_first("kamduserdeniedpairingerror", "mobile-device", "0xe8000095",
		     "kAMDUserDeniedPairingError");
	assert_first("Invalid HostID (-21)", "lockdownd", "-21", "InvalidHostID");
	assert_first("idevice_e_connrefused", "libimobiledevice", "-5", "IDEVICE_E_CONNREFUSED");
	assert_first("IRECV_E_PIPE", "libirecovery", "-10", "IRECV_E_PIPE");
}

/* The name of libimobiledevice for what the phone says, and the framework's: all are told. */
static void one_cause_in_both_worlds(void **state)
{
	struct explained answer = ask("LOCKDOWN_E_USER_DENIED_PAIRING");

	assert_int_equal(answer.count, 2);
	assert_string_equal(verdict_scheme(&answer.list[0]), "lockdownd");
	assert_string_equal(verdict_scheme(&answer.list[1]), "mobile-device");
	assert_first("lockdownd LOCKDOWN_E_SSL_ERROR", "lockdownd", "-5", "LOCKDOWN_E_SSL_ERROR");
}

static void who_counts_decides(void **state)
{
	assert_first("-5", "lockdownd", "-5", "LOCKDOWN_E_SSL_ERROR");
	assert_first("libirecovery -5", "libirecovery", "-5", "IRECV_E_FILE_NOT_FOUND");
	assert_first("idevice -5", "libimobiledevice", "-5", "IDEVICE_E_CONNREFUSED");
	assert_first("STATUS 94", "tss", "94", "");
	assert_first("ERROR: Could not connect to lockdownd: SSL error (-5)", "lockdownd", "-5",
		     "LOCKDOWN_E_SSL_ERROR");
	assert_first("backup error 208", "backup", "208", "");
}

/* Three count -5 and each says something else: none is certain before one of them is named. */
static void a_number_alone_is_doubtful(void **state)
{
	struct explained bare = ask("-5"), named = ask("lockdown -5"), single = ask("-18");

	assert_int_equal(bare.count, 3);
	for (size_t i = 0; i < bare.count; i++)
		assert_int_equal(verdict_confidence(&bare.list[i]), CONFIDENCE_POSSIBLE);
	assert_int_equal(verdict_confidence(&named.list[0]), CONFIDENCE_CERTAIN);
	for (size_t i = 1; i < named.count; i++)
		assert_int_equal(verdict_confidence(&named.list[i]), CONFIDENCE_POSSIBLE);
	assert_int_equal(verdict_confidence(&single.list[0]), CONFIDENCE_CERTAIN);
	assert_int_equal(verdict_confidence(&ask("InvalidHostID").list[0]), CONFIDENCE_CERTAIN);
	assert_int_equal(verdict_confidence(&ask("0xe800001c").list[0]), CONFIDENCE_CERTAIN);
}

/* The row of a range is told only for numbers that have none of their own. */
static void ranges_fill_the_gaps(void **state)
{
	struct explained one = ask("4013"), ranged = ask("4020"), tss = ask("3194");

	assert_true(one.count >= 2);
	for (size_t i = 0; i < one.count; i++)
		assert_true(one.list[i].code->value == 4013 && one.list[i].code->last == 4013);
	assert_int_equal(ranged.count, 1);
	assert_true(ranged.list[0].code->value == 4005 && ranged.list[0].code->last == 4037);
	assert_true(ranged.list[0].number == 4020);
	assert_int_equal(tss.count, 1);
	assert_string_equal(verdict_layer(&tss.list[0]), "tss");
	assert_int_equal(ask("3999").list[0].number, 3999);
	assert_int_equal(ask("4000").count, 0);
}

/* 14 means four things; a full phone is the most frequent one. */
static void several_meanings_best_first(void **state)
{
	struct explained answer = ask("14");

	assert_int_equal(answer.count, 4);
	assert_string_equal(verdict_layer(&answer.list[0]), "disk");
	assert_int_equal(verdict_confidence(&answer.list[0]), CONFIDENCE_LIKELY);
	for (size_t i = 1; i < answer.count; i++)
		assert_int_equal(verdict_confidence(&answer.list[i]), CONFIDENCE_POSSIBLE);
}

static void ids_of_ours(void **state)
{
	struct explained answer = ask("error-no-space");
	size_t count;
	const struct engine_rule *rules = engine_rule_all(&count);
	const struct finding_fact *findings;

	assert_int_equal(answer.count, 1);
	assert_string_equal(verdict_scheme(&answer.list[0]), "message");
	assert_string_equal(verdict_layer(&answer.list[0]), "disk");
	assert_null(verdict_next(&answer.list[0]));
	assert_ptr_equal(ask("no-space").list[0].message, answer.list[0].message);
	for (size_t i = 0; i < count; i++) {
		answer = ask(rules[i].id);
		assert_ptr_equal(answer.list[0].rule, &rules[i]);
		assert_string_equal(verdict_scheme(&answer.list[0]), "engine");
		assert_string_equal(verdict_name(&answer.list[0]), rules[i].id);
		assert_string_equal(verdict_cause(&answer.list[0]), rules[i].text);
	}
	findings = finding_all(&count);
	for (size_t i = 0; i < count; i++) {
		answer = ask(findings[i].id);
		assert_ptr_equal(answer.list[0].finding, &findings[i]);
		assert_string_equal(verdict_scheme(&answer.list[0]), "finding");
		assert_int_equal(verdict_confidence(&answer.list[0]), CONFIDENCE_CERTAIN);
	}
}

/* A line of the engine gives the rule that a job would give. */
static void lines_of_the_engine(void **state)
{
	struct explained answer = ask("09:45:00.101   <Error> Unable to discover device mode. "
				      "Please make sure a device is attached.");
	size_t count;
	const struct engine_rule *rules = engine_rule_all(&count);

	assert_true(answer.count > 0);
	assert_non_null(answer.list[0].rule);
	assert_string_equal(verdict_layer(&answer.list[0]), "usb");
	for (size_t i = 0; i < count; i++) {
		char line[EXPLAIN_TEXT_BYTES];

		snprintf(line, sizeof(line), "x %s x", rules[i].pattern);
		answer = ask(line);
		assert_ptr_equal(answer.list[0].rule, &rules[i]);
	}
}

/* True if a row is for this number of the scheme alone. */
static bool has_own_row(const char *scheme, int64_t number)
{
	size_t count;
	const struct code_fact *codes = code_all(&count);

	for (size_t i = 0; i < count; i++)
		if (codes[i].value == number && codes[i].last == number &&
		    strcmp(codes[i].scheme, scheme) == 0)
			return true;
	return false;
}

/* A number of the row, for a range the first without a row of its own. */
static int64_t number_of(const struct code_fact *row)
{
	int64_t number = row->value;

	while (row->last != row->value && has_own_row(row->scheme, number))
		number++;
	assert_true(number <= row->last);
	return number;
}

static void every_row_is_found(void **state)
{
	size_t count;
	const struct code_fact *codes = code_all(&count);

	assert_true(count > 300);
	for (size_t i = 0; i < count; i++) {
		struct explained answer;
		char text[160];

		/* with its scheme, so that other schemes' meanings of -1 do not push it out */
		snprintf(text, sizeof(text), "%s %" PRId64, codes[i].scheme, number_of(&codes[i]));
		answer = ask(text);
		if (!has_code(&answer, &codes[i]))
			fail_msg("row %zu is not found by %s", i, text);
		assert_string_equal(verdict_scheme(&answer.list[0]), codes[i].scheme);
		if (strcmp(codes[i].name, "-") == 0)
			continue;
		answer = ask(codes[i].name);
		if (!has_code(&answer, &codes[i]))
			fail_msg("%s is not found by its name", codes[i].name);
		assert_string_equal(answer.list[0].code->name, codes[i].name);
	}
}

/* What a finding says it corresponds to leads back to the finding. */
static void codes_lead_to_findings(void **state)
{
	size_t count;
	const struct finding_fact *findings = finding_all(&count);

	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *codes = strdup(findings[i].codes);
		char *rest = codes;

		assert_non_null(codes);
		if (strcmp(codes, "-") == 0)
			continue;
		for (char *word; (word = strsep(&rest, " "));) {
			struct explained answer = ask(word);

			if (answer.count == 0)
				fail_msg("%s names %s", findings[i].id, word);
			assert_non_null(answer.list[0].finding);
		}
	}
}

/* A finding that names the framework's word for it is told for lockdownd's too. */
static void twins_share_their_finding(void **state)
{
	static const char *const pairs[][2] = {
		{ "UserDeniedPairing", "kAMDUserDeniedPairingError" },
		{ "InvalidHostID", "kAMDInvalidHostIDError" },
		{ "PasswordProtected", "kAMDPasswordProtectedError" },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const struct finding_fact *finding = ask(pairs[i][1]).list[0].finding;

		assert_non_null(finding);
		assert_ptr_equal(ask(pairs[i][0]).list[0].finding, finding);
	}
	assert_null(ask("ImmutableValue").list[0].finding);
}

static void unknown_things_are_none(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"-",
		"--",
		"(",
		"error",
		"Error",
		"0x",
		"-0x",
		"+",
		"99999",
		"1e3",
		"9.5",
		"0xE80000FF",
		"18446744073709551616",
		"-99999999999999999999",
		"iPhone14,5",
		"an unknown thing",
		"kAMD",
		"LOCKDOWN_E_",
		"9223372036854775808",
		"-9223372036854775808",
		"itunes",
		"all-wel",
		"0x1G",
		"%s%n",
		"{phone}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (ask(texts[i]).count != 0)
			fail_msg("'%s' is known", texts[i]);
}

static void long_and_odd_texts_end(void **state)
{
	_cleanup_free_ char *text = malloc(4 * EXPLAIN_TEXT_BYTES + 1);

	assert_non_null(text);
	memset(text, 'x', 4 * EXPLAIN_TEXT_BYTES);
	text[4 * EXPLAIN_TEXT_BYTES] = '\0';
	assert_int_equal(ask(text).count, 0);
	memcpy(text, "4013 ", 5);
	assert_true(ask(text).count > 0);
	memset(text, ' ', 4 * EXPLAIN_TEXT_BYTES);
	memcpy(text + 2 * EXPLAIN_TEXT_BYTES, "4013", 4); /* behind what is read */
	assert_int_equal(ask(text).count, 0);
	assert_int_equal(ask("\xff\xfe -18 \x01").list[0].number, -18);
	for (size_t i = 0; i + 3 < 4 * EXPLAIN_TEXT_BYTES; i += 3)
		memcpy(text + i, "-1 ", 3);
	text[4 * EXPLAIN_TEXT_BYTES - 1] = '\0';
	assert_true(ask(text).count > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_in_every_form),
		cmocka_unit_test(names_in_every_form),
		cmocka_unit_test(one_cause_in_both_worlds),
		cmocka_unit_test(who_counts_decides),
		cmocka_unit_test(a_number_alone_is_doubtful),
		cmocka_unit_test(ranges_fill_the_gaps),
		cmocka_unit_test(several_meanings_best_first),
		cmocka_unit_test(ids_of_ours),
		cmocka_unit_test(lines_of_the_engine),
		cmocka_unit_test(every_row_is_found),
		cmocka_unit_test(codes_lead_to_findings),
		cmocka_unit_test(twins_share_their_finding),
		cmocka_unit_test(unknown_things_are_none),
		cmocka_unit_test(long_and_odd_texts_end),
	};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
