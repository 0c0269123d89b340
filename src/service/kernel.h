/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the kernel complains of at USB ports, through one kernel-watch worker that is kept running
 * for the whole life of the service.
 */
#include "bus/trouble.h"
#include "service/worker_pool.h"

struct kernel;

/* Something is different: the table of troubles, or whether the kernel's messages are read. */
typedef void (*kernel_fn)(void *user);

/* Starts the worker from the loop, so fn is never called from inside. pool is borrowed. */
int kernel_new(struct worker_pool *pool, kernel_fn fn, void *user, struct kernel **ret);
struct kernel *kernel_free(struct kernel *kernel); /* NULL is fine; returns NULL */
DEFINE_CLEANUP(struct kernel *, kernel_free)

/* Borrowed; the same for the whole life of the watch. Empty while nothing is read. */
const struct troubles *kernel_troubles(const struct kernel *kernel);
bool kernel_is_read(const struct kernel *kernel);
