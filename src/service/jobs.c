/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the runs: one for each job that has not ended, and for the newest of those that have. A job
 * that has ended is not kept in memory but read from its folder when somebody asks: journals are
 * the truth, and a service that runs for weeks stays small.
 *
 * Invariants: run->job == NULL exactly for a job that had ended and was told of; the list is sorted
 * by id, newest first (ids begin with the time).
 */
#include "service/jobs.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "service/fields.h"
#include "service/job_run.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- the list -------------------------------------------------------------------------------- */

static void run_free(struct run *run)
{
	run_drop_work(run);
	job_free(run->job);
	free(run);
}

static struct run *find_run(const struct jobs *jobs, const char *id)
{
	struct run *run = jobs->runs;

	while (run && strcmp(run->id, id) != 0)
		run = run->next;
	return run;
}

/* Takes the job. */
static struct run *add_run(struct jobs *jobs, struct job *job)
{
	struct run *run = calloc(1, sizeof(*run)), **at = &jobs->runs;

	if (!run) {
		job_free(job);
		return NULL;
	}
	*run = (struct run){
		.jobs = jobs,
		.job = job,
		.deadline_ms = UINT64_MAX,
		.step_until_ms = UINT64_MAX,
		.trust = TRUST_MAX,
		.progress = { .remaining_s = UINT64_MAX },
	};
	text_copy(run->id, sizeof(run->id), job_id(job));
	text_copy(run->folder, sizeof(run->folder), job_folder(job));
	text_copy(run->phone_key, sizeof(run->phone_key), job_plan(job)->phone);
	while (*at && strcmp((*at)->id, run->id) > 0)
		at = &(*at)->next;
	run->next = *at;
	*at = run;
	return run;
}

/* The oldest that have ended make room; their folders stay. */
static void drop_oldest(struct jobs *jobs)
{
	unsigned count = 0;

	for (struct run **at = &jobs->runs; *at;) {
		struct run *run = *at;

		if (++count <= JOBS_LISTED_MAX || run->job) {
			at = &run->next;
			continue;
		}
		*at = run->next;
		run_free(run);
	}
}

static void unload(struct run *run)
{
	run->job = job_free(run->job);
}

/* --- loading --------------------------------------------------------------------------------- */

/* As job_load(). One that another boot left unended has ended by that. */
static int read_job(const char *folder, struct job **ret, struct error *err)
{
	int r = job_load(folder, ret, err);

	if (r >= 0 && job_is_of_other_boot(*ret) && !job_state_is_end(job_state(*ret)))
		(void)job_strand(*ret);
	return r;
}

static void load_job(struct jobs *jobs, const char *folder, const char *name)
{
	char path[RUN_FOLDER_BYTES];
	struct job *job = NULL;
	struct error err;
	struct run *run;
	int n = snprintf(path, sizeof(path), "%s/%s", folder, name);

	if (n < 0 || (size_t)n >= sizeof(path))
		return;
	if (read_job(path, &job, &err) < 0) {
		log_warning("the job in %s cannot be read: %s", path, err.text);
		return;
	}
	if (find_run(jobs, job_id(job))) { /* the same folder, mounted twice */
		job_free(job);
		return;
	}
	run = add_run(jobs, job);
	if (!run)
		return;
	if (job_state_is_end(job_state(job))) {
		run->doing = DOING_OVER;
		(void)report_write(job); /* the former service may have ended before it */
		unload(run);
	} else {
		log_notice("job %s is taken up again", run->id);
	}
}

static void load_folder(struct jobs *jobs, const char *folder)
{
	DIR *dir = folder[0] != '\0' ? opendir(folder) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && strlen(entry->d_name) < JOB_ID_BYTES)
			load_job(jobs, folder, entry->d_name);
	if (dir)
		closedir(dir);
}

void jobs_look(struct jobs *jobs)
{
	char folders[STORAGE_FOLDERS_MAX][PLAN_ROOM_BYTES];
	bool news = false;

	storage_job_folders(jobs->options.storage, folders);
	for (size_t i = 0; i < STORAGE_FOLDERS_MAX; i++) {
		bool known = false;

		for (size_t k = 0; k < STORAGE_FOLDERS_MAX; k++)
			known |= strcmp(folders[i], jobs->folders[k]) == 0;
		if (!known)
			load_folder(jobs, folders[i]);
		news |= !known && jobs->runs;
	}
	memcpy(jobs->folders, folders, sizeof(jobs->folders));
	drop_oldest(jobs);
	if (news)
		jobs->options.touched_fn(jobs->options.user);
}

