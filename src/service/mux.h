/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What usbmuxd lists, through one mux-watch worker that is kept running for the whole life of the
 * service.
 */
#include "service/worker_pool.h"
#include <stdbool.h>

enum mux_news {
	MUX_UP,   /* usbmuxd answers */
	MUX_DOWN, /* it does not, or nobody can tell: nothing is listed until it says so again */
	MUX_ATTACHED, /* it lists a UDID */
	MUX_DETACHED, /* it does so no longer */
	MUX_PAIRED,   /* it has a new record of this UDID: a phone has just trusted this computer */
	MUX_NEWS_MAX,
};

/*
 * udid (borrowed) with attached, detached and paired only; location (bus << 16 | address, 0
 * unknown) with the first two. why (borrowed): with down, if it is known what stood in the way,
 * else NULL.
 */
typedef void (*mux_fn)(enum mux_news news, const char *udid, unsigned location,
		       const struct error *why, void *user);

struct mux;

/* Starts the worker from the loop, so fn is never called from inside. pool is borrowed. */
int mux_new(struct worker_pool *pool, mux_fn fn, void *user, struct mux **ret);
struct mux *mux_free(struct mux *mux); /* NULL is fine; returns NULL */
DEFINE_CLEANUP(struct mux *, mux_free)
