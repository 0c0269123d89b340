/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Invariants: spans do not overlap, none reaches beyond `next`; new bytes are asked for only when
 * no span waits to be taken again. So there are never more spans than connections.
 */
#include "worker/fetch_window.h"

void window_reset(struct window *window, uint64_t done, uint64_t size)
{
	*window = (struct window){ .size = size, .next = done };
}

static bool is_whole(const struct window_span *span)
{
	return span->at == span->end;
}

/* Who has taken it may still wait for the end of the answer. */
static bool is_free(const struct window_span *span)
{
	return is_whole(span) && !span->taken;
}

/* The span that was given back and comes first; -1: none. */
static int given_back(const struct window *window)
{
	int found = -1;

	for (int i = 0; i < WINDOW_SPANS; i++) {
		const struct window_span *span = &window->spans[i];

		if (is_whole(span) || span->taken)
			continue;
		if (found < 0 || span->at < window->spans[found].at)
			found = i;
	}
	return found;
}

int window_take(struct window *window, uint64_t limit, uint64_t most)
{
	uint64_t end = limit < window->size ? limit : window->size;
	int slot = given_back(window);

	if (slot >= 0) {
		window->spans[slot].taken = true;
		return slot;
	}
	if (end <= window->next || (end < window->size && end - window->next < window_range_least))
		return -1;
	if (end - window->next > most)
		end = window->next + most;
	for (int i = 0; i < WINDOW_SPANS; i++)
		if (is_free(&window->spans[i])) {
			window->spans[i] = (struct window_span){ window->next, end, true };
			window->next = end;
			return i;
		}
	return -1;
}

void window_advance(struct window *window, int slot, size_t n)
{
	window->spans[slot].at += n;
}

void window_release(struct window *window, int slot)
{
	struct window_span *span = &window->spans[slot];

	span->taken = false;
	/* the last one: as if it had not been asked for, so that it may be cut into ranges again */
	if (span->end == window->next && !is_whole(span)) {
		window->next = span->at;
		span->end = span->at;
	}
}

void window_widen(struct window *window, int slot)
{
	window->spans[slot].end = window->next = window->size;
}

uint64_t window_ready(const struct window *window)
{
	uint64_t ready = window->next;

	for (int i = 0; i < WINDOW_SPANS; i++)
		if (!is_whole(&window->spans[i]) && window->spans[i].at < ready)
			ready = window->spans[i].at;
	return ready;
}

bool window_holds_up(const struct window *window, int slot)
{
	return !is_whole(&window->spans[slot]) && window->spans[slot].at == window_ready(window);
}
