/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "timers.h"

#include <limits.h>

void timer_disarm(struct timers *ts, struct timer *t)
{
	if (!t->armed)
		return;
	for (struct timer **p = &ts->first; *p; p = &(*p)->next) {
		if (*p == t) {
			*p = t->next;
			break;
		}
	}
	t->armed = false;
	t->next = nullptr;
}

void timer_arm(struct timers *ts, struct timer *t, uint64_t delay_ms, timer_fn fn, void *user)
{
	struct timer **p = &ts->first;

	timer_disarm(ts, t);
	*t = (struct timer){
		.due_ms = ts->now_ms + delay_ms, .fn = fn, .user = user, .armed = true
	};
	while (*p && (*p)->due_ms <= t->due_ms)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
}

void timers_run(struct timers *ts, uint64_t now_ms)
{
	while (ts->first && ts->first->due_ms <= now_ms) {
		struct timer *t = ts->first;

		/* The clock stops at each timer, so that what it arms counts from its own time. */
		if (t->due_ms > ts->now_ms)
			ts->now_ms = t->due_ms;
		timer_disarm(ts, t);
		t->fn(t->user);
	}
	if (now_ms > ts->now_ms)
		ts->now_ms = now_ms;
}

int timers_wait_ms(const struct timers *ts)
{
	uint64_t wait;

	if (!ts->first)
		return -1;
	if (ts->first->due_ms <= ts->now_ms)
		return 0;
	wait = ts->first->due_ms - ts->now_ms;
	return wait > INT_MAX ? INT_MAX : (int)wait;
}
