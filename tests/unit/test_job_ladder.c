/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A repair as a job: which rungs are left out and why, what ends it, what it says was proven, and
 * that a service which dies in the middle of a rung finds it there again. */
#include "doctor/ladder.h"
#include "doctor_fixture.h"
#include <errno.h>

struct bed {
	char folder[64];
	struct job *job;
};

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	doctor_folder(bed->folder);
	*state = bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	job_free(bed->job);
	doctor_remove(bed->folder);
	free(bed);
	return 0;
}

static void start(struct bed *bed, enum goal goal)
{
	struct plan plan = doctor_plan(goal, MODE_NORMAL);
	struct error err = { 0 };

	if (job_create(bed->folder, &plan, NULL, &bed->job, &err) < 0)
		fail_msg("%s", err.text);
}

/* Loads it anew: it must stand where it stood. */
static void reload(struct bed *bed)
{
	_cleanup_free_ char *before = doctor_job_text(bed->job), *after = NULL;
	_cleanup_free_ char *folder = strdup(job_folder(bed->job));

	bed->job = job_free(bed->job);
	assert_int_equal(job_load(folder, &bed->job, NULL), 0);
	after = doctor_job_text(bed->job);
	assert_string_equal(before, after);
}

static const struct plan_step *present(const struct bed *bed)
{
	return &job_plan(bed->job)->steps[job_step(bed->job)];
}

/* The next step is this one; it begins, and is found running by a service that comes later. */
static void begin(struct bed *bed, enum step_kind kind)
{
	assert_int_equal(job_next(bed->job), JOB_ACTION_BEGIN_STEP);
	assert_string_equal(step_name(present(bed)->kind), step_name(kind));
	assert_int_equal(job_step_begin(bed->job, NULL), 0);
	reload(bed);
	assert_int_equal(job_next(bed->job), JOB_ACTION_FOLLOW_STEP);
	assert_int_equal(job_step_begin(bed->job, NULL), 0); /* again: the same attempt */
}

static void done(struct bed *bed, enum step_kind kind, const char *facts)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

	begin(bed, kind);
	if (facts)
		assert_true(sd_json_parse(facts, 0, &object, NULL, NULL) >= 0);
	assert_int_equal(job_step_done(bed->job, object, false), 0);
	reload(bed);
}

static void passed(struct bed *bed, enum step_kind kind, const char *reason)
{
	begin(bed, kind);
	assert_int_equal(job_step_passed(bed->job, reason), 0);
	reload(bed);
}

static void failed(struct bed *bed, enum step_kind kind, enum error_kind why, const char *text)
{
	struct error err;

	begin(bed, kind);
	error_set(&err, why, "test", 0, "%s", text);
	assert_int_equal(job_step_failed(bed->job, &err, false), 0);
	reload(bed);
}

static void note_trust(struct bed *bed, enum trust trust)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;

	assert_true(
	    sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("trust", trust_name(trust))) >= 0);
	assert_int_equal(job_note(bed->job, "trust", fields), 0);
}

static sd_json_variant *field(sd_json_variant *object, const char *name)
{
	return sd_json_variant_by_key(object, name);
}

static const char *text(sd_json_variant *object, const char *name)
{
	return field(object, name) ? sd_json_variant_string(field(object, name)) : "";
}

static sd_json_variant *job_object(const struct bed *bed)
{
	sd_json_variant *object = NULL;

	assert_int_equal(job_to_json(bed->job, NULL, &object), 0);
	return object;
}

/* How many steps of rungs were left out for this reason, without having been tried. */
static unsigned left_out(const struct bed *bed, const char *id)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = job_object(bed);
	sd_json_variant *steps = field(object, "steps");
	unsigned count = 0;

	for (size_t i = 0; i < sd_json_variant_elements(steps); i++) {
		sd_json_variant *step = sd_json_variant_by_index(steps, i);

		count += strcmp(text(step, "state"), "skipped") == 0 &&
			 sd_json_variant_unsigned(field(step, "attempt")) == 0 &&
			 strcmp(text(step, "reason"), message_find(id)->text) == 0;
	}
	return count;
}

