/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How often something happened lately: the moments of the last few times. More than
 * LATELY_TIMES_MAX within the window count as that many.
 */
#include <stdint.h>

enum { LATELY_TIMES_MAX = 12 };

struct lately {
	unsigned count;
	uint64_t at_ms[LATELY_TIMES_MAX]; /* oldest first */
};

void lately_note(struct lately *lately, uint64_t now_ms);
/* Forgets what is older than window_ms; returns how many are left. */
unsigned lately_fade(struct lately *lately, uint64_t window_ms, uint64_t now_ms);
/* Moment at which lately_fade() will forget the next one, UINT64_MAX if none is left. */
uint64_t lately_deadline(const struct lately *lately, uint64_t window_ms);
/* Adds what happened before, in `older`. */
void lately_join(struct lately *lately, const struct lately *older);
