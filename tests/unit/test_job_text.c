/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs, and amounts, in words. */
#include "base/cleanup.h"
#include "face/amount_text.h"
#include "face/job_text.h"
#include "prose_print.h"

#define JSON  _cleanup_(sd_json_variant_unrefp) sd_json_variant
#define PROSE _cleanup_(screen_prose_freep) struct screen_prose

/* --- amounts --------------------------------------------------------------------------------- */

static void test_amounts(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{ 0, "0 bytes" },           { 999, "999 bytes" },
		{ 1000, "1 kB" },           { 1500, "1.5 kB" },
		{ 999999, "999 kB" },       { 7400000000, "7.4 GB" },
		{ 128000000000, "128 GB" }, { 99900000, "99.9 MB" },
		{ 100100000, "100 MB" },    { UINT64_MAX, "18446744073 GB" },
	};
	char text[AMOUNT_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		amount_text_bytes(rows[i].bytes, text);
		assert_string_equal(text, rows[i].text);
	}
	amount_text_rate(24100000, text);
	assert_string_equal(text, "24.1 MB a second");
}

static void test_durations(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} rows[] = {
		{ 0, "less than a minute" },
		{ 59, "less than a minute" },
		{ 60, "about 1 minute" },
		{ 89, "about 1 minute" },
		{ 90, "about 2 minutes" },
		{ 3599, "about 60 minutes" },
		{ 3600, "about 1 hour and 0 minutes" },
		{ 4800, "about 1 hour and 20 minutes" },
		{ 7200, "about 2 hours" },
		{ 9000, "about 3 hours" },
		{ 900, "about 15 minutes" },
	};
	char text[AMOUNT_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		amount_text_duration(rows[i].seconds, text);
		assert_string_equal(text, rows[i].text);
	}
}

/* --- progress -------------------------------------------------------------------------------- */

struct progress_row {
	const char *progress, *text;
	int permille;
};

