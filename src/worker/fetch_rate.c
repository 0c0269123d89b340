/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/fetch_rate.h"

enum {
	LEAST_MS = 400,   /* between two measurements */
	SMOOTH_MS = 5000, /* what is older counts for less than half */
	MS_PER_S = 1000,
};

void fetch_rate_tell(struct fetch_rate *rate, uint64_t now_ms, uint64_t bytes)
{
	uint64_t ms = now_ms - rate->at_ms, now_per_s;

	if (!rate->begun) {
		*rate = (struct fetch_rate){ .begun = true, .at_ms = now_ms, .bytes = bytes };
		return;
	}
	if (ms < LEAST_MS || bytes < rate->bytes)
		return;
	now_per_s = (bytes - rate->bytes) * MS_PER_S / ms;
	rate->at_ms = now_ms;
	rate->bytes = bytes;
	if (rate->per_s == 0)
		rate->per_s = now_per_s;
	else
		rate->per_s = (rate->per_s * SMOOTH_MS + now_per_s * ms) / (SMOOTH_MS + ms);
}

uint64_t fetch_rate_left_s(const struct fetch_rate *rate, uint64_t bytes)
{
	return (bytes + rate->per_s - 1) / rate->per_s;
}