/* The report says the same as the job. */
static void assert_reported(const struct bed *bed, const char *wanted)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_free_ char *report = NULL;

	assert_int_equal(report_make(bed->job, &object, &report), 0);
	if (!strstr(report, wanted))
		fail_msg("no '%s' in:\n%s", wanted, report);
}

static const char proof[] = "{\"proof\":{\"session\":true,\"identity\":true,\"media\":true,"
			    "\"name\":\"Anna\",\"media_entries\":3}}";
static const char proof_again[] = "{\"proof\":{\"session\":true,\"replug\":true}}";
static const char proof_backup[] = "{\"proof\":{\"backup\":true,\"backup_bytes\":4096,"
				   "\"backup_files\":3,\"backup_complete\":false}}";

static void prove_all(struct bed *bed)
{
	done(bed, STEP_VERIFY_TRUST, proof);
	done(bed, STEP_REPLUG, NULL);
	done(bed, STEP_VERIFY_TRUST, proof_again);
	done(bed, STEP_VERIFY_BACKUP, proof_backup);
}

static void test_healthy_phone_needs_no_rung(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct bed *bed = *state;

	start(bed, GOAL_REPAIR);
	done(bed, STEP_LOOK, "{\"trust\":\"trusted\",\"healthy\":true}");
	assert_int_equal(present(bed)->rung, 0);
	assert_int_equal(left_out(bed, "repair-pass-healthy"), job_plan(bed->job)->step_count - 5);
	prove_all(bed);
	assert_int_equal(job_state(bed->job), JOB_DONE);
	object = job_object(bed);
	assert_null(field(object, "unproven"));
	assert_null(field(object, "advice"));
	assert_true(sd_json_variant_boolean(field(field(object, "proof"), "replug")));
	assert_reported(bed, "not needed: the phone trusts this computer and answers");
	assert_reported(bed, "Unplugged and plugged in again, it needed no dialog.");
	assert_reported(bed, "A backup of it began to arrive: 4096 bytes in 3 files.");
}

static void test_the_rung_that_helps_is_the_last(void **state)
{
	struct bed *bed = *state;

	start(bed, GOAL_REPAIR);
	done(bed, STEP_LOOK, "{\"trust\":\"stale\",\"healthy\":false}");
	passed(bed, STEP_RESTART_MUX, "usbmuxd works");
	assert_int_equal(present(bed)->rung, 2);
	assert_int_equal(left_out(bed, "repair-pass-rung"), 1);
	done(bed, STEP_PAIR, NULL);
	failed(bed, STEP_VERIFY_TRUST, ERROR_REFUSED, "the session did not open");
	assert_int_equal(present(bed)->rung, 3);
	done(bed, STEP_FORGET_RECORD, NULL);
	done(bed, STEP_PAIR, NULL);
	done(bed, STEP_VERIFY_TRUST, proof);
	assert_int_equal(present(bed)->rung, 0);
	assert_int_equal(left_out(bed, "repair-pass-trusted"), 3 + 3 + 3 * 3 + 4 + 2 * 3);
	prove_all(bed);
	assert_int_equal(job_state(bed->job), JOB_DONE);
	assert_reported(bed, "not done: usbmuxd works");
	assert_reported(bed, "not needed: the phone was proven to trust this computer");
}

/* A remedy that fails, or that the person passes over, ends its rung and not the ladder. */
static void test_rung_after_rung_in_vain(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct bed *bed = *state;

	start(bed, GOAL_REPAIR);
	failed(bed, STEP_LOOK, ERROR_SILENT, "no answer");
	for (unsigned rung = 1; rung <= 11; rung++) {
		assert_int_equal(present(bed)->rung, rung);
		if (rung % 2)
			passed(bed, present(bed)->kind, "passed over by the person");
		else
			failed(bed, present(bed)->kind, ERROR_SILENT, "it did not help");
	}
	failed(bed, STEP_VERIFY_TRUST, ERROR_REFUSED, "the phone does not trust this computer");
	assert_int_equal(job_state(bed->job), JOB_FAILED);
	assert_int_equal(job_error(bed->job)->kind, ERROR_REFUSED);
	object = job_object(bed);
	assert_int_equal(sd_json_variant_elements(field(object, "unproven")), 5);
	assert_int_equal(sd_json_variant_elements(field(object, "advice")), 4);
	assert_reported(bed, "Software Update");
	assert_reported(bed, "Not proven: that a backup works; the job ended before it.");
	assert_string_equal(text(object, "data"), "kept");
}

