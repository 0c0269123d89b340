/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A job is one plan being carried out. This is its memory and its rules; what touches the world
 * (workers, the fleet, timers) is service/jobs.c, which does what job_next() says and tells the
 * outcome.
 *
 *   draft ─▶ ready ─▶ running ⇄ asking, paused ─▶ done | failed | cancelled
 *
 * job_enter() is the only assignment to the state; it writes the journal before it acts. The
 * journal is jobs/ID/journal.jsonl, one JSON object a line, appended and synced; after a crash
 * job_load() replays it and the job stands where it stood. A last line that was cut off is dropped.
 * Only this computer's power must have lasted: of another boot, job_strand().
 *
 * Data: a step that erases begins only in a job whose journal holds a consent for exactly it. What
 * fails never moves on to it by itself: an update that failed for good enters asking.
 */
#include "base/cleanup.h"
#include "doctor/plan.h"
#include "doctor/progress.h"

/* JOB_ENGINES_MAX: engines that one job may start, its attempts and a restarted service included.
 */
enum { JOB_ID_BYTES = 32, JOB_ATTEMPTS_MAX = 5, JOB_ENGINES_MAX = 9 };

enum job_state {
	JOB_DRAFT,
	JOB_READY,
	JOB_RUNNING,
	JOB_ASKING,
	JOB_PAUSED, /* a download that the person halted; what has come stays */
	JOB_DONE,
	JOB_FAILED,
	JOB_CANCELLED,
	JOB_STATE_MAX,
};
const char *job_state_name(enum job_state state);
static inline bool job_state_is_end(enum job_state state)
{
	return state == JOB_DONE || state == JOB_FAILED || state == JOB_CANCELLED;
}

enum step_state {
	STEP_WAITING,
	STEP_RUNNING,
	STEP_DONE,
	STEP_SKIPPED, /* there was nothing to do, or (with a reason) it was passed over */
	STEP_FAILED,
	STEP_STATE_MAX
};
const char *step_state_name(enum step_state state);

/* What is to be done next, as job_next() decides from all that the journal holds. */
enum job_action {
	JOB_ACTION_BEGIN_STEP,  /* call job_step_begin(), then do the step's work */
	JOB_ACTION_FOLLOW_STEP, /* it was running when the service ended: an engine that lives on is
				   followed, any other work is begun again by job_step_begin() */
	JOB_ACTION_AWAIT_PHONE, /* the phone is to come back first (job_phone_back()), limit
				   TIMING_PHONE_BACK */
	JOB_ACTION_AWAIT_ANSWER, /* asking */
	JOB_ACTION_AWAIT_RESUME, /* paused */
	JOB_ACTION_NONE,         /* it has ended */
};

/* The question of a job that asks. The only one there is now: the update failed, erase instead? */
struct question {
	const char *id;   /* message id of its text: "question-erase-after-update" */
	struct plan plan; /* what a yes would do */
};

struct job;

/*
 * Makes folder/ID with its journal (state ready). jobs_folder must exist. consented: LAST4 that was
 * typed for this plan, NULL if it needs none; a plan that erases without it is refused (-EPERM,
 * ERROR_NO_CONSENT). Returns 0, or a negative errno with err filled: ERROR_NO_SPACE and others when
 * the folder cannot be written; then nothing is left behind.
 */
int job_create(const char *jobs_folder, const struct plan *plan, const char *consented,
	       struct job **ret, struct error *err);
/* Reads folder/journal.jsonl back. -EBADMSG for one that is no journal. */
int job_load(const char *folder, struct job **ret, struct error *err);
struct job *job_free(struct job *job); /* the files stay; NULL is fine; returns NULL */
DEFINE_CLEANUP(struct job *, job_free)

const char *job_id(const struct job *job);     /* "20261122-0612-x4k7" */
const char *job_folder(const struct job *job); /* absolute path */
enum job_state job_state(const struct job *job);
const struct plan *job_plan(const struct job *job); /* after a consented erase: that of the erase */
size_t job_step(const struct job *job);             /* index of the present step in its plan */
unsigned job_attempt(const struct job *job);        /* 1 … of the present step */
const struct question *job_question(const struct job *job); /* NULL unless asking */
const struct error *job_error(const struct job *job);       /* why it failed; kind none otherwise */
bool job_erase_consented(const struct job *job);
/* LAST4 that was typed, "" none: what the restore worker wants as `consent`. */
const char *job_consent(const struct job *job);
/* 1 … JOB_ENGINES_MAX: the restore worker's `attempt` (it names engine-N.jsonl) of the engine that
 * the present step began, or of the last one; 0 none yet. */
