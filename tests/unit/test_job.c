/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/object.h"
#include "doctor_fixture.h"
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const struct error failure_engine = {
	.kind = ERROR_ENGINE, .origin = "idevicerestore", .code = 255, .text = "status 14"
};
static const struct error failure_cable = { .kind = ERROR_UNPLUGGED,
					    .origin = "service",
					    .text = "the phone left" };
static const struct error failure_signing = {
	.kind = ERROR_NOT_SIGNED, .origin = "idevicerestore", .code = 94, .text = "not signed"
};

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

static struct job *start(struct bed *bed, enum goal goal, enum mode mode, const char *consented)
{
	struct plan plan = doctor_plan(goal, mode);
	struct error err = { 0 };

	if (job_create(bed->folder, &plan, consented, &bed->job, &err) < 0)
		fail_msg("%s", err.text);
	return bed->job;
}

/* Carries it out until the present step is of this kind, and begins that one. */
static void begin(struct job *job, enum step_kind kind)
{
	for (;;) {
		assert_int_equal(job_next(job), JOB_ACTION_BEGIN_STEP);
		assert_int_equal(job_step_begin(job, NULL), 0);
		if (job_plan(job)->steps[job_step(job)].kind == kind)
			return;
		assert_int_equal(job_step_done(job, NULL, false), 0);
	}
}

static void finish(struct job *job)
{
	while (job_next(job) == JOB_ACTION_BEGIN_STEP) {
		assert_int_equal(job_step_begin(job, NULL), 0);
		assert_int_equal(job_step_done(job, NULL, false), 0);
	}
}

/* Loads it anew: it must stand where it stood. */
static struct job *reload(struct bed *bed)
{
	_cleanup_free_ char *before = doctor_job_text(bed->job), *after = NULL;
	_cleanup_free_ char *folder = strdup(job_folder(bed->job));
	struct error err = { 0 };

	bed->job = job_free(bed->job);
	if (job_load(folder, &bed->job, &err) < 0)
		fail_msg("%s", err.text);
	after = doctor_job_text(bed->job);
	assert_string_equal(before, after);
	return bed->job;
}

static void test_update_succeeds(void **state)
{
	struct job *job = start(*state, GOAL_UPDATE, MODE_NORMAL, NULL);

	assert_int_equal(strlen(job_id(job)), strlen("20261122-0612-x4k7"));
	assert_int_equal(job_state(job), JOB_READY);
	begin(job, STEP_UPDATE);
	assert_int_equal(job_engine(job), 1);
	assert_int_equal(job_touched(job), 0);
	assert_true(job_is_touched(job));
	job = reload(*state);
	assert_true(job_is_touched(job));
	assert_int_equal(job_next(job), JOB_ACTION_FOLLOW_STEP);
	assert_int_equal(job_cancel(job, NULL), -EBUSY);
	assert_int_equal(job_step_done(job, NULL, false), 0);
	finish(job);
	assert_int_equal(job_state(job), JOB_DONE);
	assert_int_equal(job_next(job), JOB_ACTION_NONE);
	reload(*state);
}

/* What was paused stays so, also for a service that starts anew; then the same attempt goes on. */
static void test_pause(void **state)
{
	struct job *job = start(*state, GOAL_UPDATE, MODE_NORMAL, NULL);
	struct error err = { 0 };

	assert_int_equal(job_pause(job, &err), -EBUSY); /* it has not begun */
	begin(job, STEP_NETWORK);
	assert_int_equal(job_pause(job, &err), -EBUSY);
	assert_non_null(strstr(err.text, "only a download"));
	assert_int_equal(job_resume(job, &err), -EBUSY);
	assert_int_equal(job_step_done(job, NULL, false), 0);
	begin(job, STEP_FETCH);
	assert_int_equal(job_pause(job, &err), 0);
	assert_int_equal(job_state(job), JOB_PAUSED);
	job = reload(*state);
	assert_int_equal(job_next(job), JOB_ACTION_AWAIT_RESUME);
	assert_int_equal(job_pause(job, &err), -EBUSY);
	assert_int_equal(job_step_begin(job, NULL), -EINVAL);
	assert_int_equal(job_step_done(job, NULL, false), -EINVAL);
	assert_int_equal(job_step_failed(job, &failure_cable, true), -EINVAL);
	assert_int_equal(job_note(job, "phone-left", NULL), 0);
	assert_int_equal(job_resume(job, &err), 0);
	job = reload(*state);
	assert_int_equal(job_next(job), JOB_ACTION_FOLLOW_STEP);
	assert_int_equal(job_attempt(job), 1);
	assert_int_equal(job_step_begin(job, NULL), 0);
	assert_int_equal(job_step_done(job, NULL, false), 0);
	finish(job);
	assert_int_equal(job_state(job), JOB_DONE);
	assert_int_equal(job_pause(job, &err), -EBUSY);
	assert_int_equal(job_resume(job, &err), -EBUSY);
}

