/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Where workers come from: sockets of units in the image, or forks of one program elsewhere; and
 * the end of those that were forked.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include <systemd/sd-event.h>

#define WORKER_DIRECTORY_DEFAULT "/run/idevicerescue-worker"

struct worker_pool;

/* A forked worker. Owned by the pool until it was reaped; a link only borrows it. */
struct worker_child;

/* The child has ended; the pointer is invalid afterwards. */
typedef void (*worker_exit_fn)(void *user);

/*
 * program: path of a worker program to fork for each request, NULL to connect to the socket
 * directory/KIND instead. Both are copied.
 */
int worker_pool_new(sd_event *event, const char *program, const char *directory,
		    struct worker_pool **ret);
/* Kills what still runs, but for what was released. All links must be gone. */
struct worker_pool *worker_pool_free(struct worker_pool *pool);
DEFINE_CLEANUP(struct worker_pool *, worker_pool_free)

/*
 * A stream to a new worker of this kind (fd owned by the caller, non-blocking, close-on-exec).
 * *ret_child is NULL for one that was not forked here; else fn is called when it ended, unless
 * worker_child_leave() came first.
 */
int worker_pool_open(struct worker_pool *pool, const char *kind, worker_exit_fn fn, void *user,
		     int *ret_fd, struct worker_child **ret_child, struct error *err);

/*
 * The stream was closed and nobody wants the child any more. cancelled: it gets SIGTERM at once.
 * What has not ended TIMING_WORKER_KILL later gets SIGKILL.
 */
void worker_child_leave(struct worker_child *child, bool cancelled);

/* The same for a child that goes on by itself: it is only reaped when it ends, and never killed. */
void worker_child_release(struct worker_child *child);

sd_event *worker_pool_event(struct worker_pool *pool);
