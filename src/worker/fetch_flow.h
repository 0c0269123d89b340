/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The way of the bytes from the connections to the part: a window in memory, and two threads that
 * empty it in order. One writes, makes the SHA-1 and commits; the other makes the SHA-256.
 */
#include "worker/fetch_part.h"

struct flow;

/*
 * Begins where the part rests (borrowed; nobody else touches it until flow_free(), but for its
 * etag). http (borrowed) is woken when there is room again, or nothing goes any more. All other
 * functions are for the one thread that called this. 0, or a negative errno with err set.
 */
int flow_new(struct part *part, struct http *http, struct flow **ret, struct error *err);
/* Ends the threads at once. The part may be used again after flow_settle(), else it must be
 * restarted or freed. NULL is fine; returns NULL. */
struct flow *flow_free(struct flow *flow);

/* Where the byte `at` belongs, *ret_n bytes in one piece; at is below flow_limit(). */
uint8_t *flow_place(struct flow *flow, uint64_t at, size_t *ret_n);
/* All bytes before `ready` are in the window (or through it). */
void flow_ready(struct flow *flow, uint64_t ready);
/* Bytes before this have room. starving: wake when it grows. */
uint64_t flow_limit(struct flow *flow, bool starving);
/* Waits for room behind `at`, for a server that sends faster than the disk takes. 0, or a negative
 * errno with err set: nothing goes any more. */
int flow_wait_room(struct flow *flow, uint64_t at, struct error *err);
/* Bytes that are written and hashed. */
uint64_t flow_done(struct flow *flow);
/* 0, or what the threads broke with. */
int flow_check(struct flow *flow, struct error *err);
/* Bytes that are done meanwhile; called about twice a second, or more often. */
typedef void (*flow_progress_fn)(void *context, uint64_t done);
/* Waits until all that is ready is written, hashed and committed: the part rests. As flow_check().
 * A slow disk may take minutes: progress (NULL: nobody) is told. */
int flow_settle(struct flow *flow, flow_progress_fn progress, void *context, struct error *err);
