/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* How fast bytes come, smoothed over some seconds: pure, the caller tells the time. */
#include <stdbool.h>
#include <stdint.h>

struct fetch_rate {
	bool begun;
	uint64_t at_ms, bytes; /* of the last measurement */
	uint64_t per_s;        /* 0: not known yet */
};

/* `bytes` have come in all at now_ms (of clock_now_ms()); may be called at any time. */
void fetch_rate_tell(struct fetch_rate *rate, uint64_t now_ms, uint64_t bytes);
/* Seconds for so many more bytes, rounded up. Only while per_s is not 0. */
uint64_t fetch_rate_left_s(const struct fetch_rate *rate, uint64_t bytes);
