/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * When to stop waiting for the engine, which itself waits for ever (reference: idevicerestore.md
 * §0). Pure: the caller brings the time, milliseconds of clock_now_ms().
 *
 *   news ─▶ quiet ──half of the limit──▶ stalled ──limit──▶ end (SIGTERM) ──grace──▶ kill (SIGKILL)
 *             ▲                             │ news
 *             └─────────────────────────────┘
 */
#include <stdbool.h>
#include <stdint.h>

enum silence_act {
	SILENCE_WAIT,
	SILENCE_STALLED, /* tell that there was no news for a while */
	SILENCE_END,     /* end it: no news */
	SILENCE_OVER,    /* end it: it took too long in all */
	SILENCE_KILL,    /* it did not end */
};

struct silence {
	uint64_t silence_ms, total_ms; /* 0: no limit */
	uint64_t grace_ms;             /* between end and kill */
	uint64_t began_ms, news_ms;
	uint64_t ended_ms; /* when the end was asked for; 0 not yet */
	bool told, killed;
};

void silence_begin(struct silence *silence, unsigned silence_s, unsigned total_s, uint64_t now_ms);
void silence_news(struct silence *silence, uint64_t now_ms);
/* The caller ends it for a reason of its own and gives it grace_ms. */
void silence_end(struct silence *silence, uint64_t grace_ms, uint64_t now_ms);
/* What is to be done now; each act is told once, but SILENCE_STALLED once for every silence. */
enum silence_act silence_next(struct silence *silence, uint64_t now_ms);
/* When to ask silence_next() again; UINT64_MAX for never. */
uint64_t silence_due_ms(const struct silence *silence);
