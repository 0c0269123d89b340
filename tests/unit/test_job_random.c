/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Jobs whose steps end at random, whose person answers and cancels at random, and whose machine
 * loses power at any byte of what is being written: afterwards the job stands before or after the
 * call, nowhere else; no erase begins without a consent; it ends exactly once.
 */
#include "base/file.h"
#include "doctor_fixture.h"
#include <errno.h>
#include <fcntl.h>

enum { JOBS = 120, CALLS_MAX = 1000 };

struct draw {
	uint64_t state;
};

static uint64_t draw(struct draw *draw, uint64_t below)
{
	uint64_t z = (draw->state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) % below;
}

/* Where the last whole line of the journal ends. */
static off_t journal_end(const char *folder, char *path, size_t bytes)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int fd;

	snprintf(path, bytes, "%s/journal.jsonl", folder);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_read_whole(fd, 1 << 24, &text, &n), 0);
	close(fd);
	while (n > 0 && text[n - 1] != '\n')
		n--;
	return (off_t)n;
}

static struct job *load(const char *folder)
{
	struct job *job = NULL;
	struct error err = { 0 };

	if (job_load(folder, &job, &err) < 0)
		fail_msg("%s", err.text);
	return job;
}

static struct job *create(struct draw *random, const char *folder)
{
	enum goal goal = (enum goal)draw(random, GOAL_MAX);
	enum mode mode =
	    goal == GOAL_EXIT_RECOVERY || draw(random, 2) ? MODE_RECOVERY : MODE_NORMAL;
	struct job *job = NULL;
	struct plan plan;

	if (goal <= GOAL_ENTER_RECOVERY)
		mode = MODE_NORMAL;
	if (goal == GOAL_EXIT_RECOVERY)
		mode = MODE_RECOVERY;
	plan = doctor_plan(goal, mode);
	assert_int_equal(
	    job_create(folder, &plan, plan_erases(&plan) ? plan.confirm : NULL, &job, NULL), 0);
	return job;
}

static void note_trust(struct draw *random, struct job *job)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	const char *word = trust_name((enum trust)draw(random, TRUST_MAX));

	assert_true(sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("trust", word)) >= 0);
	assert_int_equal(job_note(job, "trust", fields), 0);
}

/* What the running step comes to. */
static void outcome(struct draw *random, struct job *job)
{
	static const enum error_kind kinds[] = { ERROR_ENGINE,     ERROR_UNPLUGGED, ERROR_SILENT,
						 ERROR_NOT_SIGNED, ERROR_REFUSED,   ERROR_NETWORK,
						 ERROR_NO_PHONE };
	struct error why;

	error_set(&why, kinds[draw(random, ARRAY_LEN(kinds))], "test", 0, "drawn");
	switch (draw(random, 11)) {
	case 0:
		assert_int_equal(job_step_failed(job, &why, draw(random, 2)), 0);
		break;
	case 1:
		assert_int_equal(job_note(job, "note", NULL), 0);
		break;
	case 2:
		(void)job_touched(job);
		break;
	case 3:
		(void)job_cancel(job, NULL);
		break;
	case 4:
		assert_int_equal(job_step_passed(job, "drawn"),
				 job_plan(job)->steps[job_step(job)].optional ? 0 : -EINVAL);
		break;
	case 5:
		note_trust(random, job);
		break;
	case 6:
		assert_int_equal(job_pause(job, NULL),
				 job_plan(job)->steps[job_step(job)].kind == STEP_FETCH ? 0
											: -EBUSY);
		break;
	default:
		assert_int_equal(job_step_done(job, NULL, draw(random, 4) == 0), 0);
	}
}

static void begin_step(struct job *job)
{
	const struct plan *plan = job_plan(job);
	bool erases = step_fact(plan->steps[job_step(job)].kind)->data == DATA_ERASED;
	bool consented = job_erase_consented(job);
	int r = job_step_begin(job, NULL);

	if (erases)
		assert_true(consented == (r == 0) || job_state(job) == JOB_FAILED);
	if (r < 0)
		assert_true(job_state_is_end(job_state(job)) || job_state(job) == JOB_RUNNING);
}

