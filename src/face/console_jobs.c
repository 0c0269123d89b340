/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/console_jobs.h"
#include "base/text.h"
#include "service/fields.h"
#include <errno.h>
#include <stdlib.h>

void console_jobs_done(struct console_jobs *jobs)
{
	for (size_t i = 0; i < jobs->count; i++)
		sd_json_variant_unref(jobs->objects[i]);
	jobs->count = 0;
}

static size_t jobs_index(const struct console_jobs *jobs, const char *id)
{
	for (size_t i = 0; i < jobs->count; i++)
		if (strcmp(console_job_id(jobs->objects[i]), id) == 0)
			return i;
	return SIZE_MAX;
}

static int job_compare(const void *a, const void *b)
{
	sd_json_variant *const *left = a, *const *right = b;
	uint64_t old = field_unsigned(*left, "created_ms", 0),
		 new = field_unsigned(*right, "created_ms", 0);

	if (old != new)
		return old < new ? 1 : -1;
	return strcmp(console_job_id(*right), console_job_id(*left));
}

static void jobs_drop(struct console_jobs *jobs, size_t index)
{
	sd_json_variant_unref(jobs->objects[index]);
	jobs->count--;
	for (size_t i = index; i < jobs->count; i++)
		jobs->objects[i] = jobs->objects[i + 1];
}

static bool jobs_make_room(struct console_jobs *jobs)
{
	for (size_t i = jobs->count; jobs->count == CONSOLE_JOBS_MAX && i-- > 0;)
		if (console_job_ended(jobs->objects[i]))
			jobs_drop(jobs, i);
	return jobs->count < CONSOLE_JOBS_MAX;
}

int console_jobs_take(struct console_jobs *jobs, sd_json_variant *object)
{
	size_t index;

	if (!sd_json_variant_is_object(object) || !*console_job_id(object))
		return -EBADMSG;
	index = jobs_index(jobs, console_job_id(object));
	if (index == SIZE_MAX) {
		if (!jobs_make_room(jobs))
			return 0;
		index = jobs->count++;
		jobs->objects[index] = NULL;
	}
	sd_json_variant_ref(object);
	sd_json_variant_unref(jobs->objects[index]);
	jobs->objects[index] = object;
	qsort(jobs->objects, jobs->count, sizeof(jobs->objects[0]), job_compare);
	return 1;
}

int console_jobs_snapshot(struct console_jobs *jobs, sd_json_variant *array)
{
	for (size_t i = jobs->count; i-- > 0;)
		if (!console_job_ended(jobs->objects[i]))
			jobs_drop(jobs, i);
	for (size_t i = 0; array && i < sd_json_variant_elements(array); i++) {
		int r = console_jobs_take(jobs, sd_json_variant_by_index(array, i));

		if (r < 0)
			return r;
	}
	return 0;
}

sd_json_variant *console_jobs_find(const struct console_jobs *jobs, const char *id)
{
	size_t index = *id ? jobs_index(jobs, id) : SIZE_MAX;

	return index == SIZE_MAX ? NULL : jobs->objects[index];
}

size_t console_jobs_running(const struct console_jobs *jobs)
{
	size_t count = 0;

	for (size_t i = 0; i < jobs->count; i++)
		count += !console_job_ended(jobs->objects[i]);
	return count;
}

const char *console_job_id(sd_json_variant *job)
{
	const char *id = field_string(job, "id");

	return id ? id : "";
}

enum job_state console_job_state(sd_json_variant *job)
{
	for (enum job_state state = 0; state < JOB_STATE_MAX; state++)
		if (field_is(job, "state", job_state_name(state)))
			return state;
	return JOB_STATE_MAX;
}

bool console_job_ended(sd_json_variant *job)
{
	return job_state_is_end(console_job_state(job));
}

size_t console_job_step(sd_json_variant *job)
{
	sd_json_variant *steps = field_array(job, "steps");
	size_t index = field_unsigned(job, "step", 0);

	return steps && index < sd_json_variant_elements(steps) ? index : SIZE_MAX;
}

static enum step_kind job_step_kind(sd_json_variant *job)
{
	size_t index = console_job_step(job);
	const char *kind = NULL;

	if (index != SIZE_MAX)
		kind = field_string(sd_json_variant_by_index(field_array(job, "steps"), index),
				    "kind");
	return step_from_name(kind ? kind : "");
}

bool console_job_may_cancel(sd_json_variant *job)
{
	enum step_kind step = job_step_kind(job);
	enum job_state state = console_job_state(job);

	if (state == JOB_READY || state == JOB_ASKING || state == JOB_PAUSED)
		return true;
	return state == JOB_RUNNING && !field_true(job, "touched") && step != STEP_KIND_MAX &&
	       step_fact(step)->cancel;
}

bool console_job_may_pause(sd_json_variant *job)
{
	return console_job_state(job) == JOB_RUNNING && job_step_kind(job) == STEP_FETCH;
}

bool console_job_is_of(sd_json_variant *job, const char *key, const char *ecid, const char *udid)
{
	const char *phone = field_string(job, "phone");
	const char *colon = phone ? strchr(phone, ':') : NULL;

	if (!colon)
		return false;
	if (strncmp(phone, "ecid:", strlen("ecid:")) == 0)
		return text_equal_fold(colon + 1, ecid);
	if (strncmp(phone, "udid:", strlen("udid:")) == 0)
		return text_equal_fold(colon + 1, udid);
	return !console_job_ended(job) && text_equal_fold(phone, key);
}