/* As if this computer had been switched off and on: another boot wrote the first record. */
static struct job *load_in_other_boot(struct bed *bed)
{
	_cleanup_free_ char *folder = strdup(job_folder(bed->job)), *path = NULL;
	struct error err = { 0 };
	FILE *file;
	char *boot;
	char text[64 * 1024] = "";

	bed->job = job_free(bed->job);
	assert_true(asprintf(&path, "%s/journal.jsonl", folder) > 0);
	file = fopen(path, "r+");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	boot = strstr(text, "\"boot\":\"");
	assert_non_null(boot);
	boot += strlen("\"boot\":\"");
	*boot = *boot == '0' ? '1' : '0';
	rewind(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
	if (job_load(folder, &bed->job, &err) < 0)
		fail_msg("%s", err.text);
	return bed->job;
}

/* Nothing goes on by itself after the computer was switched off; an engine that ran may have done
 * anything. */
static void test_other_boot(void **state)
{
	static const struct {
		enum step_kind step;
		const char *data;
	} rows[] = {
		{ STEP_FETCH, "\"data\":\"kept\"" },
		{ STEP_ERASE, "\"data\":\"erased\"" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		_cleanup_free_ char *text = NULL;
		struct bed *bed = *state;
		struct job *job = start(bed, GOAL_ERASE, MODE_RECOVERY, "JC67");

		begin(job, rows[i].step);
		assert_false(job_is_of_other_boot(job));
		assert_false(job_is_of_other_boot(reload(bed)));
		job = load_in_other_boot(bed);
		assert_true(job_is_of_other_boot(job));
		assert_int_equal(job_next(job), JOB_ACTION_FOLLOW_STEP);
		assert_int_equal(job_strand(job), 0);
		assert_int_equal(job_state(job), JOB_FAILED);
		assert_int_equal(job_next(job), JOB_ACTION_NONE);
		assert_int_equal(job_strand(job), -EINVAL);
		text = doctor_job_text(reload(bed));
		assert_non_null(strstr(text, rows[i].data));
		assert_non_null(strstr(text, "was switched off"));
		bed->job = job_free(bed->job);
	}
}

/* The question of a job that asked is gone with its boot. */
static void test_other_boot_while_asking(void **state)
{
	struct job *job = start(*state, GOAL_UPDATE, MODE_RECOVERY, NULL);

	begin(job, STEP_UPDATE);
	assert_int_equal(job_step_failed(job, &failure_engine, false), 0);
	assert_int_equal(job_state(job), JOB_ASKING);
	job = load_in_other_boot(*state);
	assert_int_equal(job_strand(job), 0);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_null(job_question(job));
	reload(*state);
}

static void test_cancelled_while_paused(void **state)
{
	struct job *job = start(*state, GOAL_ERASE, MODE_RECOVERY, "JC67");

	begin(job, STEP_FETCH);
	assert_int_equal(job_pause(job, NULL), 0);
	assert_int_equal(job_cancel(job, NULL), 0);
	assert_int_equal(job_state(job), JOB_CANCELLED);
	reload(*state);
}

static void test_erase_needs_consent(void **state)
{
	struct bed *bed = *state;
	struct plan plan = doctor_plan(GOAL_ERASE, MODE_RECOVERY);
	struct error err = { 0 };

	assert_int_equal(job_create(bed->folder, &plan, NULL, &bed->job, &err), -EPERM);
	assert_int_equal(err.kind, ERROR_NO_CONSENT);
	assert_int_equal(job_create(bed->folder, &plan, "0000", &bed->job, &err), -EPERM);
	assert_int_equal(rmdir(bed->folder), 0); /* nothing was left in it */
	assert_int_equal(mkdir(bed->folder, 0700), 0);
	start(bed, GOAL_ERASE, MODE_RECOVERY, "jc67");
	begin(bed->job, STEP_ERASE);
	assert_string_equal(job_consent(bed->job), "jc67");
	assert_int_equal(job_touched(bed->job), 0);
	assert_int_equal(job_step_done(bed->job, NULL, false), 0);
	finish(bed->job);
	assert_int_equal(job_state(bed->job), JOB_DONE);
}

static void test_update_asks_and_erases(void **state)
{
	struct job *job = start(*state, GOAL_UPDATE, MODE_RECOVERY, NULL);

	begin(job, STEP_UPDATE);
	assert_int_equal(job_touched(job), 0);
	assert_int_equal(job_step_failed(job, &failure_engine, true), 0);
	assert_int_equal(job_next(job), JOB_ACTION_BEGIN_STEP);
	assert_int_equal(job_attempt(job), 2);
	assert_int_equal(job_step_begin(job, NULL), 0);
	assert_int_equal(job_step_failed(job, &failure_engine, true), 0);
	assert_int_equal(job_state(job), JOB_ASKING);
	job = reload(*state);
	assert_string_equal(job_question(job)->id, "question-erase-after-update");
	assert_true(plan_erases(&job_question(job)->plan));
	assert_int_equal(job_answer(job, "0000", NULL), -EPERM);
	assert_int_equal(job_state(job), JOB_ASKING);
	assert_int_equal(job_answer(job, "JC67", NULL), 0);
	assert_true(job_erase_consented(job));
	assert_int_equal(job_plan(job)->goal, GOAL_ERASE);
	job = reload(*state);
	begin(job, STEP_ERASE);
	assert_int_equal(job_engine(job), 3);
	assert_int_equal(job_touched(job), 0);
	assert_int_equal(job_step_done(job, NULL, false), 0);
	finish(reload(*state));
	assert_int_equal(job_state(((struct bed *)*state)->job), JOB_DONE);
}

static void test_no_is_no(void **state)
{
	struct job *job = start(*state, GOAL_UPDATE, MODE_RECOVERY, NULL);

	begin(job, STEP_UPDATE);
	assert_int_equal(job_touched(job), 0);
	assert_int_equal(job_step_failed(job, &failure_engine, false), 0);
	assert_int_equal(job_answer(job, NULL, NULL), 0);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_int_equal(job_error(job)->kind, ERROR_ENGINE);
	assert_int_equal(job_answer(job, "JC67", NULL), -EINVAL);
	reload(*state);
}

static void test_failures_that_do_not_ask(void **state)
{
	struct job *job = start(*state, GOAL_UPDATE, MODE_RECOVERY, NULL);

	begin(job, STEP_UPDATE);
	assert_int_equal(job_step_failed(job, &failure_signing, false), 0);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_int_equal(job_error(job)->kind, ERROR_NOT_SIGNED);
	reload(*state);
}

/* A phone that we put into recovery and never changed goes back, whatever else failed. */
static void test_closing_step(void **state)
{
	struct job *job = start(*state, GOAL_UPDATE, MODE_NORMAL, NULL);

	begin(job, STEP_UPDATE);
	assert_int_equal(job_step_failed(job, &failure_signing, false), 0);
	assert_int_equal(job_state(job), JOB_RUNNING);
	job = reload(*state);
	assert_int_equal(job_plan(job)->steps[job_step(job)].kind, STEP_EXIT_RECOVERY);
	assert_int_equal(job_cancel(job, NULL), -EBUSY);
	begin(job, STEP_EXIT_RECOVERY);
	assert_int_equal(job_step_failed(job, &failure_cable, true), 0);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_int_equal(job_error(job)->kind, ERROR_NOT_SIGNED);
}

static void test_cancel(void **state)
{
	struct job *job = start(*state, GOAL_UPDATE, MODE_NORMAL, NULL);

	begin(job, STEP_UPDATE);
	assert_int_equal(job_cancel(job, NULL), 0);
	assert_int_equal(job_state(job), JOB_RUNNING);
	begin(job, STEP_EXIT_RECOVERY);
	assert_int_equal(job_step_done(reload(*state), NULL, false), 0);
	job = reload(*state);
	assert_int_equal(job_state(job), JOB_CANCELLED);
	assert_int_equal(job_cancel(job, NULL), -EBUSY);
}

static void test_step_that_cannot_be_cancelled(void **state)
{
	struct job *job = start(*state, GOAL_TRUST, MODE_NORMAL, NULL);
	struct error err;

	begin(job, STEP_FORGET_RECORD);
	assert_int_equal(job_cancel(job, &err), -EBUSY);
	assert_int_equal(err.kind, ERROR_REFUSED);
	assert_int_equal(job_step_done(job, NULL, false), 0);
	assert_int_equal(job_cancel(job, NULL), 0);
	assert_int_equal(job_state(job), JOB_CANCELLED);
}

static void test_cable(void **state)
{
	struct job *job = start(*state, GOAL_UPDATE, MODE_RECOVERY, NULL);

	begin(job, STEP_UPDATE);
	assert_int_equal(job_step_failed(job, &failure_cable, true), 0);
	assert_int_equal(job_next(job), JOB_ACTION_AWAIT_PHONE);
	assert_int_equal(job_step_begin(job, NULL), -EINVAL);
	job = reload(*state);
	assert_int_equal(job_phone_back(job, true), 0);
	assert_int_equal(job_next(job), JOB_ACTION_BEGIN_STEP);
	assert_int_equal(job_step_begin(job, NULL), 0);
	assert_int_equal(job_attempt(job), 2);
}

static void test_phone_that_does_not_come_back(void **state)
{
	struct job *job = start(*state, GOAL_UPDATE, MODE_RECOVERY, NULL);

	begin(job, STEP_UPDATE);
	assert_int_equal(job_step_failed(job, &failure_cable, true), 0);
	assert_int_equal(job_phone_back(job, false), 0);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_int_equal(error_exit_status(job_error(job)->kind), 11);
	reload(*state);
}

static void test_optional_step_is_passed_over(void **state)
{
	struct job *job = start(*state, GOAL_UPDATE, MODE_RECOVERY, NULL);

	begin(job, STEP_PAIR);
	assert_int_equal(job_step_failed(job, &failure_engine, false), 0);
	begin(job, STEP_VERIFY_TRUST);
	assert_int_equal(job_step_failed(reload(*state), &failure_engine, false), 0);
	assert_int_equal(job_state(((struct bed *)*state)->job), JOB_DONE);
}

static void test_begun_again_is_the_same_attempt(void **state)
{
	struct job *job = start(*state, GOAL_UPDATE, MODE_RECOVERY, NULL);

	begin(job, STEP_CHECK);
	for (int i = 0; i < 20; i++) {
		job = reload(*state);
		assert_int_equal(job_next(job), JOB_ACTION_FOLLOW_STEP);
		assert_int_equal(job_step_begin(job, NULL), 0);
		assert_int_equal(job_attempt(job), 1);
	}
	assert_int_equal(job_step_done(job, NULL, false), 0);
	for (unsigned i = 1; i <= JOB_ENGINES_MAX; i++) {
		assert_int_equal(job_step_begin(job, NULL), 0);
		assert_int_equal(job_engine(job), i);
	}
	assert_int_equal(job_step_begin(job, NULL), -EIO);
	assert_int_equal(job_state(reload(*state)), JOB_FAILED);
}

static void test_facts(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *facts = NULL;
	_cleanup_free_ char *text = NULL;
	struct job *job = start(*state, GOAL_UPDATE, MODE_RECOVERY, NULL);

	begin(job, STEP_FETCH);
	assert_true(sd_json_parse("{\"firmware\":{\"build\":\"99Z1\",\"path\":\"/data/x.ipsw\","
				  "\"verified\":true},\"proof\":{\"name\":\"Anna\"}}",
				  0, &facts, NULL, NULL) >= 0);
	assert_int_equal(job_step_done(job, facts, false), 0);
	job = reload(*state);
	assert_string_equal(job_plan(job)->firmware.path, "/data/x.ipsw");
	assert_true(job_plan(job)->firmware.verified);
	/* another build than was planned and agreed to is not taken */
	assert_string_equal(job_plan(job)->firmware.build, "21F90");
	assert_true(sd_json_variant_equal(job_facts(job, STEP_FETCH), facts));
	text = doctor_job_text(job);
	assert_non_null(strstr(text, "\"proof\":{\"name\":\"Anna\"}"));
}

static void test_notes(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	_cleanup_free_ char *text = NULL;
	struct job *job = start(*state, GOAL_TRUST, MODE_NORMAL, NULL);

	begin(job, STEP_PAIR);
	assert_true(sd_json_parse("{\"trust\":\"locked\"}", 0, &fields, NULL, NULL) >= 0);
	assert_int_equal(job_note(job, "trust", fields), 0);
	text = doctor_job_text(reload(*state));
	assert_non_null(strstr(text, "\"trust\":\"locked\""));
	job = ((struct bed *)*state)->job;
	for (int i = 1; i < 1000; i++)
		assert_int_equal(job_note(job, "phone-left", NULL), 0);
	assert_int_equal(job_note(job, "phone-left", NULL), -ENOBUFS);
}

/* Journals that nobody of ours wrote. */
static int load_text(struct bed *bed, const char *text)
{
	struct job *job = NULL;
	char path[128];
	FILE *out;
	int r;

	snprintf(path, sizeof(path), "%s/journal.jsonl", bed->folder);
	out = fopen(path, "w");
	fputs(text, out);
	fclose(out);
	r = job_load(bed->folder, &job, NULL);
	job_free(job);
	return r;
}

static void test_no_journal(void **state)
{
	struct bed *bed = *state;
	struct error err = { 0 };

	assert_int_equal(job_load(bed->folder, &bed->job, &err), -ENOENT);
	assert_int_equal(err.kind, ERROR_BAD_FILE);
	assert_int_equal(load_text(bed, ""), -EBADMSG);
	assert_int_equal(load_text(bed, "{"), -EBADMSG);
	assert_int_equal(load_text(bed, "{}\n{}\n"), -EBADMSG);
	assert_int_equal(load_text(bed, "nonsense\nnonsense\n"), -EBADMSG);
}

/* A begin of an erase without a consent is no journal of ours. */
static void test_forged_begin(void **state)
{
	struct bed *bed = *state;
	struct plan plan = doctor_plan(GOAL_ERASE, MODE_RECOVERY);
	struct object record = { 0 };
	sd_json_variant *field = NULL, *created = NULL;
	_cleanup_free_ char *text = NULL, *whole = NULL;
	struct job *job = NULL;

	for (size_t i = 0; i < plan.step_count; i++)
		if (plan.steps[i].kind == STEP_ERASE)
			plan.steps[0] = plan.steps[i]; /* the erase first */
	object_text(&record, "event", "created");
	object_number(&record, "time_ms", 1);
	object_text(&record, "state", "ready");
	object_text(&record, "id", "20261122-0612-x4k7");
	assert_int_equal(plan_to_record(&plan, &field), 0);
	object_take(&record, "plan", field);
	assert_int_equal(object_end(&record, &created), 0);
	assert_true(sd_json_variant_format(created, 0, &text) >= 0);
	sd_json_variant_unref(created);
	assert_true(asprintf(&whole, "%s\n", text) > 0);
	assert_int_equal(load_text(bed, whole), 0);
	assert_int_equal(job_load(bed->folder, &job, NULL), 0);
	assert_int_equal(job_step_begin(job, NULL), -EPERM);
	assert_int_equal(job_state(job), JOB_FAILED);
	job_free(job);
	free(whole);
	assert_true(asprintf(&whole,
			     "%s\n{\"event\":\"begin\",\"time_ms\":2,\"state\":\"running\","
			     "\"step\":0,\"kind\":\"erase\",\"attempt\":1,\"engine\":1}\n",
			     text) > 0);
	assert_int_equal(load_text(bed, whole), -EBADMSG);
}

/* The disk is full: what has happened counts, nothing new begins, and the file stays readable. */
static void test_journal_that_cannot_be_written(void **state)
{
	struct job *job = start(*state, GOAL_UPDATE, MODE_RECOVERY, NULL);
	struct rlimit before, none;
	struct error err = { 0 };
	char folder[128];

	strcpy(folder, job_folder(job));
	begin(job, STEP_CHECK);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	none = (struct rlimit){ .rlim_cur = 1, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_equal(job_step_done(job, NULL, false), 0);
	assert_int_equal(job_state(job), JOB_RUNNING);
	assert_true(job_step_begin(job, &err) < 0);
	assert_int_equal(err.kind, ERROR_NO_SPACE);
	assert_int_equal(job_state(job), JOB_FAILED);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	((struct bed *)*state)->job = job_free(job);
	assert_int_equal(job_load(folder, &((struct bed *)*state)->job, NULL), 0);
	assert_int_equal(job_next(((struct bed *)*state)->job), JOB_ACTION_FOLLOW_STEP);
}

static void test_folder_that_cannot_be_written(void **state)
{
	struct plan plan = doctor_plan(GOAL_TRUST, MODE_NORMAL);
	struct error err = { 0 };
	struct job *job = NULL;

	assert_int_equal(job_create("/proc", &plan, NULL, &job, &err), -ENOENT);
	assert_int_equal(err.kind, ERROR_BUG);
	assert_null(job);
}

int main(void)
{
#define BED(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		BED(test_update_succeeds),
		BED(test_pause),
		BED(test_cancelled_while_paused),
		BED(test_other_boot),
		BED(test_other_boot_while_asking),
		BED(test_erase_needs_consent),
		BED(test_update_asks_and_erases),
		BED(test_no_is_no),
		BED(test_failures_that_do_not_ask),
		BED(test_closing_step),
		BED(test_cancel),
		BED(test_step_that_cannot_be_cancelled),
		BED(test_cable),
		BED(test_phone_that_does_not_come_back),
		BED(test_optional_step_is_passed_over),
		BED(test_begun_again_is_the_same_attempt),
		BED(test_facts),
		BED(test_notes),
		BED(test_no_journal),
		BED(test_forged_begin),
		BED(test_journal_that_cannot_be_written),
		BED(test_folder_that_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
