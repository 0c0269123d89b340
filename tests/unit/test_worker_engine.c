/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What idevicerestore writes, and what it means: worker/engine_output.h, worker/engine_verdict.h.
 */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/engine_output.h"
#include "worker/engine_verdict.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* Real logs lie beside the tree where there are any. */
#define REAL_LOGS "../shared/data/idevicerestore_logs"

enum { LINES_MAX = 64 };

struct collected {
	size_t count;
	char lines[LINES_MAX][ENGINE_TEXT_BYTES];
};

static void collect(void *context, const char *line)
{
	struct collected *collected = context;

	assert_true(collected->count < LINES_MAX);
	snprintf(collected->lines[collected->count++], ENGINE_TEXT_BYTES, "%s", line);
}

static void feed(struct engine_lines *lines, const char *text, struct collected *ret)
{
	engine_lines_feed(lines, text, strlen(text), collect, ret);
}

/* --- lines */

static void test_lines_in_pieces(void **state)
{
	static struct collected collected;
	struct engine_lines lines = {};

	collected.count = 0;
	feed(&lines, "progr", &collected);
	assert_int_equal(collected.count, 0);
	feed(&lines, "ess: 1\r\n\n\nsecond\rthi", &collected);
	assert_int_equal(collected.count, 2);
	assert_string_equal(collected.lines[0], "progress: 1");
	assert_string_equal(collected.lines[1], "second");
	engine_lines_end(&lines, collect, &collected);
	assert_string_equal(collected.lines[2], "thi");
	engine_lines_end(&lines, collect, &collected);
	assert_int_equal(collected.count, 3);
}

static void test_lines_are_bounded_text(void **state)
{
	static struct collected collected;
	static char long_line[3 * ENGINE_LINE_BYTES];
	struct engine_lines lines = {};

	collected.count = 0;
	memset(long_line, 'x', sizeof(long_line));
	engine_lines_feed(&lines, long_line, sizeof(long_line), collect, &collected);
	feed(&lines, "\n", &collected);
	assert_int_equal(strlen(collected.lines[0]), ENGINE_LINE_BYTES);
	engine_lines_feed(&lines, "a\0b\tc\xff\x1b[1m\n", 11, collect, &collected);
	assert_string_equal(collected.lines[1], "a b c\xef\xbf\xbd\xef\xbf\xbd[1m");
	memset(long_line, 0xff, sizeof(long_line));
	engine_lines_feed(&lines, long_line, sizeof(long_line), collect, &collected);
	engine_lines_end(&lines, collect, &collected);
	assert_int_equal(strlen(collected.lines[2]), 3 * ENGINE_LINE_BYTES);
}

/* --- progress */

static const struct {
	const char *line;
	unsigned step, permille;
} progresses[] = {
	{ "progress: 0 0.000000", 0, 0 },    { "progress: 1 0.250000", 1, 250 },
	{ "progress: 1 0.299999", 1, 299 },  { "progress: 7 1.000000", 7, 1000 },
	{ "progress: 2 1.010000", 2, 1000 }, { "progress: 12 0.5", 12, 500 },
	{ "progress: 2 0.000000001", 2, 0 },
};
static const char *const no_progresses[] = {
	"progress: ",        "progress: 1",      "progress: 1 ",
	"progress: 1 nan",   "progress: 1 -0.1", "progress: -1 0.1",
	"progress: 1 .5",    "progress: 1 0.",   "progress: 1 0,25",
	"progress: 100 0.1", "progress: 1 0.1x", " progress: 1 0.1",
	"Progress: 1 0.1",   "progress: 1  0.1", "",
};

static void test_progress(void **state)
{
	struct engine_progress progress;

	for (size_t i = 0; i < ARRAY_LEN(progresses); i++) {
		assert_true(engine_progress_parse(progresses[i].line, &progress));
		assert_int_equal(progress.step, progresses[i].step);
		assert_int_equal(progress.permille, progresses[i].permille);
	}
	for (size_t i = 0; i < ARRAY_LEN(no_progresses); i++)
		assert_false(engine_progress_parse(no_progresses[i], &progress));
}

/* --- the log */

