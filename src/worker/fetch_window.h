/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which bytes of a file have been asked for, on several connections: pure bookkeeping, offsets in
 * bytes from the begin of the file.
 *
 *   |  ready: all here  | 8 MiB asked | 8 MiB asked | … |  not asked for yet  |
 *   0                   first gap                       next               size
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WINDOW_SPANS = 8 }; /* connections at most */
/* What one request asks for; less than the least only if it is all there is. */
static const uint64_t window_range_bytes = 8ULL << 20;
static const uint64_t window_range_least = 1ULL << 20;

/* Bytes that are asked for, or were and must be again. */
struct window_span {
	uint64_t at, end; /* at: the next byte that is missing */
	bool taken;       /* somebody fetches it */
};

struct window {
	uint64_t size; /* of the file */
	uint64_t next; /* nobody was asked for the bytes from here on */
	struct window_span spans[WINDOW_SPANS];
};

/* All bytes before `done` are there, no others are asked for. */
void window_reset(struct window *window, uint64_t done, uint64_t size);

/*
 * Takes the next bytes to ask for: what was given back first, else new ones, `most` at most, that
 * end at `limit` at most. Returns the slot of window->spans; -1: none may be asked for now.
 */
int window_take(struct window *window, uint64_t limit, uint64_t most);
/* n bytes of a slot have come; not more than it lacks. */
void window_advance(struct window *window, int slot, size_t n);
/* Who took the slot is done with it: it is free if it is whole, else to be taken anew. */
void window_release(struct window *window, int slot);
/* The answer for this slot, the only one that is taken, goes on to the end of the file. */
void window_widen(struct window *window, int slot);

/* All bytes before this are there. */
uint64_t window_ready(const struct window *window);
/* True if the slot is what keeps window_ready() where it is. */
bool window_holds_up(const struct window *window, int slot);
