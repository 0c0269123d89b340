/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/silence.h"

enum {
	MS_PER_S = 1000,
	/* in the restore system idevicerestore takes up to a minute to see that it is to end */
	GRACE_MS = 75 * MS_PER_S,
};

void silence_begin(struct silence *silence, unsigned silence_s, unsigned total_s, uint64_t now_ms)
{
	*silence = (struct silence){
		.silence_ms = (uint64_t)silence_s * MS_PER_S,
		.total_ms = (uint64_t)total_s * MS_PER_S,
		.grace_ms = GRACE_MS,
		.began_ms = now_ms,
		.news_ms = now_ms,
	};
}

void silence_news(struct silence *silence, uint64_t now_ms)
{
	silence->news_ms = now_ms;
	silence->told = false;
}

void silence_end(struct silence *silence, uint64_t grace_ms, uint64_t now_ms)
{
	if (silence->ended_ms != 0)
		return;
	silence->ended_ms = now_ms;
	silence->grace_ms = grace_ms;
}

enum silence_act silence_next(struct silence *silence, uint64_t now_ms)
{
	uint64_t quiet_ms = now_ms - silence->news_ms;

	if (silence->ended_ms != 0) {
		if (silence->killed || now_ms - silence->ended_ms < silence->grace_ms)
			return SILENCE_WAIT;
		silence->killed = true;
		return SILENCE_KILL;
	}
	if (silence->total_ms != 0 && now_ms - silence->began_ms >= silence->total_ms) {
		silence->ended_ms = now_ms;
		return SILENCE_OVER;
	}
	if (silence->silence_ms == 0)
		return SILENCE_WAIT;
	if (quiet_ms >= silence->silence_ms) {
		silence->ended_ms = now_ms;
		return SILENCE_END;
	}
	if (!silence->told && quiet_ms >= silence->silence_ms / 2) {
		silence->told = true;
		return SILENCE_STALLED;
	}
	return SILENCE_WAIT;
}

uint64_t silence_due_ms(const struct silence *silence)
{
	uint64_t due_ms = UINT64_MAX, quiet_due_ms;

	if (silence->ended_ms != 0)
		return silence->killed ? UINT64_MAX : silence->ended_ms + silence->grace_ms;
	if (silence->total_ms != 0)
		due_ms = silence->began_ms + silence->total_ms;
	if (silence->silence_ms == 0)
		return due_ms;
	quiet_due_ms =
	    silence->news_ms + (silence->told ? silence->silence_ms : silence->silence_ms / 2);
	return quiet_due_ms < due_ms ? quiet_due_ms : due_ms;
}
