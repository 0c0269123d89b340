/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A job that is being carried out. A part of service/jobs.c:
 *
 *   jobs.c      the list: new, loaded, ended; what is told of them
 *   job_run.c   one job: what is next, the phone that comes and goes, the modes that are awaited
 *   job_step.c  a row for each kind of step: which of what follows does it
 *   job_work.c  the work of a step: requests to workers, and what their answers mean
 *   job_firmware.c  the same for the steps that find, fetch and check a firmware file
 *   job_preflight.c  the same for the steps that ask the world before the phone is touched
 *   job_room.c  the same for the step that makes room for it
 *   job_engine.c  the same for update and erase, whose worker outlives the service
 *   job_trust.c   the same for forgetting, pairing and the proof of trust
 *   job_repair.c  the same for the look, the mux, the phone's forgetting and the backup, and what
 *                 the person answers to a step that runs
 *   job_guided.c  the same for the steps that the person does
 */
#include "service/ask.h"
#include "service/follow.h"
#include "service/jobs.h"
#include "service/worker_link.h"

enum { RUN_GUIDANCE_BYTES = 896, RUN_FOLDER_BYTES = PLAN_ROOM_BYTES + JOB_ID_BYTES + 1 };

/* What a run waits for. Only run_enter() assigns it. */
enum run_doing {
	DOING_NOTHING,       /* job_next() decides at the next review */
	DOING_WORK,          /* a worker: link != NULL */
	DOING_SEEK_ENGINE,   /* after a restart: the engine's file may be about to appear */
	DOING_FOLLOW,        /* the engine: follow != NULL */
	DOING_AWAIT_MODE,    /* the phone, in the mode that the step brings about */
	DOING_AWAIT_PHONE,   /* the phone, in any mode that the step can begin with */
	DOING_AWAIT_BUTTONS, /* the person, who presses the buttons; then as DOING_AWAIT_MODE */
	DOING_AWAIT_TURN,    /* before a file is asked for again that somebody else downloads */
	DOING_AWAIT_ANSWER,  /* the person: an answer, or that a paused job is to go on */
	DOING_AWAIT_PERSON,  /* a guided step: its event, the person's word, or its limit */
	DOING_PAUSE,         /* before the same is tried again */
	DOING_OVER,
};

/* A cable and port, as far as they can be measured. */
struct link_measure {
	bool unknown; /* by a former service: nothing else is set */
	bool here;    /* the phone shows up with it; else the rest says nothing */
	char port[SIGHTING_PORT_BYTES];
	unsigned speed_mbps, hub_depth;
	bool troubles_known;
	unsigned troubles;  /* lines of the kernel about this port, lately */
	uint64_t answer_ms; /* until lockdownd answered, 0 it did not */
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
	uint64_t deadline_ms; /* end of what it is doing, UINT64_MAX none */
	uint64_t again_ms;    /* AWAIT_MODE: not asked before that */
	unsigned phone_id;    /* 0: not here yet */
	unsigned enumeration; /* the phone's, when the step began */
	bool again;           /* the step had begun before: what it brings about may be our doing */
	uint64_t step_until_ms; /* total limit of the step, UINT64_MAX none */
	bool seen;              /* the phone was on the bus at the last review */
	bool left;              /* and left: the journal knows */
	bool given_up;          /* it did not come back in time, and has not come since */

	struct link_measure before; /* a swap: the link that was there */
	uint64_t asked_ms;          /* a swap: when the measurement began */
	uint64_t back_ms; /* a swap: when it came back and usbmuxd did not list it; 0 no */
	bool away_told;   /* a replug: the person knows that we saw it leave */

	struct progress progress;
	char guidance[RUN_GUIDANCE_BYTES]; /* beyond what the step's row says; "" none */
	enum trust trust;                  /* while it pairs; TRUST_MAX not known */

	bool changed, progressed; /* to be told */
	uint64_t told_ms;
};