static void test_policy_ends_the_ladder(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct bed *bed = *state;
	struct error err;

	start(bed, GOAL_REPAIR);
	begin(bed, STEP_LOOK);
	note_trust(bed, TRUST_REFUSED_BY_POLICY);
	error_set(&err, ERROR_REFUSED, "service", 0, "the phone is in lost mode");
	assert_int_equal(job_step_failed(bed->job, &err, false), 0);
	reload(bed);
	assert_int_equal(job_state(bed->job), JOB_FAILED);
	object = job_object(bed);
	assert_null(field(object, "advice")); /* what is to be done is said by the error */
}

static void test_only_the_person_unlocks(void **state)
{
	struct bed *bed = *state;
	struct error err;

	start(bed, GOAL_REPAIR);
	done(bed, STEP_LOOK, "{\"trust\":\"locked\",\"healthy\":false}");
	passed(bed, STEP_RESTART_MUX, "usbmuxd works");
	begin(bed, STEP_PAIR);
	note_trust(bed, TRUST_LOCKED);
	error_set(&err, ERROR_SILENT, "lockdownd", -17, "the phone stayed locked");
	assert_int_equal(job_step_failed(bed->job, &err, true), 0);
	assert_int_equal(job_state(bed->job), JOB_FAILED);
	reload(bed);
}

/* The person let a rung's time pass: the next one is tried, not the same again. */
static void test_a_rung_is_not_repeated(void **state)
{
	struct bed *bed = *state;
	struct error err;

	start(bed, GOAL_REPAIR);
	done(bed, STEP_LOOK, "{\"trust\":\"denied\",\"healthy\":false}");
	passed(bed, STEP_RESTART_MUX, "usbmuxd works");
	begin(bed, STEP_PAIR);
	note_trust(bed, TRUST_DENIED);
	error_set(&err, ERROR_SILENT, "lockdownd", -18, "nobody tapped Trust");
	assert_int_equal(job_step_failed(bed->job, &err, true), 0);
	assert_int_equal(present(bed)->kind, STEP_FORGET_RECORD);
	reload(bed);
}

/* A phone that left is awaited in a rung as in any step. */
static void test_cable_in_a_rung(void **state)
{
	struct bed *bed = *state;
	struct error err;

	start(bed, GOAL_REPAIR);
	failed(bed, STEP_LOOK, ERROR_SILENT, "no answer");
	done(bed, STEP_RESTART_MUX, NULL);
	failed(bed, STEP_VERIFY_TRUST, ERROR_REFUSED, "not yet");
	begin(bed, STEP_PAIR);
	error_set(&err, ERROR_UNPLUGGED, "service", 0, "the phone left");
	assert_int_equal(job_step_failed(bed->job, &err, true), 0);
	assert_int_equal(job_next(bed->job), JOB_ACTION_AWAIT_PHONE);
	reload(bed);
	assert_int_equal(job_phone_back(bed->job, true), 0);
	assert_int_equal(present(bed)->kind, STEP_PAIR);
	assert_int_equal(job_attempt(bed->job), 2);
}

/* Without the replug there is nothing to prove about it, and the job says so. */
static void test_replug_that_is_passed_over(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct bed *bed = *state;
	sd_json_variant *unproven;

	start(bed, GOAL_PROVE);
	done(bed, STEP_VERIFY_TRUST, proof);
	passed(bed, STEP_REPLUG, "passed over by the person");
	assert_int_equal(present(bed)->kind, STEP_VERIFY_BACKUP);
	passed(bed, STEP_VERIFY_BACKUP, "there is too little room");
	assert_int_equal(job_state(bed->job), JOB_DONE);
	object = job_object(bed);
	unproven = field(object, "unproven");
	assert_int_equal(sd_json_variant_elements(unproven), 2);
	assert_string_equal(text(sd_json_variant_by_index(unproven, 0), "what"), "replug");
	assert_string_equal(text(sd_json_variant_by_index(unproven, 0), "reason"),
			    "passed over by the person");
	assert_string_equal(text(sd_json_variant_by_index(unproven, 1), "reason"),
			    "there is too little room");
	assert_false(sd_json_variant_boolean(field(field(object, "proof"), "replug")));
}