static void test_log(void **state)
{
	static const struct {
		const char *line;
		enum engine_level level;
		const char *text;
		bool note;
	} rows[] = {
		{ "12:34:56.789   <Error> Unable to", ENGINE_ERROR, "Unable to", true },
		{ "12:34:56.789 <Warning> odd", ENGINE_WARNING, "odd", true },
		{ "12:34:56.789  <Notice> n", ENGINE_NOTICE, "n", false },
		{ "12:34:56.789    <Info> Creating filesystem (12)", ENGINE_INFO,
		  "Creating filesystem (12)", true },
		{ "12:34:56.789    <Info> Sending iBEC (123 bytes)...", ENGINE_INFO,
		  "Sending iBEC (123 bytes)...", false },
		{ "12:34:56.789 <Verbose> v (1)", ENGINE_VERBOSE, "v (1)", false },
		{ "12:34:56.789   <Debug> No data to read (timeout)", ENGINE_DEBUG,
		  "No data to read (timeout)", false },
		{ "12:34:56.789   <Error> No data to read", ENGINE_ERROR, "No data to read",
		  false },
		{ "12:34:56.789   <Debug>", ENGINE_RAW, NULL, false },
		{ "12:34:56.789 <Nothing> x", ENGINE_RAW, NULL, false },
		{ "12:34:5", ENGINE_RAW, NULL, false },
		{ "TSS server returned: STATUS=94&MESSAGE=no", ENGINE_RAW, NULL, true },
		{ "[1]{2>3} CHECKPOINT FAILURE:(FAILURE:53)", ENGINE_RAW, NULL, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct engine_log log;

		engine_log_parse(rows[i].line, &log);
		assert_int_equal(log.level, rows[i].level);
		assert_string_equal(log.text, rows[i].text ? rows[i].text : rows[i].line);
		assert_int_equal(engine_log_is_note(&log), rows[i].note);
	}
}

static void test_signs(void **state)
{
	assert_true(engine_text_touches("Entering recovery mode..."));
	assert_true(engine_text_touches("Sending iBSS (12 bytes)..."));
	assert_false(engine_text_touches("Sending TSS request attempt 1..."));
	assert_true(engine_text_erases("This restore will erase all device data."));
	assert_false(
	    engine_text_erases("This restore will update the device without erasing user data."));
	assert_true(engine_text_is_idle("No data to read (timeout)"));
	assert_true(engine_text_is_version("idevicerestore 1.0.1 (libirecovery 1.3.1)"));
	assert_false(engine_text_is_version("idevicerestore is odd"));
	assert_true(
	    engine_version_is_known("idevicerestore 1.0.1 (libirecovery 1.3.1, libtatsu 1.0.5)"));
	assert_false(engine_version_is_known(
	    "idevicerestore 1.0.0-271-g45145e9 (libirecovery 1.3.1-8-g1c495c5, libtatsu 1.0.5)"));
}

/* --- the verdict */

static const struct engine_rule *verdict_of(const char *const lines[], int exit)
{
	struct engine_seen seen = {};

	for (size_t i = 0; lines[i]; i++)
		engine_seen_log(&seen, lines[i]);
	return engine_verdict(&seen, exit);
}

#define T        "12:00:00.000    <Info> "
#define E        "12:00:00.000   <Error> "
#define FINISHED T "Status: Restore Finished"

static void test_success_needs_all_three(void **state)
{
	assert_null(verdict_of((const char *[]){ FINISHED, T "DONE", NULL }, 0));
	assert_string_equal(verdict_of((const char *[]){ FINISHED, NULL }, 1)->id, "engine-failed");
	assert_string_equal(verdict_of((const char *[]){ T "DONE", NULL }, 0)->id,
			    "engine-no-proof");
	assert_string_equal(
	    verdict_of(
		(const char *[]){ FINISHED, E "Unable to successfully restore device", NULL }, 0)
		->id,
	    "engine-not-restored");
	assert_string_equal(verdict_of((const char *[]){ NULL }, 128 + 11)->id, "engine-crashed");
}

/* What the phone sends as its own log is believed as a reason, never as a success. */
static void test_log_of_the_phone(void **state)
{
	assert_string_equal(
	    verdict_of((const char *[]){ T "Log is available:", "Status: Restore Finished", NULL },
		       0)
		->id,
	    "engine-no-proof");
	assert_string_equal(verdict_of((const char *[]){ T "Status: Fail", T "Log is available:",
							 "x (FAILURE:53) y", NULL },
				       1)
				->id,
			    "engine-checkpoint-53");
	/* an earlier restore's log says nothing about this one */
	assert_string_equal(
	    verdict_of((const char *[]){ "12:00:00.000 <Verbose> Previous Restore Log Received:",
					 "x (FAILURE:53) y", "This host version is unsupported",
					 T "Status: Fail", NULL },
		       1)
		->id,
	    "engine-status-fail");
}

static void test_first_row_wins(void **state)
{
	struct engine_seen seen = {};

	engine_seen_text(&seen, "Unable to restore device");
	assert_string_equal(engine_verdict(&seen, 1)->id, "engine-not-restored-at-all");
	engine_seen_text(&seen, "Could not read data (-256). Aborting.");
	assert_string_equal(engine_verdict(&seen, 1)->id, "engine-link-lost");
	engine_seen_text(&seen, "Status: Disk Failure");
	assert_string_equal(engine_verdict(&seen, 1)->id, "engine-status-disk");
	engine_seen_rule(&seen, RULE_SILENT);
	assert_string_equal(engine_verdict(&seen, 1)->id, RULE_SILENT);
	engine_seen_rule(&seen, RULE_CANCELLED);
	assert_string_equal(engine_verdict(&seen, 1)->id, RULE_CANCELLED);
}

/* Every row can be the verdict of its own line, unless a more telling row stands in that line too;
 * rows of ours are never searched for. */
static void test_every_rule_is_reached(void **state)
{
	static const char *const own[] = {
		RULE_CANCELLED,     RULE_WOULD_ERASE, RULE_NOT_STARTED,      RULE_SILENT,
		RULE_TOO_LONG,      RULE_NOT_PAIRED,  RULE_RELAY_NOT_SIGNED, RULE_RELAY_CERTIFICATE,
		RULE_RELAY_NETWORK, "engine-crashed", "engine-no-proof",     "engine-failed",
	};
	size_t count;
	const struct engine_rule *rules = engine_rule_all(&count);

	assert_true(count > 0 && count <= ENGINE_RULES_MAX);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		assert_non_null(engine_rule_find(own[i]));
	for (size_t i = 0; i < count; i++) {
		struct engine_seen seen = {};
		const char *found;

		engine_seen_text(&seen, rules[i].pattern);
		found = engine_verdict(&seen, 1)->id;
		if (strncmp(rules[i].pattern, "idevicerescue: ", 15) == 0)
			assert_string_equal(found, "engine-failed");
		else if (strcmp(found, rules[i].id) != 0)
			fail_msg("%s hides %s", found, rules[i].id);
		assert_true(strlen(rules[i].text) < ERROR_TEXT_BYTES);
	}
}

/* --- real logs */

static void seen_file(const char *path, struct engine_seen *seen, struct engine_progress *ret_last)
{
	static struct collected collected;
	struct engine_lines lines = {};
	FILE *file = fopen(path, "re");
	char text[64];
	size_t n;

	assert_non_null(file);
	while ((n = fread(text, 1, sizeof(text), file)) > 0) {
		collected.count = 0;
		engine_lines_feed(&lines, text, n, collect, &collected);
		for (size_t i = 0; i < collected.count; i++) {
			engine_seen_text(seen, collected.lines[i]);
			(void)engine_progress_parse(collected.lines[i], ret_last);
		}
	}
	(void)fclose(file);
}

static const struct engine_rule *real_verdict(const char *name, int exit,
					      struct engine_progress *ret_last)
{
	char path[256];
	struct engine_seen seen = {};

	snprintf(path, sizeof(path), REAL_LOGS "/%s", name);
	seen_file(path, &seen, ret_last);
	return engine_verdict(&seen, exit);
}

static void test_real_logs(void **state)
{
	struct engine_progress last = {};
	DIR *folder = opendir(REAL_LOGS);

	if (!folder)
		skip();
	closedir(folder);
	assert_null(real_verdict("07_new_success_tail.txt", 0, &last));
	assert_int_equal(last.step, 7);
	assert_int_equal(last.permille, 1000);
	assert_string_equal(
	    real_verdict("03_old_tss_94_not_signed_iPhone9,1_14.3.txt", 1, &last)->id, "tss-94");
	assert_string_equal(real_verdict("04_new_tss_94.txt", 1, &last)->id, "tss-94");
	assert_string_equal(real_verdict("11_new_unknown_status_tail.txt", 1, &last)->id,
			    "engine-status-unknown");
	assert_string_equal(real_verdict("20_logfile_format.txt", 1, &last)->id, "engine-shsh");
	(void)real_verdict("02_plain_progress_iPhone12,8_18.0.txt", 1, &last);
	assert_int_equal(last.step, 1);
	assert_int_equal(last.permille, 700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_in_pieces),
		cmocka_unit_test(test_lines_are_bounded_text),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_signs),
		cmocka_unit_test(test_success_needs_all_three),
		cmocka_unit_test(test_log_of_the_phone),
		cmocka_unit_test(test_first_row_wins),
		cmocka_unit_test(test_every_rule_is_reached),
		cmocka_unit_test(test_real_logs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
