/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* One run of the worker program from a command that needs no service (worker/README.md). */
#include "base/error.h"
#include <systemd/sd-json.h>

#define WORKER_PROGRAM "/usr/lib/idevicerescue/idevicerescue-worker"

/* Each event of the worker, borrowed for the call. */
typedef void (*worker_run_event_fn)(sd_json_variant *event, void *user);

/*
 * Starts program (NULL: WORKER_PROGRAM) for this kind, sends the request (fields besides v, type
 * and kind; borrowed) and waits for its result, at most limit_ms without a word. The process is
 * gone when this returns. event_fn may be NULL. Returns 0 and the result's object (the caller
 * unrefs), or a negative errno with err filled: what the worker said, or why there is no answer.
 */
int worker_run(const char *program, const char *kind, sd_json_variant *fields, unsigned limit_ms,
	       worker_run_event_fn event_fn, void *user, sd_json_variant **ret, struct error *err);