unsigned job_engine(const struct job *job);
/* What a step that is done found out (job_step_done()); NULL nothing. Borrowed. */
sd_json_variant *job_facts(const struct job *job, enum step_kind kind);

enum job_action job_next(const struct job *job);

/*
 * The step at job_step() begins, or begins again after the service ended in the middle of it (that
 * is the same attempt; an engine gets a new number, job_engine()). The job has failed, and the
 * step must not be begun, after -EPERM (it erases and there is no consent), after the journal could
 * not be written (what is not in the journal does not happen), and when engines were started too
 * often. -EINVAL: job_next() does not say so.
 */
int job_step_begin(struct job *job, struct error *err);

/* The engine has begun to change the phone: from here the data is at risk or gone, and the job
 * cannot be cancelled. Journaled once an attempt. */
int job_touched(struct job *job);
bool job_is_touched(const struct job *job); /* by the present attempt */

/*
 * The present step succeeded. facts (may be NULL): an object of what it found out, kept for the
 * report under the step's id. Fields with a meaning: "firmware" (its path, size and hashes go into
 * the plan; of GOAL_FIRMWARE all of it), "proof" (job_to_json()). skipped: there was nothing to do.
 * As all calls below: -EINVAL if job_next() does not allow it, -EMSGSIZE for facts beyond a line.
 * A journal that cannot be written any more (full, pulled out) is logged and does not stop what has
 * happened already; no further step begins then.
 */
int job_step_done(struct job *job, sd_json_variant *facts, bool skipped);
/* The present step, an optional one, cannot apply or the person passes it over: reason is a
 * sentence that says which, for the report. */
int job_step_passed(struct job *job, const char *reason);
/* It failed. again: the same may work if it is tried again (with the phone back, if it left);
 * rules: attempts of its kind are used up first; then an optional step is passed over; an update
 * whose erase is possible asks (not for network, not-signed, no-space, bad-file, no-phone,
 * cancelled); else the job fails. Of a repair's ladder some steps are passed over then, and some
 * failures end it (doctor/ladder.h). A job that put the phone into recovery and fails or is
 * cancelled before the engine touched it gets a closing step exit-recovery, whose outcome changes
 * nothing. */
int job_step_failed(struct job *job, const struct error *why, bool again);
/* It came back while job_next() said JOB_ACTION_AWAIT_PHONE; or did not, within the limit. */
int job_phone_back(struct job *job, bool back);

/* Was it made before this computer was last started? Whatever it did then has ended by that. */
bool job_is_of_other_boot(const struct job *job);
/*
 * Ends such a job as failed. Nothing is begun again by itself in another boot: the phone may be in
 * other hands, and what was agreed to was agreed to then. An installation that ran counts as one
 * that has touched the phone. A job that has ended: -EINVAL.
 */
int job_strand(struct job *job);

/* The person says stop. Returns 0 (cancelled, or a closing step is next), -EBUSY (ERROR_REFUSED,
 * the text says why) while it cannot be stopped. A running step's work must be ended by the caller.
 */
int job_cancel(struct job *job, struct error *err);
/*
 * The person halts the download, or lets it go on: also a service that starts anew leaves it
 * halted. 0, or -EBUSY (ERROR_REFUSED, the text says why): another step, paused already, not
 * paused. The worker must be ended by the caller; the step goes on as the same attempt.
 */
int job_pause(struct job *job, struct error *err);
int job_resume(struct job *job, struct error *err);
/* The person answers the question: yes with LAST4 that was checked by consent_use(); NULL is no. */
int job_answer(struct job *job, const char *consented, struct error *err);

/*
 * Something that happened and belongs into journal and report; kind is a word, fields an object or
 * NULL. "phone-left", "phone-back", "note" ("text"); "trust" ("trust": shown as the job's trust
 * until the step ends) and "guidance" ("text": what the person is to do now, instead of the step's
 * row). -ENOBUFS after 1000 of them.
 */
int job_note(struct job *job, const char *kind, sd_json_variant *fields);

/*
 * The object `job` of the interfaces (service/interface.h lists its fields). progress may be NULL.
 */
int job_to_json(const struct job *job, const struct progress *progress, sd_json_variant **ret);

/*
 * The report of a job, from its journal alone: {"v":1,"job":…,"phone":…,"plan":…,"steps":[…],
 * "events":[…],"outcome","error"?,"proof"?,"firmware"?,"engine":…}; and as text for people. An
 * ended job has both in its folder (report.json, report.txt), written once, whole or not at all.
 */
int report_make(const struct job *job, sd_json_variant **ret_json, char **ret_text);
int report_write(const struct job *job);