static void test_progress(void **state)
{
	static const struct progress_row rows[] = {
		{ "null", "", -1 },
		{ "{'part':'download','done':1200000000,'total':7000000000,'unit':'bytes',"
		  "'rate':24100000,'remaining_s':240}",
		  "Downloading: 1.2 GB of 7 GB, 17 percent, 24.1 MB a second, about 4 minutes left",
		  171 },
		{ "{'part':'download','done':5000,'unit':'bytes'}", "Downloading: 5 kB", -1 },
		{ "{'part':'upload-system','done':340,'total':1000,'unit':'permille','rate':3,"
		  "'remaining_s':180}",
		  "Sending iOS to the phone: 34 percent, about 3 minutes left", 340 },
		{ "{'part':'nonsense','done':0,'total':1000,'unit':'permille'}",
		  "Download the firmware: 0 percent", 0 },
		{ "{'part':'','done':9,'total':5,'unit':'permille'}",
		  "Download the firmware: 100 percent", 1000 },
		{ "{'part':'download'}", "Downloading", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_free_ char *text = NULL, *json = NULL;
		JSON *job = NULL;

		assert_true(asprintf(&json,
				     "{'step':1,'steps':[{'label':'Check'},{'label':'Download the "
				     "firmware'}],'progress':%s}",
				     rows[i].progress) > 0);
		job = json_of(json);
		text = job_text_progress(job);
		assert_string_equal(text, rows[i].text);
		assert_int_equal(job_text_permille(job), rows[i].permille);
	}
}

/* --- states, steps --------------------------------------------------------------------------- */

#define STEPS                                                                                      \
	"'steps':[{'kind':'catalogue','label':'Find the newest iOS','state':'done','attempt':1},"  \
	"{'kind':'fetch','label':'Download the firmware','state':'skipped','attempt':1},"          \
	"{'kind':'update','label':'Install iOS','state':'failed','attempt':2,"                     \
	"'error':{'kind':'engine','origin':'idevicerestore','code':1,'text':'it broke off'}},"     \
	"{'kind':'pair','label':'Pair','state':'running','attempt':1},"                            \
	"{'kind':'verify-trust','label':'Check trust','state':'waiting','attempt':0}]"

static void test_states(void **state)
{
	static const struct {
		const char *state, *text;
		bool end;
	} rows[] = {
		{ "draft", "being planned", false },
		{ "ready", "about to start", false },
		{ "running", "running", false },
		{ "asking", "asks you", false },
		{ "done", "done", true },
		{ "failed", "failed", true },
		{ "cancelled", "cancelled", true },
		{ "new", "in a state that this program does not know", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		JSON *job = NULL;

		assert_true(
		    sd_json_buildo(&job, SD_JSON_BUILD_PAIR_STRING("state", rows[i].state)) >= 0);
		assert_string_equal(job_text_state(job), rows[i].text);
		assert_int_equal(job_text_is_end(job), rows[i].end);
	}
}

static void test_steps(void **state)
{
	JSON *job = json_of("{" STEPS "}");
	PROSE *prose = prose_make();
	_cleanup_free_ char *text = NULL, *step = NULL, *again = NULL, *none = NULL;

	job_text_steps_add(job, prose);
	text = prose_print(prose);
	assert_string_equal(text, "1. Find the newest iOS: done\n"
				  "2. Download the firmware: not needed\n"
				  "3. Install iOS: failed, it broke off\n"
				  "4. Pair: now\n"
				  "5. Check trust: later\n");
	assert_int_equal(prose_role(prose, 2), SCREEN_ROLE_ALERT);
	step = job_text_step(job, 1);
	assert_string_equal(step, "Step 2 of 5: Download the firmware");
	again = job_text_step(job, 2);
	assert_string_equal(again, "Step 3 of 5, attempt 2: Install iOS");
	none = job_text_step(job, 5);
	assert_string_equal(none, "");
}

static void test_guidance(void **state)
{
	JSON *told = json_of("{'guidance':'Tap Trust.','awaiting':'phone'}");
	JSON *awaiting = json_of("{'awaiting':'phone'}"), *nothing = json_of("{}");
	_cleanup_free_ char *a = job_text_guidance(told), *b = job_text_guidance(awaiting),
			    *c = job_text_guidance(nothing);

	assert_string_equal(a, "Tap Trust.");
	assert_non_null(strstr(b, "Plug it in again"));
	assert_string_equal(c, "");
}

/* --- ends ------------------------------------------------------------------------------------ */

static char *outcome(const char *json)
{
	JSON *job = json_of(json);
	PROSE *prose = prose_make();

	job_text_outcome_add(job, prose);
	return prose_print(prose);
}

static void test_outcome_done(void **state)
{
	_cleanup_free_ char *text =
	    outcome("{'id':'j1','goal':'erase','label':'Anna','state':'done','data':'erased','"
		    "folder':'/d/j1',"
		    "'proof':{'name':'iPhone','serial_number':'F2LX','capacity_bytes':128000000000,"
		    "'version':'17.5.1','build':'21F90','media_entries':0}}");

	assert_string_equal(
	    text, "Install iOS again, erasing everything: Anna: done.\n"
		  "Data            The data that was on the phone has been erased.\n"
		  "What was proven it answers as iPhone\n"
		  "                its serial number F2LX was read\n"
		  "                its storage of 128 GB was read\n"
		  "                it runs iOS 17.5.1, build 21F90\n"
		  "                its media folder was opened\n"
		  "Report          /d/j1 holds report.txt; idevicerescue report j1 shows it\n");
}

static void test_outcome_failed(void **state)
{
	_cleanup_free_ char *text = outcome(
	    "{'id':'j1','goal':'update','label':'Anna','state':'failed','data':'at-risk','error':"
	    "{'kind':'engine','origin':'idevicerestore','code':-11,'text':'it broke off',"
	    "'next':'Take another cable.'}}");
	_cleanup_free_ char *plain = outcome("{'goal':'new goal','label':'A','state':'cancelled',"
					     "'data':'kept','error':{'kind':'cancelled','origin':"
					     "'service','code':0,'text':'stopped'}}");

	assert_string_equal(
	    text,
	    "Install iOS again, keeping the data: Anna: failed.\n"
	    "What happened   it broke off (says idevicerestore, code -11)\n"
	    "What to do      Take another cable.\n"
	    "Data            The phone was being changed. What is on it now shows when it has "
	    "started.\n");
	assert_string_equal(plain,
			    "new goal: A: cancelled.\n"
			    "What happened   stopped (says service)\n"
			    "What to do      You stopped it. Start it again when you are ready.\n"
			    "Data            The data on the phone was not touched.\n");
}

static void test_question(void **state)
{
	JSON *job = json_of(
	    "{'state':'asking','question':{'id':'q','text':'The update failed. Erase?','plan':{"
	    "'goal':'erase','label_goal':'Erase "
	    "it','data':'erased','phone':'ecid:0x1','label':'A'}}}");
	JSON *none = json_of("{'state':'running'}");
	PROSE *prose = prose_make(), *empty = prose_make();
	_cleanup_free_ char *text = NULL;

	job_text_question_add(job, prose);
	text = prose_print(prose);
	assert_memory_equal(text, "The update failed. Erase?\n", 26);
	assert_non_null(strstr(text, "EVERYTHING ON THIS PHONE WILL BE ERASED"));
	job_text_question_add(none, empty);
	assert_uint_equal(screen_prose_lines(empty), 0);
}

/* Whatever the service sends: no crash, no field needed. */
static void test_poor_objects(void **state)
{
	static const char *const poor[] = {
		"{}",
		"{'steps':[1,null,{}],'step':7,'progress':{},'proof':{},'error':{}}",
		"{'question':{},'state':7,'steps':{},'progress':[]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(poor); i++) {
		JSON *job = json_of(poor[i]);
		PROSE *prose = prose_make();
		_cleanup_free_ char *title = job_text_title(job), *step = job_text_step(job, 0),
				    *progress = job_text_progress(job);

		job_text_steps_add(job, prose);
		job_text_outcome_add(job, prose);
		job_text_question_add(job, prose);
		assert_int_equal(screen_prose_error(prose), 0);
		assert_true(title && step && progress);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_amounts),      cmocka_unit_test(test_durations),
		cmocka_unit_test(test_progress),     cmocka_unit_test(test_states),
		cmocka_unit_test(test_steps),        cmocka_unit_test(test_guidance),
		cmocka_unit_test(test_outcome_done), cmocka_unit_test(test_outcome_failed),
		cmocka_unit_test(test_question),     cmocka_unit_test(test_poor_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