int jobs_new(const struct jobs_options *options, struct jobs **ret)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));

	if (!jobs)
		return -ENOMEM;
	jobs->options = *options;
	jobs_look(jobs);
	*ret = jobs;
	return 0;
}

void jobs_troubles(struct jobs *jobs, const struct troubles *troubles)
{
	jobs->troubles = troubles;
}

struct jobs *jobs_free(struct jobs *jobs)
{
	if (!jobs)
		return NULL;
	while (jobs->runs) {
		struct run *run = jobs->runs;

		jobs->runs = run->next;
		run_free(run);
	}
	free(jobs);
	return NULL;
}

/* --- telling --------------------------------------------------------------------------------- */

static bool says(sd_json_variant *object, const char *name)
{
	return sd_json_variant_by_key(object, name) != NULL;
}

/* When the person's time for what is to be done now is over, ms since the epoch; 0 none. */
static uint64_t person_until_ms(const struct run *run)
{
	uint64_t until_ms = 0, now_ms = clock_now_ms();

	switch (run->doing) {
	case DOING_AWAIT_PHONE:
		until_ms = run->deadline_ms;
		break;
	case DOING_AWAIT_PERSON:
	case DOING_AWAIT_BUTTONS:
		until_ms = run->step_until_ms;
		break;
	case DOING_WORK:
		if (run_step_kind(run) == STEP_PAIR)
			until_ms = run->step_until_ms;
		break;
	case DOING_NOTHING:
	case DOING_SEEK_ENGINE:
	case DOING_FOLLOW:
	case DOING_AWAIT_MODE:
	case DOING_AWAIT_TURN:
	case DOING_AWAIT_ANSWER:
	case DOING_PAUSE:
	case DOING_OVER:
		break;
	}
	if (until_ms <= now_ms || until_ms == UINT64_MAX)
		return 0;
	return clock_wall_ms() + (until_ms - now_ms);
}

static int add_answers(const struct run *run, sd_json_variant **object)
{
	unsigned answers = repair_answers(run);

	if (answers == 0)
		return 0;
	return sd_json_variant_set_fieldbo(
	    object, "answers",
	    SD_JSON_BUILD_PAIR_CONDITION(answers & ANSWER_YES, "yes", SD_JSON_BUILD_BOOLEAN(true)),
	    SD_JSON_BUILD_PAIR_CONDITION(answers & ANSWER_NO, "no", SD_JSON_BUILD_BOOLEAN(true)));
}

/* What only the run knows goes over what the journal says. */
static int add_present(const struct run *run, sd_json_variant **object)
{
	uint64_t until_ms;
	int r = 0;

	/* of one that has ended there is nothing to wait for */
	if (run->doing == DOING_OVER || !run->job || job_state_is_end(job_state(run->job)))
		return 0;
	if (run->guidance[0] != '\0')
		r = sd_json_variant_set_field_string(object, "guidance", run->guidance);
	if (r >= 0 && (run->doing == DOING_AWAIT_PHONE || run->left) && !says(*object, "awaiting"))
		r = sd_json_variant_set_field_string(object, "awaiting", "phone");
	until_ms = person_until_ms(run);
	if (r >= 0 && until_ms > 0)
		r = sd_json_variant_set_field_unsigned(object, "until_ms", until_ms);
	return r < 0 ? r : add_answers(run, object);
}

static int run_build(const struct run *run, sd_json_variant **ret)
{
	_cleanup_(job_freep) struct job *loaded = NULL;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	bool works = run->doing == DOING_WORK || run->doing == DOING_FOLLOW ||
		     (run->job && job_state(run->job) == JOB_PAUSED);
	const struct job *job = run->job;
	int r = 0;

	if (!job) {
		r = read_job(run->folder, &loaded, NULL);
		job = loaded;
	}
	if (r >= 0)
		r = job_to_json(job, works && run->progress.part[0] != '\0' ? &run->progress : NULL,
				&object);
	if (r >= 0)
		r = add_present(run, &object);
	if (r >= 0)
		*ret = TAKE(object);
	return r;
}

