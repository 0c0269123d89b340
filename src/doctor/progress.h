/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* How far a step is: amounts as they are reported, rate and remaining time estimated from them.
 * Pure; the caller brings the time. */
#include <stdint.h>
#include <systemd/sd-json.h>

enum { PROGRESS_PART_BYTES = 48, PROGRESS_FROM_BYTES = 128 };

struct progress {
	char part[PROGRESS_PART_BYTES]; /* part of the step: id of an engine step, "download"; ""
					   none */
	uint64_t done, total;           /* total 0: not known how much there is */
	bool bytes;                     /* done and total are bytes, else parts of a thousand */
	uint64_t rate;                  /* a second, over the last seconds; 0 not known yet */
	uint64_t remaining_s;           /* UINT64_MAX not known */
	char from[PROGRESS_FROM_BYTES]; /* the server that it comes from; "" none, or not known */
	/* for the estimate */
	uint64_t began_ms, last_ms, last_done;
	double smooth;
};

void progress_begin(struct progress *progress, uint64_t now_ms);
/* A new part begins a new estimate; done that goes back within a part does too. */
void progress_update(struct progress *progress, const char *part, uint64_t done, uint64_t total,
		     bool bytes, uint64_t now_ms);
/* It halts: nothing comes and nothing is awaited, what has come stays told. */
void progress_halt(struct progress *progress, uint64_t now_ms);
/* {"part","done","total","unit":"bytes"|"permille","rate","remaining_s","from"} without what is not
 * known.
 */
int progress_to_json(const struct progress *progress, sd_json_variant **ret);
