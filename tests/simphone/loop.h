/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The one thread: poll() over a handful of descriptors, and the core's timers told the time. Owned
 * by main.
 */
#pragma once

#include "timers.h"

enum { LOOP_WATCHES = 192 };

struct loop;

/* Called with the poll() events that came true. */
typedef void (*watch_fn)(void *user, short events);

struct watch {
	int fd; /* -1: free */
	short events;
	watch_fn fn;
	void *user;
};

struct loop {
	struct timers timers;
	struct watch watches[LOOP_WATCHES];
	bool quit;
};

void loop_init(struct loop *l);

/* Watches @fd, or changes what is watched if it is known already. False: no room. The descriptor
 * stays the caller's. */
bool loop_watch(struct loop *l, int fd, short events, watch_fn fn, void *user);
void loop_unwatch(struct loop *l, int fd);

/* Runs until `quit`. */
void loop_run(struct loop *l);
