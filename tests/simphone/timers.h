/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Timers of the core. The core has no clock of its own: the loop (or a test with a made-up clock)
 * tells it the time, so a run can be repeated. Times are milliseconds since an arbitrary start.
 */
#pragma once

#include <stdint.h>

typedef void (*timer_fn)(void *user);

/* Embedded in its owner; zeroed memory is a timer at rest. */
struct timer {
	struct timer *next; /* while armed: the next one due */
	uint64_t due_ms;
	timer_fn fn;
	void *user;
	bool armed;
};

struct timers {
	struct timer *first;
	uint64_t now_ms;
};

/* Arms (or re-arms) @t to call @fn once, @delay_ms from now. */
void timer_arm(struct timers *ts, struct timer *t, uint64_t delay_ms, timer_fn fn, void *user);
void timer_disarm(struct timers *ts, struct timer *t);

/* Moves the clock to @now_ms and runs what is due, in order. */
void timers_run(struct timers *ts, uint64_t now_ms);

/* Milliseconds until the next timer, 0 if one is due, -1 if none is armed. */
int timers_wait_ms(const struct timers *ts);
