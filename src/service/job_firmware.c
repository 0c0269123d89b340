/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The work of the steps catalogue, fetch and check: it needs no phone. */
#include "base/clock.h"
#include "base/log.h"
#include "service/fields.h"
#include "service/job_run.h"
#include <string.h>

static void on_catalogue_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	sd_json_variant *object = field_object(result, "firmware"), *facts = NULL;
	struct firmware firmware;

	if (!work_succeeded(run, err))
		return;
	if (firmware_from_json(object, &firmware) < 0) {
		work_answer_is_wrong(run);
		return;
	}
	(void)sd_json_buildo(&facts, SD_JSON_BUILD_PAIR_VARIANT("firmware", object));
	run_step_done(run, facts, false);
}

/* The plan was made from the catalogue; only one that has nothing yet asks it (again). */
void work_catalogue(struct run *run)
{
	const struct plan *plan = job_plan(run->job);
	sd_json_variant *fields = NULL;
	int r;

	if (plan->firmware.url[0] != '\0' || plan->firmware.path[0] != '\0') {
		run_step_done(run, NULL, true);
		return;
	}
	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_STRING("product", plan->product),
	    SD_JSON_BUILD_PAIR_CONDITION(plan->firmware.build[0] != '\0', "build",
					 SD_JSON_BUILD_STRING(plan->firmware.build)));
	work_ask(run, "catalogue", r, fields, NULL, on_catalogue_end);
}

static void on_fetch_event(const char *name, sd_json_variant *event, void *user)
{
	struct run *run = user;

	if (strcmp(name, "progress") == 0) {
		progress_update(&run->progress, "download", field_unsigned(event, "done", 0),
				field_unsigned(event, "total", 0), true, clock_now_ms());
		run->progressed = true;
		run->jobs->options.touched_fn(run->jobs->options.user);
	} else {
		log_info("job %s: fetch: %s %s", run->id, name,
			 field_string(event, "reason") ?: "");
	}
}

/* It lies where it was to be put, and nowhere else. */
static bool is_ours(const struct run *run, const struct firmware *firmware)
{
	char folder[PLAN_ROOM_BYTES];
	size_t n;

	room_firmware_folder(&job_plan(run->job)->room, folder);
	n = strlen(folder);
	return strncmp(firmware->path, folder, n) == 0 && firmware->path[n] == '/' &&
	       !strchr(firmware->path + n + 1, '/');
}

static void on_fetch_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	struct firmware firmware;
	sd_json_variant *facts = NULL;
	int r;

	if (!work_succeeded(run, err))
		return;
	if (firmware_from_json(field_object(result, "firmware"), &firmware) < 0 ||
	    !is_ours(run, &firmware) || !firmware.verified) {
		work_answer_is_wrong(run);
		return;
	}
	r = storage_note_firmware(&firmware);
	if (r < 0)
		log_warning("what firmware %s is cannot be noted: %s", firmware.path, strerror(-r));
	(void)sd_json_buildo(
	    &facts, SD_JSON_BUILD_PAIR_VARIANT("firmware", field_object(result, "firmware")),
	    SD_JSON_BUILD_PAIR_UNSIGNED("fetched", field_unsigned(result, "fetched", 0)));
	run_step_done(run, facts, false);
}

/* Also a file of the cache passes through here: the worker computes its hash. */
void work_fetch(struct run *run)
{
	const struct plan *plan = job_plan(run->job);
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	sd_json_variant *fields = NULL;
	char folder[PLAN_ROOM_BYTES];
	int r;

	if (plan->firmware.url[0] == '\0') {
		run_step_done(run, NULL, true); /* a file that the person brought */
		return;
	}
	room_firmware_folder(&plan->room, folder);
	r = firmware_to_json(&plan->firmware, &object);
	if (r >= 0)
		r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_VARIANT("firmware", object),
				   SD_JSON_BUILD_PAIR_STRING("folder", folder));
	work_ask(run, "fetch", r, fields, on_fetch_event, on_fetch_end);
}

static bool has_variant(sd_json_variant *variants, const struct variant *wanted)
{
	for (size_t i = 0; i < sd_json_variant_elements(variants); i++) {
		struct variant found;

		if (variant_from_json(sd_json_variant_by_index(variants, i), &found) >= 0 &&
		    strcmp(found.name, wanted->name) == 0 && found.erases == wanted->erases)
			return true;
	}
	return false;
}

static void on_check_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	const struct plan *plan = job_plan(run->job);
	sd_json_variant *facts = NULL;
	struct firmware checked;

	if (!work_succeeded(run, err))
		return;
	if (firmware_from_json(field_object(result, "firmware"), &checked) < 0) {
		work_answer_is_wrong(run);
		return;
	}
	if (strcmp(checked.build, plan->firmware.build) != 0) {
		run_step_fail(run, ERROR_BAD_FILE, false,
			      "the firmware file holds another build than was planned");
		return;
	}
	if (plan->variant.name[0] != '\0' &&
	    !has_variant(field_array(result, "variants"), &plan->variant)) {
		run_step_fail(run, ERROR_BAD_FILE, false,
			      "the firmware file cannot be installed on this board as planned");
		return;
	}
	(void)sd_json_buildo(
	    &facts, SD_JSON_BUILD_PAIR_UNSIGNED("members", field_unsigned(result, "members", 0)));
	run_step_done(run, facts, false);
}

void work_check(struct run *run)
{
	const struct plan *plan = job_plan(run->job);
	char path[FIRMWARE_PATH_BYTES];
	sd_json_variant *fields = NULL;
	int r;

	if (!run_firmware_path(run, path)) {
		run_step_fail(run, ERROR_BUG, false, "the path of the firmware is too long");
		return;
	}
	r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("path", path),
			   SD_JSON_BUILD_PAIR_STRING("product", plan->product),
			   SD_JSON_BUILD_PAIR_STRING("board", plan->board));
	work_ask(run, "check", r, fields, NULL, on_check_end);
}
