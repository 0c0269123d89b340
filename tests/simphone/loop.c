/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "text.h"

static uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void loop_init(struct loop *l)
{
	*l = (struct loop){ .timers.now_ms = clock_ms() };
	for (unsigned i = 0; i < LOOP_WATCHES; i++)
		l->watches[i].fd = -1;
}

static struct watch *watch_find(struct loop *l, int fd)
{
	for (unsigned i = 0; i < LOOP_WATCHES; i++)
		if (l->watches[i].fd == fd)
			return &l->watches[i];
	return nullptr;
}

bool loop_watch(struct loop *l, int fd, short events, watch_fn fn, void *user)
{
	struct watch *w = watch_find(l, fd);

	if (!w)
		w = watch_find(l, -1);
	if (!w)
		return false;
	*w = (struct watch){ fd, events, fn, user };
	return true;
}

void loop_unwatch(struct loop *l, int fd)
{
	struct watch *w = watch_find(l, fd);

	if (w)
		w->fd = -1;
}

void loop_run(struct loop *l)
{
	while (!l->quit) {
		struct pollfd fds[LOOP_WATCHES];

		for (unsigned i = 0; i < LOOP_WATCHES; i++)
			fds[i] = (struct pollfd){ .fd = l->watches[i].fd,
						  .events = l->watches[i].events };
		if (poll(fds, LOOP_WATCHES, timers_wait_ms(&l->timers)) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		timers_run(&l->timers, clock_ms());
		for (unsigned i = 0; i < LOOP_WATCHES && !l->quit; i++) {
			struct watch *w = &l->watches[i];

			/* a handler before this one may have closed or replaced the descriptor */
			if (fds[i].fd >= 0 && fds[i].revents && w->fd == fds[i].fd)
				w->fn(w->user, fds[i].revents);
		}
	}
}
