/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rules of a job: what may be said to it, and what follows. Owns the job's folder and journal.
 *
 *   call ─▶ may it? what follows? ─▶ record ─▶ job_enter(): journal, synced ─▶ job_apply(): memory
 *                                                                                  ▲
 *   job_load() ─▶ each line of the journal ────────────────────────────────────────┘
 *
 * Invariants: a call writes one record, so a crash leaves the job before or after it. Memory only
 * changes through job_apply(), so what was loaded is what was there. A step begins only after its
 * record is on the disk; what has happened is taken in even if it cannot be written any more.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/object.h"
#include "base/text.h"
#include "doctor/job_memory.h"
#include "doctor/ladder.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

const char *job_state_name(enum job_state state)
{
	static const char *const names[JOB_STATE_MAX] = {
		[JOB_DRAFT] = "draft",         [JOB_READY] = "ready",   [JOB_RUNNING] = "running",
		[JOB_ASKING] = "asking",       [JOB_DONE] = "done",     [JOB_FAILED] = "failed",
		[JOB_CANCELLED] = "cancelled", [JOB_PAUSED] = "paused",
	};

	return names[state];
}

const char *step_state_name(enum step_state state)
{
	static const char *const names[STEP_STATE_MAX] = {
		[STEP_WAITING] = "waiting", [STEP_RUNNING] = "running", [STEP_DONE] = "done",
		[STEP_SKIPPED] = "skipped", [STEP_FAILED] = "failed",
	};

	return names[state];
}

/* --- looking */

const char *job_id(const struct job *job)
{
	return job->id;
}

const char *job_folder(const struct job *job)
{
	return job->folder;
}

enum job_state job_state(const struct job *job)
{
	return job->state;
}

bool job_is_of_other_boot(const struct job *job)
{
	return job->other_boot;
}

const struct plan *job_plan(const struct job *job)
{
	return &job->plan;
}

size_t job_step(const struct job *job)
{
	return job->step;
}

unsigned job_attempt(const struct job *job)
{
	return job->attempt;
}

unsigned job_engine(const struct job *job)
{
	return job->engines;
}

const struct question *job_question(const struct job *job)
{
	return job->state == JOB_ASKING ? &job->question : NULL;
}

const struct error *job_error(const struct job *job)
{
	return &job->error;
}

bool job_is_touched(const struct job *job)
{
	return job->touched;
}

const char *job_consent(const struct job *job)
{
	return job->consented;
}

bool job_erase_consented(const struct job *job)
{
	return plan_erases(&job->plan) && job->plan.confirm[0] != '\0' &&
	       text_equal_fold(job->consented, job->plan.confirm);
}

sd_json_variant *job_facts(const struct job *job, enum step_kind kind)
{
	return sd_json_variant_by_key(job->facts, step_name(kind));
}

enum job_action job_next(const struct job *job)
{
	switch (job->state) {
	case JOB_READY:
		return JOB_ACTION_BEGIN_STEP;
	case JOB_RUNNING:
		if (job->awaiting)
			return JOB_ACTION_AWAIT_PHONE;
		if (job->steps[job->step].state == STEP_RUNNING)
			return JOB_ACTION_FOLLOW_STEP;
		return JOB_ACTION_BEGIN_STEP;
	case JOB_ASKING:
		return JOB_ACTION_AWAIT_ANSWER;
	case JOB_PAUSED:
		return JOB_ACTION_AWAIT_RESUME;
	case JOB_DRAFT:
	case JOB_DONE:
	case JOB_FAILED:
	case JOB_CANCELLED:
	case JOB_STATE_MAX:
		break;
	}
	return JOB_ACTION_NONE;
}

/* --- writing */

static struct object record_new(const char *event)
{
	struct object record = { 0 };

	object_number(&record, "v", 1);
	object_text(&record, "event", event);
	return record;
}

/*
 * The way into every state: the record goes into the journal, then into memory. `must`: it may not
 * happen without the journal. Returns 0 or a negative errno, and nothing has changed then.
 */
