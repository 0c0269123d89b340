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

static void test_days(void **state)
{
	char text[AMOUNT_BYTES];

	amount_text_day(1795370033227, text);
	assert_string_equal(text, "2026-11-22");
	amount_text_day(1, text);
	assert_string_equal(text, "1970-01-01");
	amount_text_day(0, text);
	assert_string_equal(text, "");
	amount_text_day(UINT64_MAX, text); /* no such day */
	assert_string_equal(text, "");
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

/* A file that is the published one and contradicts its own list: told, not passed over. */
static void test_outcome_of_a_file_at_odds(void **state)
{
	_cleanup_free_ char *text =
	    outcome("{'id':'j1','goal':'erase','label':'Anna','state':'done','data':'erased',"
		    "'proof':{'firmware':{'level':2,'hash':true,'members':90,'crc':90,'matched':45,"
		    "'skipped':2,'unlike':3,'ticket':false}}}");

	assert_non_null(strstr(text, "45 are what its manifest says; 3 are not"));
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
			    "What to do      It was stopped. Start it again when you are ready.\n"
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

/* A ladder of many steps stays readable: what was left out for one reason is one line. */
static void test_steps_left_out(void **state)
{
	JSON *job = json_of(
	    "{'steps':[{'label':'Look','state':'done','attempt':1},"
	    "{'label':'Mux','state':'skipped','attempt':1,'reason':'usbmuxd works','rung':1},"
	    "{'label':'Prove','state':'skipped','attempt':0,'reason':'left','rung':1},"
	    "{'label':'Cable','state':'done','attempt':1,'found':'USB runs at 480 Mbit/s.'},"
	    "{'label':'A','state':'skipped','attempt':0,'reason':'not needed','rung':3},"
	    "{'label':'B','state':'skipped','attempt':0,'reason':'not needed','rung':4},"
	    "{'label':'C','state':'skipped','attempt':0,'reason':'no replug'},"
	    "{'label':'D','state':'skipped','attempt':1}]}");
	PROSE *prose = prose_make();
	_cleanup_free_ char *text = NULL;

	job_text_steps_add(job, prose);
	text = prose_print(prose);
	assert_string_equal(text, "1. Look: done\n"
				  "2. Mux: left out, usbmuxd works\n"
				  "3. Prove: left\n"
				  "4. Cable: done\n"
				  "Found: USB runs at 480 Mbit/s.\n"
				  "5 to 6. not needed\n"
				  "7. C: no replug\n"
				  "8. D: not needed\n");
	assert_uint_equal(job_text_left_out(job, 4), 5);
	assert_uint_equal(job_text_left_out(job, 7), SIZE_MAX);
	assert_uint_equal(job_text_left_out(job, 99), SIZE_MAX);
}

static void test_time_and_answers(void **state)
{
	JSON *job = json_of("{'state':'running','until_ms':100000,'answers':{'no':true}}");
	JSON *ended = json_of("{'state':'done','until_ms':100000}");
	static const struct {
		uint64_t wall_ms;
		const char *text;
	} rows[] = { { 0, "1:40" }, { 95001, "0:05" }, { 99999, "0:01" }, { 100000, "" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_free_ char *left = job_text_time_left(job, rows[i].wall_ms);

		assert_string_equal(left, rows[i].text);
	}
	_cleanup_free_ char *none = job_text_time_left(ended, 0);

	assert_string_equal(none, "");
	assert_true(job_text_takes(job, false));
	assert_false(job_text_takes(job, true) || job_text_takes(ended, false));
}

static void test_outcome_of_a_repair(void **state)
{
	_cleanup_free_ char *text = outcome(
	    "{'id':'j1','goal':'repair','label':'Anna','state':'failed','data':'kept','error':"
	    "{'kind':'refused','origin':'lockdownd','code':-19,'text':'it asks',"
	    "'next':'Look.'},'proof':{'session':true,'identity':false,'media':false,'replug':true,"
	    "'backup':true,'backup_bytes':4096,'backup_files':3},'unproven':[{'what':'media',"
	    "'label':'the media folder','reason':'not told'},{'what':'identity','label':'name',"
	    "'reason':'too late'}],'advice':[{'id':'x','text':'Update it.'}]}");

	assert_string_equal(text,
			    "Repair the trust between phone and computer, mildest way first: "
			    "Anna: failed.\n"
			    "What happened   it asks (says lockdownd, code -19)\n"
			    "What to do      Look.\n"
			    "Data            The data on the phone was not touched.\n"
			    "What was proven a secure session opened from a fresh connection\n"
			    "                unplugged and plugged in again, it needed no dialog\n"
			    "                a backup began to arrive: 4 kB in 3 files\n"
			    "Not proven      the media folder: not told\n"
			    "                name: too late\n"
			    "What is left    Update it.\n");
}

/* Whatever the service sends: no crash, no field needed. */
static void test_poor_objects(void **state)
{
	static const char *const poor[] = {
		"{}",
		"{'steps':[1,null,{}],'step':7,'progress':{},'proof':{},'error':{}}",
		"{'question':{},'state':7,'steps':{},'progress':[]}",
		"{'answers':[],'until_ms':-1,'unproven':[1,{}],'advice':[null],'proof':{'backup':"
		"true},'steps':[{'state':'skipped','attempt':0,'reason':7}]}",
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
		cmocka_unit_test(test_amounts),
		cmocka_unit_test(test_days),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_guidance),
		cmocka_unit_test(test_outcome_done),
		cmocka_unit_test(test_outcome_of_a_file_at_odds),
		cmocka_unit_test(test_outcome_failed),
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_poor_objects),
		cmocka_unit_test(test_steps_left_out),
		cmocka_unit_test(test_time_and_answers),
		cmocka_unit_test(test_outcome_of_a_repair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
