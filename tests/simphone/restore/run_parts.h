/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of a run share beyond run.h: run.c has the order, the end and the connection;
 * run_act.c what a step does; run_tell.c what the phone says.
 */
#pragma once

#include "restore/run.h"

enum { RUN_STATUS_FAILED = 14 }; /* when a step has none of its own */

/* ---- run_tell.c ---- */

/* A message of @type; owned by the caller. */
plist_t run_message(const char *type);
/* Frees @message; nothing is said once the connection is lost. */
void run_say(struct run *r, plist_t message);
/* A line of the log that a failure sends; the older half goes when it is long. */
[[gnu::format(printf, 2, 3)]] void run_trail(struct run *r, const char *format, ...);
/* CheckpointMsg; @error: NULL, or the words of its failure. */
void run_checkpoint(struct run *r, const struct step *s, bool complete, int64_t result,
		    const char *error);
/* StatusMsg; @error 0: without AMRError. @log: NULL, or what the phone logged. */
void run_status(struct run *r, uint64_t status, int64_t error, const char *log);

/* ---- run_act.c ---- */

/* The step's time is over: does what it is for. Ends in run_answered(), run_fail() or a wait. */
void run_act(struct run *r);

/* ---- run.c ---- */

const struct step *run_step(const struct run *r);
/* The host was told of the failure: what the phone does now is a knob, see scenario.h. */
void run_after_failure(struct run *r);
/* The last step. */
void run_finish(struct run *r);
