/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One restore under way, from StartRestore to the reboot.
 *
 *   IDLE ──StartRestore──▶ PACING ⇄ ASKING ──last step──▶ FINISHED ──Goodbye or patience──▶ OVER
 *                             │        │                                        boots the system
 *                             └────────┴─── refused, lost ──▶ FAILED ──▶ OVER   boots recovery
 *
 *   PACING: a step takes its time and tells progress.  ASKING: the host owes an answer.
 *
 * Owns the request under way and the reverse proxy. Borrows the connection that said StartRestore;
 * run_lost() takes it away. Invariant: messages go out on that connection only.
 */
#pragma once

#include "plist_stream.h"
#include "restore/fdr.h"
#include "restore/requests.h"
#include "restore/steps.h"
#include "timers.h"

enum run_state { RUN_IDLE, RUN_PACING, RUN_ASKING, RUN_FINISHED, RUN_FAILED, RUN_OVER };

struct run {
	struct phone *phone;
	struct plist_stream *main; /* borrowed; NULL: lost */
	enum run_state state;
	struct step_choice choice;
	plist_t options;         /* RestoreOptions; owned */
	unsigned at;             /* step */
	unsigned tick;           /* of its percentages */
	const struct step *open; /* the checkpoint that has begun, or NULL */
	struct request request;
	struct fdr fdr;
	struct timer timer;    /* pace */
	struct timer patience; /* with the host */
	struct buf trail;      /* the log that a failure sends */
	uint64_t exit_status;  /* of the last restore that failed, for the next one; 0: none */
	struct buf exit_log;   /* its trail */
};

void run_init(struct run *r, struct phone *phone);
void run_done(struct run *r);
/* Whatever is under way ends without a word: the phone has left the ramdisk. */
void run_stop(struct run *r);

/* The host said StartRestore on @main. */
void run_start(struct run *r, struct plist_stream *main, plist_t options);
/* A message of the host on @main that is no request of its own. */
void run_take(struct run *r, plist_t message);
/* @main is gone, or the host said Goodbye on it. */
void run_lost(struct run *r);
void run_goodbye(struct run *r);

/* From requests, asr and fdr: NULL if all was as it has to be. */
void run_answered(struct run *r, const char *why);
/* ProgressMsg; @percent -1: none is known. */
void run_progress(struct run *r, unsigned operation, int percent);

/* The phone gives up: tells the host why, then boots into recovery. */
void run_fail(struct run *r, uint64_t status, const char *why);
