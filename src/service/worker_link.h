/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One request to one worker, and its answer (protocol: worker/README.md). A link never blocks and
 * always ends: by a result, by its limits, or because the worker crashed.
 */
#include "base/error.h"
#include "service/worker_pool.h"
#include <stdbool.h>
#include <systemd/sd-json.h>

struct worker_link;

/* An event line of the worker; the object is borrowed for the call. */
typedef void (*worker_event_fn)(const char *name, sd_json_variant *event, void *user);

/*
 * The link is over: err == NULL and the result (borrowed for the call), or why there is none. With
 * err, result is the worker's last line if it told its failure itself, else NULL.
 * Called once, never from inside worker_link_new().
 */
typedef void (*worker_end_fn)(sd_json_variant *result, const struct error *err, void *user);

struct worker_request {
	const char *kind;
	sd_json_variant *fields; /* what the request line holds beyond v, type, kind; may be NULL */
	unsigned silence_ms;     /* limit between two lines, 0 none */
	unsigned total_ms;       /* limit in all, 0 none */
	bool outlives; /* a forked worker that goes on when the link or the service has ended: only
			  its socket is closed, nothing is killed */
	worker_event_fn event_fn; /* may be NULL */
	worker_end_fn end_fn;
	void *user;
};

/* Sends the request (copied as needed). Returns 0, or a negative errno with err filled. */
int worker_link_new(struct worker_pool *pool, const struct worker_request *request,
		    struct worker_link **ret, struct error *err);

/*
 * Cancels what is not over: the socket is closed and a forked worker asked to end. NULL is fine;
 * allowed inside both callbacks. Returns NULL.
 */
struct worker_link *worker_link_free(struct worker_link *link);
DEFINE_CLEANUP(struct worker_link *, worker_link_free)