static void tell(struct run *run)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	int r = run_build(run, &object);

	run->changed = run->progressed = false;
	run->told_ms = clock_now_ms();
	if (r < 0)
		log_error("job %s cannot be told: %s", run->id, strerror(-r));
	else
		run->jobs->options.changed_fn(object, run->jobs->options.user);
}

static uint64_t progress_due_ms(const struct run *run)
{
	return run->told_ms + timing_ms(TIMING_PROGRESS);
}

void jobs_review(struct jobs *jobs)
{
	jobs_look(jobs);
	for (struct run *run = jobs->runs; run; run = run->next)
		if (run->job && jobs->options.pool)
			run_review(run);
	for (struct run *run = jobs->runs; run; run = run->next) {
		if (run->changed || (run->progressed && clock_now_ms() >= progress_due_ms(run)))
			tell(run);
		if (run->job && run->doing == DOING_OVER && job_state_is_end(job_state(run->job)))
			unload(run);
	}
	drop_oldest(jobs);
}

uint64_t jobs_deadline(const struct jobs *jobs)
{
	uint64_t deadline_ms = UINT64_MAX;

	for (const struct run *run = jobs->runs; run; run = run->next) {
		if (run->job && run->deadline_ms < deadline_ms)
			deadline_ms = run->deadline_ms;
		if (run->progressed && progress_due_ms(run) < deadline_ms)
			deadline_ms = progress_due_ms(run);
	}
	return deadline_ms;
}

/* --- what a person wants --------------------------------------------------------------------- */

/* The phone is taken before the job is written: all in one thread, so nobody comes between. */
static int check_phone(const struct jobs *jobs, const struct plan *plan, unsigned *ret_id,
		       struct error *err)
{
	const struct phone *phone;

	*ret_id = 0;
	if (strncmp(plan->phone, "product:", strlen("product:")) == 0)
		return 0;
	if (fleet_find(jobs->options.fleet, plan->phone, &phone, err) < 0)
		return -ENODEV;
	if (phone->job[0] != '\0')
		return error_set(err, ERROR_BUSY, "service", 0,
				 "job %s works on this phone: wait for its end, or cancel it",
				 phone->job);
	*ret_id = phone->id;
	return 0;
}

int jobs_start(struct jobs *jobs, const struct plan *plan, const char *consented,
	       char ret_id[static JOB_ID_BYTES], struct error *err)
{
	char folder[PLAN_ROOM_BYTES];
	struct job *job = NULL;
	unsigned phone_id;
	struct run *run;
	int r;

	if (!jobs->options.pool)
		return error_set(err, ERROR_UNSUPPORTED, "service", 0,
				 "a tape is played: nothing can be done with its phones");
	r = check_phone(jobs, plan, &phone_id, err);
	if (r < 0)
		return r;
	room_jobs_folder(&plan->room, folder);
	r = job_create(folder, plan, consented, &job, err);
	if (r < 0)
		return r;
	run = add_run(jobs, job);
	if (!run)
		return error_set_errno(err, ERROR_BUG, "service", ENOMEM, "job");
	if (phone_id != 0 && run_needs_phone(run)) {
		run->phone_id = phone_id;
		(void)fleet_set_job(jobs->options.fleet, phone_id, run->id, clock_now_ms());
	}
	log_notice("job %s: %s of %s", run->id, goal_name(plan->goal), plan->phone);
	text_copy(ret_id, JOB_ID_BYTES, run->id);
	run_tell(run);
	return 0;
}

/* The engine has the phone: only it can end well. */
static bool engine_has_it(const struct run *run)
{
	return step_is_engine(run_step_kind(run)) &&
	       (run->doing == DOING_WORK || run->doing == DOING_FOLLOW ||
		run->doing == DOING_SEEK_ENGINE);
}

/* -ENOENT (err untouched): no such job. Others with err filled. */
static int find_unended(const struct jobs *jobs, const char *id, struct run **ret,
			struct error *err)
{
	struct run *run = find_run(jobs, id);