static int job_enter(struct job *job, struct object *record, enum job_state state, bool must)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	int r;

	object_number(record, "time_ms", clock_wall_ms());
	object_text(record, "state", job_state_name(state));
	r = object_end(record, &line);
	if (r < 0)
		return r;
	r = job->lost < 0 ? job->lost : journal_append(&job->journal, line);
	if (r == -EMSGSIZE || (r < 0 && must))
		return r;
	if (r < 0 && job->lost == 0) {
		job->lost = r;
		log_error("job %s: its journal cannot be written any more: %s", job->id,
			  strerror(-r));
	}
	return job_apply(job, line);
}

/* --- steps */

/* Closing a job is for a phone that we put into recovery and nobody has changed. */
static bool needs_closing(const struct job *job)
{
	return job->into_recovery && !job->ever_touched && job->closing == JOB_STATE_MAX &&
	       job->plan.goal != GOAL_ENTER_RECOVERY && job->lost == 0 &&
	       job->plan.step_count < PLAN_STEPS_MAX;
}

/* Ends the job (by way of its closing step) with the record in the making. */
static int enter_end(struct job *job, struct object *record, enum job_state end)
{
	bool closing = needs_closing(job);

	object_text(record, "then", closing ? "close" : "end");
	return job_enter(job, record, closing ? JOB_RUNNING : end, false);
}

/* The step cannot begin: the job has failed, in memory at least. Returns r. */
static int fail_begin(struct job *job, const struct error *why, int r)
{
	struct object record = record_new("begin-failed");
	int failed;

	object_error(&record, "error", why);
	failed = enter_end(job, &record, job->closing != JOB_STATE_MAX ? job->closing : JOB_FAILED);
	return failed < 0 ? failed : r;
}

int job_step_begin(struct job *job, struct error *err)
{
	enum step_kind kind = job->plan.steps[job->step].kind;
	enum job_action action = job_next(job);
	struct object record;
	struct error why;
	int r;

	if (action != JOB_ACTION_BEGIN_STEP && action != JOB_ACTION_FOLLOW_STEP)
		return error_set(err, ERROR_BUG, "job", 0, "no step is to begin"), -EINVAL;
	if (step_fact(kind)->data == DATA_ERASED && !job_erase_consented(job)) {
		r = error_set(&why, ERROR_NO_CONSENT, "job", 0,
			      "this step erases the phone and nobody has consented to it");
	} else if (step_is_engine(kind) && job->engines >= JOB_ENGINES_MAX) {
		r = error_set(&why, ERROR_ENGINE, "job", 0,
			      "the installation was started %d times and never ended",
			      JOB_ENGINES_MAX);
	} else {
		record = record_new("begin");
		object_number(&record, "step", job->step);
		object_text(&record, "kind", step_name(kind));
		object_number(&record, "attempt", job->attempt);
		if (step_is_engine(kind))
			object_number(&record, "engine", job->engines + 1);
		r = job_enter(job, &record, JOB_RUNNING, true);
		if (r >= 0)
			return 0;
		error_set_errno(&why, r == -ENOSPC || r == -EFBIG ? ERROR_NO_SPACE : ERROR_BUG,
				"job", -r, "the job's journal cannot be written");
	}
	if (err)
		*err = why;
	return fail_begin(job, &why, r);
}

int job_touched(struct job *job)
{
	struct object record = record_new("touched");

	if (job_next(job) != JOB_ACTION_FOLLOW_STEP ||
	    !step_is_engine(job->plan.steps[job->step].kind) || job->touched) {
		object_done(&record);
		return job->touched ? 0 : -EINVAL;
	}
	return job_enter(job, &record, JOB_RUNNING, false);
}

/* Which step follows, for the record in the making; returns the state after it. */
static enum job_state put_next(const struct job *job, struct object *record, enum ladder_end end)
{
	const struct message *message;
	const char *why;
	size_t next = ladder_next(&job->plan, job->step, end, &why);

	if (why) {
		message = message_find(why);
		object_number(record, "next", next);
		object_text(record, "passed", message ? message->text : why);
	}
	return job_state_before(job, next);
}

