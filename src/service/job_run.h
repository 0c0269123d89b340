/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A job that is being carried out. A part of service/jobs.c:
 *
 *   jobs.c      the list: new, loaded, ended; what is told of them
 *   job_run.c   one job: what is next, the phone that comes and goes, the modes that are awaited
 *   job_work.c  the work of a step: requests to workers, and what their answers mean
 *   job_firmware.c  the same for the steps that find, fetch and check a firmware file
 *   job_engine.c  the same for update and erase, whose worker outlives the service
 */
#include "service/ask.h"
#include "service/follow.h"
#include "service/jobs.h"
#include "service/worker_link.h"

enum { RUN_GUIDANCE_BYTES = 640, RUN_FOLDER_BYTES = PLAN_ROOM_BYTES + JOB_ID_BYTES + 1 };

/* What a run waits for. Only run_enter() assigns it. */
enum run_doing {
	DOING_NOTHING,       /* job_next() decides at the next review */
	DOING_WORK,          /* a worker: link != NULL */
	DOING_SEEK_ENGINE,   /* after a restart: the engine's file may be about to appear */
	DOING_FOLLOW,        /* the engine: follow != NULL */
	DOING_AWAIT_MODE,    /* the phone, in the mode that the step brings about */
	DOING_AWAIT_PHONE,   /* the phone, in any mode that the step can begin with */
	DOING_AWAIT_BUTTONS, /* the person, who presses the buttons; then as DOING_AWAIT_MODE */
	DOING_AWAIT_ANSWER,
	DOING_PAUSE, /* before the same is tried again */
	DOING_OVER,
};

struct run {
	struct run *next;
	struct jobs *jobs;
	struct job *job; /* NULL: it has ended and is read from its folder when somebody asks */
	char id[JOB_ID_BYTES];
	char folder[RUN_FOLDER_BYTES];
	char phone_key[PHONE_KEY_BYTES]; /* of its plan */

	enum run_doing doing;
	struct worker_link *link;
	struct follow *follow;
	uint64_t deadline_ms;   /* end of what it is doing, UINT64_MAX none */
	uint64_t again_ms;      /* AWAIT_MODE: not asked before that */
	unsigned phone_id;      /* 0: not here yet */
	unsigned enumeration;   /* the phone's, when the step began */
	uint64_t step_until_ms; /* total limit of the step, UINT64_MAX none */
	bool seen;              /* the phone was on the bus at the last review */
	bool left;              /* and left: the journal knows */
	bool given_up;          /* it did not come back in time, and has not come since */

	struct progress progress;
	char guidance[RUN_GUIDANCE_BYTES]; /* beyond what the step's row says; "" none */
	enum trust trust;                  /* while it pairs; TRUST_MAX not known */

	bool changed, progressed; /* to be told */
	uint64_t told_ms;
};

struct jobs {
	struct jobs_options options;
	struct run *runs; /* newest first */
};

/* --- job_run.c --- */

/* One review: sees the phone, ends what is over, begins what is next. */
void run_review(struct run *run);
/* The phone of the job now, NULL if it is not here (gone ones included) or the job has none. */
const struct phone *run_phone(struct run *run);
bool run_needs_phone(const struct run *run);
/* until_ms: UINT64_MAX no limit. */
void run_enter(struct run *run, enum run_doing doing, uint64_t until_ms);
/* The step's outcomes: the journal, then DOING_NOTHING and a review. facts: taken, may be NULL. */
void run_step_done(struct run *run, sd_json_variant *facts, bool skipped);
void run_step_failed(struct run *run, const struct error *why, bool again);
void run_step_fail(struct run *run, enum error_kind kind, bool again, const char *text);
/* Begins the present step, or waits for the phone that it needs. */
void run_begin_step(struct run *run);
void run_guide(struct run *run, const char *text); /* NULL: nothing but the step's row */
void run_tell(struct run *run);                    /* it changed */
/* Ends the worker that runs for it, if any; an engine goes on. */
void run_drop_work(struct run *run);
enum step_kind run_step_kind(const struct run *run);
bool step_is_engine(enum step_kind kind);

/* --- job_work.c --- */

/* The step has begun in the journal: does its work. phone: NULL if it is not here. */
void work_begin(struct run *run, const struct phone *phone);
/* May the step begin with the phone as it is? */
bool work_can_begin(enum step_kind kind, const struct phone *phone);
/* DOING_AWAIT_MODE and DOING_AWAIT_BUTTONS: is it there yet? */
void work_look(struct run *run, const struct phone *phone);
/* The time for it is over. */
void work_too_late(struct run *run);
/* A worker for the step; takes fields. */
void work_ask(struct run *run, const char *kind, int built, sd_json_variant *fields,
	      worker_event_fn event_fn, worker_end_fn end_fn);
bool work_is_worth_again(enum error_kind kind);
/* Takes a worker's end. Returns false when it failed and that has been dealt with. */
bool work_succeeded(struct run *run, const struct error *err);
void work_answer_is_wrong(struct run *run);

/* --- job_firmware.c --- */

void work_catalogue(struct run *run);
void work_fetch(struct run *run);
void work_check(struct run *run);

/* --- job_engine.c --- */

void engine_begin(struct run *run);
/* After a restart. */
void engine_adopt(struct run *run);
void engine_seek(struct run *run);
/* Asks it to end, which it does while the phone is untouched. 0, or a negative errno with err. */
int engine_stop(struct run *run, struct error *err);
/* Where the firmware of the job's plan lies. False: the path is too long. */
bool run_firmware_path(const struct run *run, char ret[static FIRMWARE_PATH_BYTES]);
