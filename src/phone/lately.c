/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phone/lately.h"
#include <string.h>

static void drop_oldest(struct lately *lately)
{
	lately->count--;
	memmove(&lately->at_ms[0], &lately->at_ms[1], lately->count * sizeof(lately->at_ms[0]));
}

void lately_note(struct lately *lately, uint64_t now_ms)
{
	if (lately->count == LATELY_TIMES_MAX)
		drop_oldest(lately);
	lately->at_ms[lately->count++] = now_ms;
}

uint64_t lately_deadline(const struct lately *lately, uint64_t window_ms)
{
	return lately->count > 0 ? lately->at_ms[0] + window_ms : UINT64_MAX;
}

unsigned lately_fade(struct lately *lately, uint64_t window_ms, uint64_t now_ms)
{
	while (lately_deadline(lately, window_ms) <= now_ms)
		drop_oldest(lately);
	return lately->count;
}

void lately_join(struct lately *lately, const struct lately *older)
{
	struct lately joined = *older;

	for (unsigned i = 0; i < lately->count; i++)
		lately_note(&joined, lately->at_ms[i]);
	*lately = joined;
}
