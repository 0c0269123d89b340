/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The work of the step make-room. What goes stood on the plan's card, so starting the plan was the
 * consent; what somebody uses by now stays, and then the step fails before anything is fetched. The
 * journal holds the step's begin before a file goes, and what went after it.
 */
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "service/cache.h"
#include "service/job_run.h"
#include <errno.h>
#include <string.h>

/* The plan of a job that has not ended and needs a firmware; else NULL. */
static const struct plan *plan_of(const struct run *run)
{
	const struct plan *plan;

	if (!run->job || job_state_is_end(job_state(run->job)))
		return NULL;
	plan = job_plan(run->job);
	return plan->firmware.build[0] != '\0' ? plan : NULL;
}

/* The firmware that it will use, or is fetching. */
static bool run_needs(const struct run *run, const char *path)
{
	const struct plan *plan = plan_of(run);
	char wanted[FIRMWARE_PATH_BYTES];

	if (!plan)
		return false;
	return cache_file_is_of(path, &plan->firmware) ||
	       (run_firmware_path(run, wanted) && strcmp(path, wanted) == 0);
}

bool jobs_need_file(const struct jobs *jobs, const char *path, const char *but)
{
	for (const struct run *run = jobs->runs; run; run = run->next)
		if ((!but || strcmp(run->id, but) != 0) && run_needs(run, path))
			return true;
	return false;
}

bool jobs_need_folder(const struct jobs *jobs, const char *folder)
{
	for (const struct run *run = jobs->runs; run; run = run->next) {
		const struct plan *plan = plan_of(run);
		char ours[PLAN_ROOM_BYTES];

		if (!plan)
			continue;
		room_firmware_folder(&plan->room, ours);
		if (strcmp(ours, folder) == 0)
			return true;
	}
	return false;
}

static bool other_needs(const char *path, void *user)
{
	const struct run *run = user;

	return jobs_need_file(run->jobs, path, run->id);
}

static int dropped_add(sd_json_variant **array, const struct plan_drop *drop)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *element = NULL;
	int r = sd_json_buildo(&element, SD_JSON_BUILD_PAIR_STRING("file", drop->file),
			       SD_JSON_BUILD_PAIR_STRING("label", drop->label),
			       SD_JSON_BUILD_PAIR_UNSIGNED("bytes", drop->bytes));

	return r < 0 ? r : sd_json_variant_append_array(array, element);
}

/* What went, for people: labels, parted by semicolons. */
static void words_append(char *words, size_t bytes, const char *label)
{
	size_t used = strlen(words);

	if (used > 0)
		used += text_copy(words + used, bytes - used, "; ");
	(void)text_copy(words + used, bytes - used, label);
}

static void room_made(struct run *run, sd_json_variant *dropped, const char *words)
{
	_cleanup_free_ char *found = message_format("room-made", "files", words, NULL);
	sd_json_variant *facts = NULL;

	if (dropped && found)
		(void)sd_json_buildo(&facts, SD_JSON_BUILD_PAIR_VARIANT("dropped", dropped),
				     SD_JSON_BUILD_PAIR_STRING("found", found));
	run_step_done(run, facts, false);
}

/* It fails half-way: what went by then is told all the same. */
static void room_failed(struct run *run, sd_json_variant *dropped, const struct error *why)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;

	if (dropped && sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_VARIANT("dropped", dropped)) >= 0)
		(void)job_note(run->job, "dropped", fields);
	run_step_failed(run, why, false);
}

void work_make_room(struct run *run, const struct phone *phone)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *dropped = NULL;
	const struct plan *plan = job_plan(run->job);
	char words[RUN_GUIDANCE_BYTES] = "";
	struct error err;

	for (size_t i = 0; i < plan->drop_count; i++) {
		const struct plan_drop *drop = &plan->drops[i];
		int r = cache_drop_file(&plan->room, drop->file, other_needs, run, &err);

		if (r == -ENOENT)
			continue; /* gone before: an earlier attempt, or somebody's hand */
		if (r < 0) {
			room_failed(run, dropped, &err);
			return;
		}
		log_notice("job %s: %s was deleted to make room", run->id, drop->file);
		(void)dropped_add(&dropped, drop);
		words_append(words, sizeof(words), drop->label);
	}
	room_made(run, dropped, words);
}
