/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Other disks for firmware, by worker `disk` (worker/README.md): which there are, and the one that
 * the person named mounted and unmounted. What a worker says is copied field by field into the
 * object Disk of the interface.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "service/worker_pool.h"
#include <stdbool.h>
#include <systemd/sd-json.h>

struct disks;

/* pool is borrowed; NULL: nothing can be asked. 0 or -ENOMEM. */
int disks_new(struct worker_pool *pool, struct disks **ret);
/* Cancels what runs; nobody is called. Returns NULL. */
struct disks *disks_free(struct disks *disks);
DEFINE_CLEANUP(struct disks *, disks_free)

/* The answer: the object (borrowed for the call) with err == NULL, or err. Never from inside the
 * call that asked. */
typedef void (*disks_fn)(sd_json_variant *object, const struct error *err, void *user);

/* The three questions return 0, or a negative errno with err filled and fn never called. The object
 * is an array of Disk; */
int disks_list(struct disks *disks, disks_fn fn, void *user, struct error *err);
/* the Disk that was mounted, with its `folder` (volume: its name, /dev/NAME, uuid or label;
 * internal: one of this computer's own may be used); */
int disks_use(struct disks *disks, const char *volume, bool internal, disks_fn fn, void *user,
	      struct error *err);
/* NULL. All that were mounted are unmounted, but for the one with the uuid `keep` (NULL: all). */
int disks_end(struct disks *disks, const char *keep, disks_fn fn, void *user, struct error *err);

/* Nobody waits any more; what was begun is ended by the worker. */
void disks_forget(struct disks *disks, const void *user);
