/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The computer that shows the error: looks at its disks by a worker, tells what was found in the
 * words of doctor/computer.h, and has named records moved after a consent. It mounts nothing and
 * knows no file system: that is the workers' (worker/README.md, host-look and host-reset).
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "doctor/consent_move.h"
#include "phone/fleet.h"
#include "service/worker_pool.h"
#include <systemd/sd-json.h>

struct host;

struct host_options {
	const struct fleet *fleet; /* borrowed */
	struct worker_pool *pool;  /* borrowed; NULL: nothing can be looked at */
};
int host_new(const struct host_options *options, struct host **ret);
/* Cancels what runs (a move goes on in its worker); nobody is called. Returns NULL. */
struct host *host_free(struct host *host);
DEFINE_CLEANUP(struct host *, host_free)

/*
 * The answer: the object (borrowed for the call) with err == NULL; or err, and next: what to do
 * about it (NULL: what the kind of error says).
 */
typedef void (*host_answer_fn)(sd_json_variant *object, const struct error *err, const char *next,
			       void *user);

/*
 * Looks; the object is the Computer of the interface, each volume whose records may be moved with a
 * token. A look that is under way already answers this one, too. fn is called once, also from
 * inside this call, unless host_forget(user) came first.
 */
void host_look(struct host *host, host_answer_fn fn, void *user);

/*
 * Moves records of a volume aside: those whose files or UDIDs are named in `records` (an array of
 * texts), or all that were shown (NULL). The object is the Moved of the interface. One at a time.
 */
struct host_move {
	const char *volume, *consent;
	sd_json_variant *records;
};
void host_move(struct host *host, const struct host_move *move, host_answer_fn fn, void *user);

/* Nobody waits any more; what runs goes on. */
void host_forget(struct host *host, const void *user);