	if (!run)
		return -ENOENT;
	if (!run->job) {
		(void)error_set(err, ERROR_REFUSED, "job", 0, "the job has ended already");
		return -EBUSY;
	}
	*ret = run;
	return 0;
}

int jobs_cancel(struct jobs *jobs, const char *id, struct error *err)
{
	struct run *run = NULL;
	int r = find_unended(jobs, id, &run, err);

	if (r < 0)
		return r;
	if (engine_has_it(run))
		return engine_stop(run, err);
	r = job_cancel(run->job, err);
	if (r < 0)
		return r;
	log_notice("job %s was cancelled", run->id);
	run_stop_expecting(run);
	run_drop_work(run);
	run_guide(run, NULL);
	run_enter(run, DOING_NOTHING, UINT64_MAX);
	return 0;
}

int jobs_pause(struct jobs *jobs, const char *id, struct error *err)
{
	struct run *run = NULL;
	int r = find_unended(jobs, id, &run, err);

	if (r < 0)
		return r;
	r = job_pause(run->job, err);
	if (r < 0)
		return r;
	log_notice("job %s is paused", run->id);
	run_drop_work(run); /* the worker ends, and leaves what has come */
	progress_halt(&run->progress, clock_now_ms());
	run_guide(run, NULL);
	run_enter(run, DOING_NOTHING, UINT64_MAX);
	return 0;
}

int jobs_resume(struct jobs *jobs, const char *id, struct error *err)
{
	struct run *run = NULL;
	int r = find_unended(jobs, id, &run, err);

	if (r < 0)
		return r;
	r = job_resume(run->job, err);
	if (r < 0)
		return r;
	log_notice("job %s goes on", run->id);
	run_enter(run, DOING_NOTHING, UINT64_MAX);
	return 0;
}

int jobs_answer(struct jobs *jobs, const char *id, const char *consented, struct error *err)
{
	struct run *run = NULL;
	int r = find_unended(jobs, id, &run, err);

	if (r < 0)
		return r;
	if (repair_answers(run) != 0)
		return repair_answer(run, consented != NULL, err);
	if (consented && job_question(run->job))
		engine_wanted(run); /* first: an answer in the journal is acted on after a crash */
	r = job_answer(run->job, consented, err);
	if (r < 0)
		return r;
	run_enter(run, DOING_NOTHING, UINT64_MAX);
	return 0;
}

const struct question *jobs_question(const struct jobs *jobs, const char *id)
{
	const struct run *run = find_run(jobs, id);

	return run && run->job ? job_question(run->job) : NULL;
}

int jobs_build(const struct jobs *jobs, const char *id, sd_json_variant **ret)
{
	const struct run *run = find_run(jobs, id);

	return run ? run_build(run, ret) : -ENOENT;
}

/* The last that has ended of its phone: a newer one of the same phone hides it. */
static bool is_present(const struct jobs *jobs, const struct run *wanted)
{
	if (wanted->job)
		return true;
	for (const struct run *run = jobs->runs; run && run != wanted; run = run->next)
		if (!run->job && strcmp(run->phone_key, wanted->phone_key) == 0)
			return false;
	return true;
}

int jobs_build_all(const struct jobs *jobs, bool present, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	int r = sd_json_build(&array, SD_JSON_BUILD_EMPTY_ARRAY);

	for (const struct run *run = jobs->runs; r >= 0 && run; run = run->next) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

		if (present && !is_present(jobs, run))
			continue;
		if (run_build(run, &object) < 0) {
			log_warning("job %s cannot be read any more", run->id);
			continue;
		}
		r = sd_json_variant_append_array(&array, object);
	}
	if (r >= 0)
		*ret = TAKE(array);
	return r;
}

int jobs_report(const struct jobs *jobs, const char *id, sd_json_variant **ret_json,
		char **ret_text)
{
	_cleanup_(job_freep) struct job *loaded = NULL;
	const struct run *run = find_run(jobs, id);
	int r = 0;

	if (!run)
		return -ENOENT;
	if (!run->job)
		r = read_job(run->folder, &loaded, NULL);
	return r < 0 ? r : report_make(run->job ? run->job : loaded, ret_json, ret_text);
}
