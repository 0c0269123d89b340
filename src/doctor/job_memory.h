/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a job remembers: for job*.c and report*.c alone. All of it follows from the journal: only
 * job_apply() changes it, with one record of the journal at a time, be it new or read back.
 *
 * A record is {"v":1,"event":EVENT,"time_ms":…,"state":STATE after it,…}; it holds what was
 * decided, not only what happened, so that an old journal means the same to a program with newer
 * tables.
 *
 *   created    id, plan (plan_to_record()), ?consented
 *   begin      step, kind, attempt, ?engine
 *   touched
 *   done       skipped, ?reason (why it was skipped), ?facts, ?next, ?passed
 *   failed     error, then, ?awaiting, ?next, ?passed
 *   begin-failed  error, then: the step was not allowed to begin
 *   back       the phone that was awaited came
 *   cancelled  then
 *   paused, resumed
 *   answered   yes: consented, plan; no: then
 *   note       kind, ?fields
 *
 * then: "again" (the step waits for its next attempt), "skip" (it was optional), "ask", "close" (a
 * closing step is next), "end".
 * next: index of the step that follows, if not the one behind; passed: why those between are passed
 * over (doctor/ladder.h).
 */
#include "doctor/job.h"
#include "doctor/journal.h"

enum { JOB_WORD_BYTES = 32, JOB_NOTES_MAX = 1000 };

struct step_memory {
	enum step_state state;
	unsigned attempts;             /* begun so far */
	struct error error;            /* of the last attempt that failed */
	char reason[ERROR_TEXT_BYTES]; /* why it was skipped, "" there was nothing to do */
};

/* One attempt of one step; those of an update stay when its plan gives way to an erase. */
struct run {
	enum step_kind kind;
	enum step_state state;
	unsigned attempt;
	unsigned engine; /* 0: no engine */
	bool touched;
	bool interrupted; /* begun again after the service ended */
	uint64_t began_ms, ended_ms;
	struct error error;
	char reason[ERROR_TEXT_BYTES]; /* why it was skipped */
};

struct job {
	char id[JOB_ID_BYTES];
	char *folder;
	int folder_fd;
	struct journal journal;
	int lost; /* negative errno since which the journal is not written; 0 it is */

	enum job_state state;   /* assigned in job_apply() alone */
	enum job_state closing; /* how it ends after its closing step; JOB_STATE_MAX: none */
	struct plan plan;
	size_t step;
	unsigned attempt; /* 1 …: of the present step, begun or to be begun */
	struct step_memory steps[PLAN_STEPS_MAX];
	bool awaiting; /* the phone is to come back before the step begins again */
	bool touched;  /* by the present attempt */
	bool ever_touched;
	bool into_recovery; /* this job put the phone there */
	enum data data;     /* what has become of it */
	unsigned engines;
	char consented[PLAN_CONFIRM_BYTES];
	uint64_t consented_ms;
	struct question question; /* while asking */
	struct error error;
	char trust[JOB_WORD_BYTES];
	char guidance[ERROR_TEXT_BYTES];

	uint64_t created_ms, ended_ms;
	bool other_boot; /* made before this computer was last started */
	struct run *runs;
	size_t run_count;
	sd_json_variant *facts; /* object: step id -> facts */
	sd_json_variant *proof; /* object */
	sd_json_variant *notes; /* array of the records */
};

/* The boot that this is, as the journal names it; "" not known. */
enum { JOB_BOOT_BYTES = 33 };
void job_boot(char ret[static JOB_BOOT_BYTES]);

/* Takes one record in. -EBADMSG for one that cannot follow here (nothing but memory is lost). */
int job_apply(struct job *job, sd_json_variant *record);

static inline bool step_is_engine(enum step_kind kind)
{
	return kind == STEP_UPDATE || kind == STEP_ERASE;
}

/* What state follows when the step at `next` is to come; beyond the plan: how the job ends. */
enum job_state job_state_before(const struct job *job, size_t next);

/* --- what was proven and what was not (proof.c); for job_json.c alone */

struct object;
/* Adds "proof", and of a job that has ended "unproven" and "advice", where there are any. */
void job_put_proof(struct object *object, const struct job *job);