/* A dialog that comes after the replug is a failure of what was to be proven. */
static void test_dialog_after_the_replug(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct bed *bed = *state;
	sd_json_variant *unproven;

	start(bed, GOAL_PROVE);
	done(bed, STEP_VERIFY_TRUST, proof);
	done(bed, STEP_REPLUG, NULL);
	failed(bed, STEP_VERIFY_TRUST, ERROR_REFUSED, "the phone asks again");
	assert_int_equal(job_state(bed->job), JOB_FAILED);
	object = job_object(bed);
	unproven = field(object, "unproven");
	assert_string_equal(text(sd_json_variant_by_index(unproven, 0), "what"), "replug");
	assert_string_equal(text(sd_json_variant_by_index(unproven, 0), "reason"),
			    "the phone asks again");
}

static void test_a_step_that_is_needed_is_not_passed_over(void **state)
{
	struct bed *bed = *state;

	start(bed, GOAL_FORGET);
	passed(bed, STEP_UNPAIR, "no session opens");
	begin(bed, STEP_FORGET_RECORD);
	assert_int_equal(job_step_passed(bed->job, "no"), -EINVAL);
	assert_int_equal(job_step_done(bed->job, NULL, false), 0);
	assert_int_equal(job_state(bed->job), JOB_DONE);
}

static void test_what_a_swap_found_is_told(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct bed *bed = *state;

	start(bed, GOAL_LINK_TEST);
	done(bed, STEP_LOOK, "{\"trust\":\"trusted\",\"healthy\":true}");
	done(bed, STEP_SWAP_CABLE, "{\"found\":\"USB runs at 480 Mbit/s.\"}");
	passed(bed, STEP_SWAP_PORT, "passed over by the person");
	assert_int_equal(job_state(bed->job), JOB_DONE);
	object = job_object(bed);
	assert_string_equal(text(sd_json_variant_by_index(field(object, "steps"), 1), "found"),
			    "USB runs at 480 Mbit/s.");
	assert_reported(bed, "Try another cable: USB runs at 480 Mbit/s.");
	assert_null(field(object, "unproven"));
}

/* A journal that jumps over what must be done is none of ours. */
static void test_forged_jump(void **state)
{
	struct bed *bed = *state;
	char path[160];
	FILE *out;

	start(bed, GOAL_PROVE);
	begin(bed, STEP_VERIFY_TRUST);
	snprintf(path, sizeof(path), "%s/journal.jsonl", job_folder(bed->job));
	for (unsigned next = 1; next < 6; next++) {
		_cleanup_free_ char *folder = strdup(job_folder(bed->job));
		struct job *job = NULL;
		long end;
		int r;

		out = fopen(path, "a");
		fseek(out, 0, SEEK_END);
		end = ftell(out);
		fprintf(out,
			"{\"v\":1,\"event\":\"done\",\"time_ms\":2,\"state\":\"%s\","
			"\"skipped\":false,\"next\":%u}\n",
			next == 4 ? "done" : "running", next);
		fclose(out);
		r = job_load(folder, &job, NULL);
		job_free(job);
		/* one line that cannot be is the end of what is believed, or of all of it */
		if (next == 1)
			assert_int_equal(r, 0);
		else
			assert_int_equal(r, -EBADMSG);
		assert_int_equal(truncate(path, end), 0);
	}
}

int main(void)
{
#define BED(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		BED(test_healthy_phone_needs_no_rung),
		BED(test_the_rung_that_helps_is_the_last),
		BED(test_rung_after_rung_in_vain),
		BED(test_policy_ends_the_ladder),
		BED(test_only_the_person_unlocks),
		BED(test_a_rung_is_not_repeated),
		BED(test_cable_in_a_rung),
		BED(test_replug_that_is_passed_over),
		BED(test_dialog_after_the_replug),
		BED(test_a_step_that_is_needed_is_not_passed_over),
		BED(test_what_a_swap_found_is_told),
		BED(test_forged_jump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
