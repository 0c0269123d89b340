/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rate is an average that forgets: each report counts by the time since the one before, against
 * a memory of RATE_MEMORY_MS. Nothing is told before RATE_FIRST_MS, because first numbers lie.
 */
#include "doctor/progress.h"
#include "base/object.h"
#include "base/text.h"
#include <string.h>

enum { RATE_MEMORY_MS = 5000, RATE_STEP_MS = 250, RATE_FIRST_MS = 2000 };

static void begin_estimate(struct progress *progress, uint64_t now_ms)
{
	progress->began_ms = progress->last_ms = now_ms;
	progress->last_done = progress->done;
	progress->smooth = 0;
	progress->rate = 0;
	progress->remaining_s = UINT64_MAX;
}

void progress_begin(struct progress *progress, uint64_t now_ms)
{
	*progress = (struct progress){ 0 };
	begin_estimate(progress, now_ms);
}

/* Takes the amount since the last report into the average. */
static void estimate(struct progress *progress, uint64_t now_ms)
{
	uint64_t passed = now_ms - progress->last_ms;
	double now, weight;

	if (now_ms < progress->last_ms || passed < RATE_STEP_MS)
		return;
	now = (double)(progress->done - progress->last_done) * 1000 / (double)passed;
	weight = (double)passed / (double)(passed + RATE_MEMORY_MS);
	/* the first reports weigh as much as their share of the whole time */
	if (progress->last_ms - progress->began_ms < RATE_MEMORY_MS)
		weight = (double)passed / (double)(now_ms - progress->began_ms);
	progress->smooth += weight * (now - progress->smooth);
	progress->last_ms = now_ms;
	progress->last_done = progress->done;
}

static void tell(struct progress *progress, uint64_t now_ms)
{
	double left;

	progress->rate = 0;
	progress->remaining_s = UINT64_MAX;
	if (now_ms < progress->began_ms || now_ms - progress->began_ms < RATE_FIRST_MS)
		return;
	progress->rate = (uint64_t)(progress->smooth + 0.5);
	if (progress->total == 0 || progress->smooth < 0.01)
		return;
	left = progress->done < progress->total ? (double)(progress->total - progress->done) : 0;
	progress->remaining_s = (uint64_t)(left / progress->smooth + 0.999);
}

void progress_update(struct progress *progress, const char *part, uint64_t done, uint64_t total,
		     bool bytes, uint64_t now_ms)
{
	char name[PROGRESS_PART_BYTES];
	bool anew;

	text_copy(name, sizeof(name), part);
	anew =
	    strcmp(name, progress->part) != 0 || done < progress->done || bytes != progress->bytes;
	memcpy(progress->part, name, sizeof(name));
	progress->done = done;
	progress->total = total;
	progress->bytes = bytes;
	if (anew)
		begin_estimate(progress, now_ms);
	else
		estimate(progress, now_ms);
	tell(progress, now_ms);
}

void progress_halt(struct progress *progress, uint64_t now_ms)
{
	begin_estimate(progress, now_ms);
}

int progress_to_json(const struct progress *progress, sd_json_variant **ret)
{
	struct object object = { 0 };

	object_text(&object, "part", progress->part);
	object_number(&object, "done", progress->done);
	if (progress->total > 0)
		object_number(&object, "total", progress->total);
	object_text(&object, "unit", progress->bytes ? "bytes" : "permille");
	if (progress->rate > 0)
		object_number(&object, "rate", progress->rate);
	if (progress->remaining_s != UINT64_MAX)
		object_number(&object, "remaining_s", progress->remaining_s);
	object_text(&object, "from", progress->from);
	return object_end(&object, ret);
}
