/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * All jobs of this computer: makes new ones, takes up those that a former service left, does what
 * doctor/job.h says is next, and tells of every change.
 */
#include "bus/trouble.h"
#include "doctor/job.h"
#include "phone/fleet.h"
#include "service/storage.h"
#include "service/worker_pool.h"

/* Jobs that Jobs() lists: the newest. */
enum { JOBS_LISTED_MAX = 64 };

struct jobs;

/* A job changed; the object `job` of the interface is borrowed for the call. */
typedef void (*jobs_changed_fn)(sd_json_variant *job, void *user);
/* The owner calls jobs_review() soon, from the loop. */
typedef void (*jobs_touched_fn)(void *user);

struct jobs_options {
	struct fleet *fleet;      /* borrowed, like pool and storage */
	struct worker_pool *pool; /* NULL: nothing can be done, jobs are only listed */
	const struct storage *storage;
	sd_event *event;
	jobs_changed_fn changed_fn;
	jobs_touched_fn touched_fn;
	void *user;
};

/* Loads the jobs of all folders; those of this boot that have not ended go on with the first
 * review. 0 or a negative errno. */
int jobs_new(const struct jobs_options *options, struct jobs **ret);
/* Lets go of everything; engines go on. NULL is fine; returns NULL. */
struct jobs *jobs_free(struct jobs *jobs);
DEFINE_CLEANUP(struct jobs *, jobs_free)

/* Loads those of a folder that came later: the stick's data partition. Each review does it, too. */
void jobs_look(struct jobs *jobs);

/* What the kernel says of ports, borrowed until the next call; NULL (as at first): not known. */
void jobs_troubles(struct jobs *jobs, const struct troubles *troubles);

/* After any change of the fleet, and at jobs_deadline(). Not from inside a fleet event. */
void jobs_review(struct jobs *jobs);
uint64_t jobs_deadline(const struct jobs *jobs); /* UINT64_MAX: nothing to wait for */

/*
 * Carries a plan out. consented: LAST4 that was typed for it (checked by consent_use()), NULL none.
 * Returns 0 with the new job's id, or a negative errno with err filled; then nothing is left.
 */
int jobs_start(struct jobs *jobs, const struct plan *plan, const char *consented,
	       char ret_id[static JOB_ID_BYTES], struct error *err);
/* -ENOENT (err untouched): no such job. Others with err filled. */
int jobs_cancel(struct jobs *jobs, const char *id, struct error *err);
/* Halts a download, and lets it go on (doctor/job.h). As jobs_cancel(). */
int jobs_pause(struct jobs *jobs, const char *id, struct error *err);
int jobs_resume(struct jobs *jobs, const char *id, struct error *err);
/* consented: LAST4 that was checked; NULL is no. To a step that waits for the person: anything but
 * NULL is "done", NULL is "pass it over". */
int jobs_answer(struct jobs *jobs, const char *id, const char *consented, struct error *err);

/* The question that a job asks; NULL if there is none. Borrowed until the next call. */
const struct question *jobs_question(const struct jobs *jobs, const char *id);

/* Objects of the interface; the caller unrefs. -ENOENT: no such job. */
int jobs_build(const struct jobs *jobs, const char *id, sd_json_variant **ret);
/* Newest first. present: only those that have not ended, and the last that has of each phone. */
int jobs_build_all(const struct jobs *jobs, bool present, sd_json_variant **ret);
/* What report_make() says; the caller unrefs and frees. -ENOENT: no such job. */
int jobs_report(const struct jobs *jobs, const char *id, sd_json_variant **ret_json,
		char **ret_text);

/* True if a job that has not ended, other than `but` (NULL: any), needs this firmware file. */
bool jobs_need_file(const struct jobs *jobs, const char *path, const char *but);
/* True if one keeps firmware in this folder, or is about to put some there. */
bool jobs_need_folder(const struct jobs *jobs, const char *folder);
