/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A call of the varlink interface that does not wait: for faces that must go on listening to keys
 * and events. Each call has a link of its own, which is closed when it is freed.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include <systemd/sd-event.h>
#include <systemd/sd-json.h>

/*
 * The answer; told once, never from inside client_call_start(). err is NULL if it succeeded; else
 * reply holds the error's own fields (INTERFACE: Refused has "next"), or is NULL if nobody answered
 * in time. reply is borrowed.
 */
typedef void (*client_reply_fn)(sd_json_variant *reply, const struct error *err, void *user);

struct client_call;

/*
 * socket, method, parameters and limits: as those of client_call(). Returns 0, or a negative errno
 * with err filled (fn is not called then).
 */
int client_call_start(sd_event *event, const char *socket, const char *method,
		      sd_json_variant *parameters, client_reply_fn fn, void *user,
		      struct client_call **ret, struct error *err);

/* Also from inside fn; a call that was not answered yet is given up, the service may still do what
 * it was asked. NULL is fine; returns NULL. */
struct client_call *client_call_free(struct client_call *call);
DEFINE_CLEANUP(struct client_call *, client_call_free)