int job_step_done(struct job *job, sd_json_variant *facts, bool skipped)
{
	enum ladder_end end = LADDER_DONE;
	struct object record;
	bool healthy = false;

	if (job_next(job) != JOB_ACTION_FOLLOW_STEP || (facts && !sd_json_variant_is_object(facts)))
		return -EINVAL;
	record = record_new("done");
	object_flag(&record, "skipped", skipped);
	object_take(&record, "facts", sd_json_variant_ref(facts));
	(void)object_read_flag(facts, "healthy", &healthy);
	if (healthy && !skipped && job->plan.steps[job->step].kind == STEP_LOOK)
		end = LADDER_HEALTHY;
	return job_enter(job, &record, put_next(job, &record, end), false);
}

int job_step_passed(struct job *job, const char *reason)
{
	struct object record;

	if (job_next(job) != JOB_ACTION_FOLLOW_STEP || !job->plan.steps[job->step].optional)
		return -EINVAL;
	record = record_new("done");
	object_flag(&record, "skipped", true);
	object_text(&record, "reason", reason);
	return job_enter(job, &record, put_next(job, &record, LADDER_PASSED), false);
}

/* Failures after which erasing would not help, or that say nothing of the phone. */
static bool erasing_is_no_help(enum error_kind kind)
{
	return kind == ERROR_NETWORK || kind == ERROR_NOT_SIGNED || kind == ERROR_NO_SPACE ||
	       kind == ERROR_BAD_FILE || kind == ERROR_NO_PHONE || kind == ERROR_CANCELLED;
}

static bool may_ask(const struct job *job, const struct error *why)
{
	return job->plan.steps[job->step].kind == STEP_UPDATE && job->plan.goal == GOAL_UPDATE &&
	       job->plan.erase_variant.erases && job->plan.erase_variant.name[0] != '\0' &&
	       job->plan.confirm[0] != '\0' && !erasing_is_no_help(why->kind);
}

/* The step has failed. lost: the phone did not come back, so no way leads on. */
static int step_failed(struct job *job, const struct error *why, bool again, bool lost)
{
	const struct plan_step *step = &job->plan.steps[job->step];
	bool left = why->kind == ERROR_UNPLUGGED || why->kind == ERROR_NO_PHONE;
	bool closing = job->closing != JOB_STATE_MAX;
	struct object record = record_new("failed");

	object_error(&record, "error", why);
	if (ladder_ends(&job->plan, job->step, job->trust))
		return enter_end(job, &record, JOB_FAILED);
	/* a rung whose time the person let pass is not begun again: the next one is */
	if (step->rung > 0 && step->kind == STEP_PAIR && !left)
		again = false;
	/* nobody waits for a phone that left while it was only to be tidied up */
	if (again && !lost && !(closing && left) && job->attempt < JOB_ATTEMPTS_MAX &&
	    job->attempt < step_fact(step->kind)->attempts) {
		object_text(&record, "then", "again");
		object_flag(&record, "awaiting", left && step_fact(step->kind)->phone);
		return job_enter(job, &record, JOB_RUNNING, false);
	}
	if (step->optional) {
		object_text(&record, "then", "skip");
		return job_enter(job, &record, put_next(job, &record, LADDER_FAILED), false);
	}
	if (may_ask(job, why) && !lost) {
		object_text(&record, "then", "ask");
		object_flag(&record, "awaiting", left);
		return job_enter(job, &record, JOB_ASKING, false);
	}
	return enter_end(job, &record, JOB_FAILED);
}

int job_step_failed(struct job *job, const struct error *why, bool again)
{
	if (job_next(job) != JOB_ACTION_FOLLOW_STEP || why->kind == ERROR_NONE)
		return -EINVAL;
	return step_failed(job, why, again, false);
}

int job_phone_back(struct job *job, bool back)
{
	struct object record;
	struct error why;

	if (job_next(job) != JOB_ACTION_AWAIT_PHONE)
		return -EINVAL;
	if (!back) {
		error_set(&why, ERROR_UNPLUGGED, "service", 0,
			  "the phone did not come back within %u seconds",
			  timing_ms(TIMING_PHONE_BACK) / 1000);
		return step_failed(job, &why, false, true);
	}
	record = record_new("back");
	return job_enter(job, &record, JOB_RUNNING, false);
}

