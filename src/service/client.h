/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The faces' side of the varlink interface (service/interface.h). A face holds two links: one for
 * calls, one for events.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include <systemd/sd-event.h>
#include <systemd/sd-json.h>

/*
 * One call, waiting at most TIMING_CALL, and as long as its worker may take beyond that (Show with
 * `ask`: TIMING_PROBE_TOTAL; CheckTrust: TIMING_TRUST_CHECK; Plan, Start: TIMING_PLAN). socket:
 * path, NULL for the default (environment first). method: without the interface's name, "List".
 * parameters: borrowed, may be NULL. Returns 0 and the reply's object (caller unrefs), or a
 * negative errno with err filled: ERROR_NO_SERVICE, ERROR_NO_PHONE, ERROR_AMBIGUOUS, ERROR_SILENT,
 * ….
 */
int client_call(const char *socket, const char *method, sd_json_variant *parameters,
		sd_json_variant **ret, struct error *err);

/*
 * An event of the service ({"seq","time_ms","kind","phone"…}, see the interface), or event == NULL
 * when the service cannot be reached (err says why; told once an outage); the watch then tries
 * again by itself every second, and the first event after that is a snapshot.
 */
typedef void (*client_event_fn)(sd_json_variant *event, const struct error *err, void *user);

struct client_watch;
int client_watch_new(sd_event *event, const char *socket, client_event_fn fn, void *user,
		     struct client_watch **ret);
/* Also from inside fn. NULL is fine; returns NULL. */
struct client_watch *client_watch_free(struct client_watch *watch);
DEFINE_CLEANUP(struct client_watch *, client_watch_free)
