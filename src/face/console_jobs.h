/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The jobs that the service told of, and what the console reads from one: an object of the
 * interface's type Job (service/interface.h). No terminal, no clock, no I/O.
 */
#include "doctor/job.h"
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-json.h>

/* More than that are not kept: the oldest that has ended makes room. */
enum { CONSOLE_JOBS_MAX = 64 };

struct console_jobs {
	sd_json_variant *objects[CONSOLE_JOBS_MAX]; /* owned; newest first */
	size_t count;
};

void console_jobs_done(struct console_jobs *jobs);
/* A job that is new or has changed. Returns 1, 0 if there is no room, or -EBADMSG. */
int console_jobs_take(struct console_jobs *jobs, sd_json_variant *object);
/* The jobs of a snapshot: others are forgotten, except that they have ended. 0 or -EBADMSG. */
int console_jobs_snapshot(struct console_jobs *jobs, sd_json_variant *array);
/* NULL if there is none. Borrowed until the jobs change. */
sd_json_variant *console_jobs_find(const struct console_jobs *jobs, const char *id);
/* Those that have not ended. */
size_t console_jobs_running(const struct console_jobs *jobs);

const char *console_job_id(sd_json_variant *job);
enum job_state console_job_state(sd_json_variant *job); /* JOB_STATE_MAX if it is none of ours */
bool console_job_ended(sd_json_variant *job);
/* Index of its present step, SIZE_MAX if there is none. */
size_t console_job_step(sd_json_variant *job);
/* True if the person may stop it now. */
bool console_job_may_cancel(sd_json_variant *job);
bool console_job_may_pause(sd_json_variant *job); /* a download that runs */
/* True if it is of the phone with this key, ECID or UDID ("" unknown). A job that has ended is no
 * longer told by its port: another phone may be there now. */
bool console_job_is_of(sd_json_variant *job, const char *key, const char *ecid, const char *udid);