struct jobs {
	struct jobs_options options;
	const struct troubles *troubles; /* borrowed, NULL not known */
	struct run *runs;                /* newest first */
	/* where jobs were loaded from; the stick's data partition may come later */
	char folders[STORAGE_FOLDERS_MAX][PLAN_ROOM_BYTES];
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
/* It cannot apply, or the person passes it over; its work is dropped. A step that is needed fails
 * by that. */
void run_step_passed(struct run *run, const char *reason);
/* The phone is not awaited any more, if it is here. */
void run_stop_expecting(struct run *run);
/* Begins the present step, or waits for the phone that it needs. */
void run_begin_step(struct run *run);
void run_guide(struct run *run, const char *text); /* NULL: nothing but the step's row */
void run_tell(struct run *run);                    /* it changed */
/* Ends the worker that runs for it, if any; an engine goes on. */
void run_drop_work(struct run *run);
enum step_kind run_step_kind(const struct run *run);
bool step_is_engine(enum step_kind kind);

/* --- job_step.c --- */

enum {
	WAY_UP = 1 << 0,     /* a phone in normal mode must be listed by usbmuxd before it begins */
	WAY_LINK = 1 << 1,   /* its worker asks the phone as it is enumerated now */
	WAY_LEAVES = 1 << 2, /* the phone's leaving the bus is what it does, or the person does */
};

/* How a kind of step is done: what its row in facts/steps.tsv cannot say. */
struct step_way {
	/* The step has begun in the journal: does its work. phone: NULL if it is not here. */
	void (*begin)(struct run *run, const struct phone *phone);
	unsigned flags;     /* WAY_ */
	const char *action; /* of the worker mode */
	const char *late;   /* what is said when its time is over, NULL nothing of its own */
};

/* Never NULL. */
const struct step_way *step_way(enum step_kind kind);

/* --- job_work.c --- */

/* The step's begin functions. work_mode: the way's action, or the buttons. */
void work_mode(struct run *run, const struct phone *phone);
void work_await(struct run *run, const struct phone *phone);
void work_system(struct run *run, const struct phone *phone);
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

/* --- job_trust.c --- */

void work_forget(struct run *run, const struct phone *phone);
void work_forget_store(struct run *run);
void work_pair(struct run *run, const struct phone *phone);
void work_verify(struct run *run, const struct phone *phone);
/* {"proof":{…}}: what was read from the phone itself. entries: of the media folder, may be NULL. */
int work_proof_build(const struct run *run, const struct identity *identity,
		     sd_json_variant *entries, sd_json_variant **ret);
/* The job alone asks its phone, so it marks that itself. */
void work_mark_asked(struct run *run);
/* An answer of the worker trust, action check: into the journal and the fleet. */
void work_take_trust(struct run *run, sd_json_variant *result);
/* What the person is to do now: shown, and in the journal for the report. */
void work_tell_person(struct run *run, const char *text);

/* --- job_repair.c --- */

enum { ANSWER_YES = 1 << 0, ANSWER_NO = 1 << 1 };

void repair_see(struct run *run, const struct phone *phone);
void repair_mux(struct run *run, const struct phone *phone);
void repair_unpair(struct run *run, const struct phone *phone);
void repair_backup(struct run *run, const struct phone *phone);
/* Asks first, if others' pairings would go with this phone's. */
void repair_forget_store(struct run *run, const struct phone *phone);
/* DOING_AWAIT_PERSON; late: the deadline has passed. */
void repair_look(struct run *run, const struct phone *phone, bool late);
/* What the person may say to the step that runs: ANSWER_YES (I have done it, or: do it), ANSWER_NO
 * (pass it over); 0 nothing. An erase is never asked for in this way: job_answer() is. */
unsigned repair_answers(const struct run *run);
int repair_answer(struct run *run, bool yes, struct error *err);
const struct plan_step *repair_step(const struct run *run); /* the present one, NULL none */
bool repair_in_rung(const struct run *run);
/* Total limit of the present step, 0 none. */
unsigned repair_total_s(const struct run *run);
/* How long the present step waits for a phone that it cannot begin with as it is. */
unsigned repair_wait_ms(const struct run *run, const struct phone *phone);
/* May the present step begin though work_can_begin() says no? */
bool repair_can_begin(const struct run *run, const struct phone *phone);

/* --- job_guided.c --- */

void guided_begin(struct run *run, const struct phone *phone);
void guided_look(struct run *run, const struct phone *phone, bool late);
/* The person says that it is done. Refused (with err) where the bus would have shown it. */
int guided_done(struct run *run, struct error *err);

/* --- job_room.c --- */

/* Deletes what the plan names from the cache. */
void work_make_room(struct run *run, const struct phone *phone);

/* --- job_firmware.c --- */

void work_catalogue(struct run *run, const struct phone *phone);
void work_fetch(struct run *run, const struct phone *phone);
void work_check(struct run *run, const struct phone *phone);

/* --- job_preflight.c --- */

void work_network(struct run *run, const struct phone *phone);
void work_sign(struct run *run, const struct phone *phone);
/* What the step sign found out. False: it was not done. */
bool work_signing(const struct run *run, struct signing *ret);

/* --- job_engine.c --- */

void engine_begin(struct run *run, const struct phone *phone);
/* After a restart. */
void engine_adopt(struct run *run);
void engine_seek(struct run *run);
/* Asks it to end, which it does while the phone is untouched. 0, or a negative errno with err. */
int engine_stop(struct run *run, struct error *err);
/* The person wants the next one: a wish to stop that the last one heard too late is over. */
void engine_wanted(const struct run *run);
/* Where the firmware of the job's plan lies. False: the path is too long. */
bool run_firmware_path(const struct run *run, char ret[static FIRMWARE_PATH_BYTES]);
