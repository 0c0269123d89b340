/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Follows a file of JSON lines that a worker appends to (worker/README.md, restore), from its first
 * byte to its `result` line, across any number of services: the file is the truth, the reader keeps
 * nothing.
 */
#include "base/cleanup.h"
#include <systemd/sd-event.h>
#include <systemd/sd-json.h>

struct follow;

/* An event line; the object is borrowed for the call. Must not free the follow. */
typedef void (*follow_event_fn)(const char *name, sd_json_variant *event, void *user);

/* The result line, or NULL: its writer is gone and wrote none. Called once; may free the follow. */
typedef void (*follow_end_fn)(sd_json_variant *result, void *user);

/* From the loop on, never from inside. -ENOENT if the file is not there, or a negative errno. */
int follow_new(sd_event *event, const char *path, follow_event_fn event_fn, follow_end_fn end_fn,
	       void *user, struct follow **ret);
struct follow *follow_free(struct follow *follow); /* NULL is fine; returns NULL */
DEFINE_CLEANUP(struct follow *, follow_free)