int job_strand(struct job *job)
{
	struct object record;
	struct error why;

	if (job_state_is_end(job->state))
		return -EINVAL;
	record = record_new("stranded");
	(void)error_set(&why, ERROR_CANCELLED, "job", 0, "%s",
			message_find("job-other-boot")->text);
	object_error(&record, "error", &why);
	return job_enter(job, &record, JOB_FAILED, false);
}

/* --- the person */

int job_cancel(struct job *job, struct error *err)
{
	const struct step_fact *fact = step_fact(job->plan.steps[job->step].kind);
	bool running = job_next(job) == JOB_ACTION_FOLLOW_STEP;
	const char *why = NULL;
	struct object record;

	if (job_state_is_end(job->state))
		why = "the job has ended already";
	else if (job->closing != JOB_STATE_MAX)
		why = "the job is being stopped already";
	else if (running && job->touched)
		why = "the phone is being changed: stopping now would leave it without a system";
	else if (running && !fact->cancel)
		why = "this step takes only some seconds and cannot be stopped half-way";
	if (why) {
		error_set(err, ERROR_REFUSED, "job", 0, "%s", why);
		return -EBUSY;
	}
	record = record_new("cancelled");
	return enter_end(job, &record, JOB_CANCELLED);
}

static int pause_refused(const char *why, struct error *err)
{
	(void)error_set(err, ERROR_REFUSED, "job", 0, "%s", why);
	return -EBUSY;
}

int job_pause(struct job *job, struct error *err)
{
	struct object record;

	if (job_state_is_end(job->state))
		return pause_refused("the job has ended already", err);
	if (job->state == JOB_PAUSED)
		return pause_refused("the job is paused already", err);
	if (job->state != JOB_RUNNING || job->plan.steps[job->step].kind != STEP_FETCH)
		return pause_refused("only a download can be paused, and the job does something "
				     "else now",
				     err);
	record = record_new("paused");
	return job_enter(job, &record, JOB_PAUSED, false);
}

int job_resume(struct job *job, struct error *err)
{
	struct object record;

	if (job->state != JOB_PAUSED)
		return pause_refused("the job is not paused", err);
	record = record_new("resumed");
	return job_enter(job, &record, JOB_RUNNING, false);
}

int job_answer(struct job *job, const char *consented, struct error *err)
{
	struct object record;
	sd_json_variant *plan = NULL;
	int r;

	if (job->state != JOB_ASKING)
		return error_set(err, ERROR_USAGE, "job", 0, "the job has no question now");
	if (!consented) {
		record = record_new("answered");
		return enter_end(job, &record, JOB_FAILED);
	}
	if (consented[0] == '\0' || !text_equal_fold(consented, job->question.plan.confirm))
		return error_set(err, ERROR_NO_CONSENT, "job", 0,
				 "the four characters that were typed are not those of this phone");
	record = record_new("answered");
	object_text(&record, "consented", consented);
	object_check(&record, plan_to_record(&job->question.plan, &plan));
	object_take(&record, "plan", plan); /* for people: memory makes it of the update's again */
	r = job_enter(job, &record, JOB_RUNNING, true);
	if (r < 0)
		return error_set_errno(err, ERROR_NO_SPACE, "job", -r,
				       "the consent cannot be written into the journal");
	return 0;
}

int job_note(struct job *job, const char *kind, sd_json_variant *fields)
{
	struct object record;

	if (job_state_is_end(job->state) || kind[0] == '\0' ||
	    (fields && !sd_json_variant_is_object(fields)))
		return -EINVAL;
	if (sd_json_variant_elements(job->notes) >= JOB_NOTES_MAX)
		return -ENOBUFS;
	record = record_new("note");
	object_text(&record, "kind", kind);
	object_take(&record, "fields", sd_json_variant_ref(fields));
	return job_enter(job, &record, job->state, false);
}