static void one_call(struct draw *random, struct job *job)
{
	switch (job_next(job)) {
	case JOB_ACTION_BEGIN_STEP:
		if (draw(random, 12) == 0)
			(void)job_cancel(job, NULL);
		else
			begin_step(job);
		break;
	case JOB_ACTION_FOLLOW_STEP:
		if (draw(random, 10) == 0)
			begin_step(job);
		else
			outcome(random, job);
		break;
	case JOB_ACTION_AWAIT_PHONE:
		assert_int_equal(job_phone_back(job, draw(random, 3) > 0), 0);
		break;
	case JOB_ACTION_AWAIT_ANSWER:
		if (draw(random, 3) > 0)
			assert_int_equal(job_answer(job, job_question(job)->plan.confirm, NULL), 0);
		else
			assert_int_equal(job_answer(job, NULL, NULL), 0);
		break;
	case JOB_ACTION_AWAIT_RESUME:
		if (draw(random, 4) == 0)
			(void)job_cancel(job, NULL);
		else
			assert_int_equal(job_resume(job, NULL), 0);
		break;
	case JOB_ACTION_NONE:
		fail();
	}
}

/* Power is lost while the last line is written; returns the job as it is found again. */
static struct job *lose_power(struct draw *random, struct job *job, const char *before, off_t was)
{
	_cleanup_free_ char *folder = strdup(job_folder(job)), *after = doctor_job_text(job);
	_cleanup_free_ char *found = NULL;
	char path[256];
	off_t now = journal_end(folder, path, sizeof(path));
	off_t keep = was + (off_t)draw(random, (uint64_t)(now - was) + 1);

	job_free(job);
	assert_int_equal(truncate(path, keep), 0);
	job = load(folder);
	found = doctor_job_text(job);
	assert_string_equal(found, keep == now ? after : before);
	return job;
}

/* Returns the state it ends in. */
static enum job_state carry_out(struct draw *random, const char *jobs)
{
	struct job *job = create(random, jobs);
	unsigned ends = 0;
	enum job_state end;
	char path[256];

	for (int i = 0; i < CALLS_MAX && !job_state_is_end(job_state(job)); i++) {
		_cleanup_free_ char *before = doctor_job_text(job);
		off_t was = journal_end(job_folder(job), path, sizeof(path));

		one_call(random, job);
		ends += job_state_is_end(job_state(job));
		if (draw(random, 2) == 0) {
			ends -= job_state_is_end(job_state(job));
			job = lose_power(random, job, before, was);
			ends += job_state_is_end(job_state(job));
		}
	}
	end = job_state(job);
	assert_int_equal(ends, 1);
	assert_int_equal(job_next(job), JOB_ACTION_NONE);
	assert_int_equal(job_step_begin(job, NULL), -EINVAL);
	assert_int_equal(job_step_done(job, NULL, false), -EINVAL);
	assert_int_equal(job_cancel(job, NULL), -EBUSY);
	assert_int_equal(job_note(job, "note", NULL), -EINVAL);
	assert_int_equal(job_state(job), end);
	job_free(job);
	return end;
}

static void test_random(void **state)
{
	struct draw random = { 404 };
	unsigned ended[JOB_STATE_MAX] = { 0 };
	char jobs[64];

	doctor_folder(jobs);
	for (int i = 0; i < JOBS; i++)
		ended[carry_out(&random, jobs)]++;
	doctor_remove(jobs);
	assert_true(ended[JOB_DONE] > 0 && ended[JOB_FAILED] > 0 && ended[JOB_CANCELLED] > 0);
	assert_int_equal(ended[JOB_DONE] + ended[JOB_FAILED] + ended[JOB_CANCELLED], JOBS);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
