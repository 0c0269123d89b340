/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Update and erase. The worker outlives the service: it writes what happens into engine-N.jsonl of
 * the job's folder, and this follows that file.
 *
 *   begin ──request──▶ work ──`following`──▶ follow ──result line, or the writer is gone──▶ outcome
 *   adopt ──file is there──────────────────▶ follow
 *      └── not (yet) ──▶ seek ──SEEK_MS later still not: it never began──▶ begin
 *                         └── it is there, but cannot be read: sought on, until its time is over
 *
 * Nothing is told twice: what a former service has journaled of the file is not journaled again,
 * because only `touched` (which the journal keeps once an attempt) and the result are.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "service/fields.h"
#include "service/job_run.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	ENGINE_PATH_BYTES = RUN_FOLDER_BYTES + 32,
	SEEK_MS = 2000, /* a worker that lost its service either has made its file or ends */
	MARGIN_MS = 120 * 1000, /* the worker ends the engine by itself before we give it up */
	CANCEL_MODE = 0660,
};

bool run_firmware_path(const struct run *run, char ret[static FIRMWARE_PATH_BYTES])
{
	const struct plan *plan = job_plan(run->job);
	char folder[PLAN_ROOM_BYTES];
	int n;

	if (plan->firmware.path[0] != '\0') { /* worker fetch said it, or the plan knew it */
		text_copy(ret, FIRMWARE_PATH_BYTES, plan->firmware.path);
		return true;
	}
	room_firmware_folder(&plan->room, folder);
	n = snprintf(ret, FIRMWARE_PATH_BYTES, "%s/%s", folder, plan->firmware.name);
	return n > 0 && n < FIRMWARE_PATH_BYTES;
}

static void cancel_path(const struct run *run, char ret[static ENGINE_PATH_BYTES])
{
	snprintf(ret, ENGINE_PATH_BYTES, "%s/cancel", run->folder);
}

static void engine_path(const struct run *run, char ret[static ENGINE_PATH_BYTES])
{
	snprintf(ret, ENGINE_PATH_BYTES, "%s/engine-%u.jsonl", run->folder, job_engine(run->job));
}

/* --- the file -------------------------------------------------------------------------------- */

static void take_progress(struct run *run, sd_json_variant *event)
{
	enum { WHOLE = 1000 };

	if (strcmp(run->guidance, message_find("job-engine-stalled")->text) == 0) {
		run_guide(run, NULL);
		run_tell(run);
	}
	progress_update(&run->progress, field_string(event, "step") ?: "",
			field_unsigned(event, "permille", 0), WHOLE, false, clock_now_ms());
	run->progressed = true;
	run->jobs->options.touched_fn(run->jobs->options.user);
}

static void on_engine_event(const char *name, sd_json_variant *event, void *user)
{
	struct run *run = user;

	if (strcmp(name, "progress") == 0) {
		take_progress(run, event);
	} else if (strcmp(name, "touched") == 0) {
		int r = job_is_touched(run->job) ? 0 : job_touched(run->job);

		if (r < 0)
			log_error("job %s: its journal cannot be written: %s", run->id,
				  strerror(-r));
		run_guide(run, NULL); /* a wish to stop it came too late */
		run_tell(run);
	} else if (strcmp(name, "stalled") == 0) {
		run_guide(run, message_find("job-engine-stalled")->text);
		run_tell(run);
	} else {
		log_info("job %s: engine: %s %s", run->id, name, field_string(event, "text") ?: "");
	}
}

static void engine_failed(struct run *run, sd_json_variant *result)
{
	sd_json_variant *object = field_object(result, "error");
	struct error err;

	(void)error_set(&err, error_kind_from_name(field_string(object, "kind") ?: "protocol"),
			field_string(object, "origin") ?: "idevicerestore",
			field_integer(object, "code", 0), "%s",
			field_string(object, "text") ?: "the engine gave no reason");
	if (field_true(object, "touched") && !job_is_touched(run->job))
		(void)job_touched(run->job);
	if (err.kind == ERROR_CANCELLED && !job_is_touched(run->job) &&
	    job_cancel(run->job, &err) >= 0) {
		run_drop_work(run);
		run_guide(run, NULL);
		run_enter(run, DOING_NOTHING, UINT64_MAX);
		return;
	}
	run_step_failed(run, &err, field_true(object, "again"));
}

static void on_engine_end(sd_json_variant *result, void *user)
{
	struct run *run = user;
	sd_json_variant *facts = NULL;

	if (!result) {
		run_step_fail(run, ERROR_ENGINE, !job_is_touched(run->job),
			      "the restore worker ended without a result");
		return;
	}
	if (!field_true(result, "ok")) {
		engine_failed(run, result);
		return;
	}
	(void)sd_json_buildo(
	    &facts, SD_JSON_BUILD_PAIR_UNSIGNED("seconds", field_unsigned(result, "seconds", 0)),
	    SD_JSON_BUILD_PAIR_INTEGER("engine_exit", field_integer(result, "engine_exit", 0)));
	run_step_done(run, facts, false);
}

static int engine_follow(struct run *run)
{
	char path[ENGINE_PATH_BYTES];
	uint64_t until_ms = run->step_until_ms;
	int r;

	engine_path(run, path);
	r = follow_new(run->jobs->options.event, path, on_engine_event, on_engine_end, run,
		       &run->follow);
	if (r >= 0)
		run_enter(run, DOING_FOLLOW,
			  until_ms == UINT64_MAX ? until_ms : until_ms + MARGIN_MS);
	return r;
}

/* --- beginning ------------------------------------------------------------------------------- */

static void on_restore_event(const char *name, sd_json_variant *event, void *user)
{
	struct run *run = user;
	int r;

	if (strcmp(name, "following") != 0)
		return;
	run->link = worker_link_free(run->link); /* it goes on without us */
	r = engine_follow(run);
	if (r < 0) {
		log_error("job %s: the engine's file cannot be read: %s", run->id, strerror(-r));
		run_enter(run, DOING_SEEK_ENGINE, clock_now_ms() + SEEK_MS);
	}
}

static void on_restore_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;

	run->link = worker_link_free(run->link);
	if (err && err->kind == ERROR_CANCELLED && job_cancel(run->job, NULL) >= 0)
		run_enter(run, DOING_NOTHING, UINT64_MAX);
	else if (err)
		run_step_failed(run, err, work_is_worth_again(err->kind));
	else
		run_step_fail(run, ERROR_PROTOCOL, false,
			      "the restore worker ended before it began");
}

static int restore_fields(const struct run *run, const char *path, sd_json_variant **ret)
{
	const struct plan *plan = job_plan(run->job);
	bool erase = run_step_kind(run) == STEP_ERASE;
	char ecid[2 + 16 + 1];

	snprintf(ecid, sizeof(ecid), "0x%016" PRIx64, plan->ecid);
	return sd_json_buildo(
	    ret, SD_JSON_BUILD_PAIR_STRING("folder", run->folder),
	    SD_JSON_BUILD_PAIR_UNSIGNED("attempt", job_engine(run->job)),
	    SD_JSON_BUILD_PAIR_STRING("ecid", ecid), SD_JSON_BUILD_PAIR_STRING("path", path),
	    SD_JSON_BUILD_PAIR_CONDITION(plan->firmware.name[0] != '\0', "name",
					 SD_JSON_BUILD_STRING(plan->firmware.name)),
	    SD_JSON_BUILD_PAIR_STRING("variant", plan->variant.name),
	    SD_JSON_BUILD_PAIR_BOOLEAN("erase", erase),
	    SD_JSON_BUILD_PAIR_UNSIGNED("os_bytes", plan->variant.os_bytes),
	    SD_JSON_BUILD_PAIR_CONDITION(erase, "consent",
					 SD_JSON_BUILD_STRING(job_consent(run->job))));
}

void engine_begin(struct run *run, const struct phone *phone)
{
	bool erase = run_step_kind(run) == STEP_ERASE;
	char path[FIRMWARE_PATH_BYTES];
	sd_json_variant *fields = NULL;
	int r;

	/* the last of three locks: job_step_begin() and the worker ask the same */
	if (erase != job_plan(run->job)->variant.erases ||
	    (erase && !job_erase_consented(run->job))) {
		run_step_fail(run, ERROR_NO_CONSENT, false,
			      "the firmware's variant is not what was agreed to");
		return;
	}
	if (!run_firmware_path(run, path)) {
		run_step_fail(run, ERROR_BUG, false, "the path of the firmware is too long");
		return;
	}
	(void)fleet_expect(run->jobs->options.fleet, run->phone_id, timing_ms(TIMING_PHONE_BACK),
			   clock_now_ms());
	r = restore_fields(run, path, &fields);
	work_ask(run, "restore", r, fields, on_restore_event, on_restore_end);
}

/* --- after a restart of the service ---------------------------------------------------------- */

void engine_adopt(struct run *run)
{
	const struct step_fact *fact = step_fact(run_step_kind(run));

	/* since when it runs is not known: it gets the whole time again */
	run->step_until_ms = clock_now_ms() + (uint64_t)fact->total_s * 1000;
	progress_begin(&run->progress, clock_now_ms());
	if (engine_follow(run) >= 0)
		log_notice("job %s: the engine is followed again", run->id);
	else
		run_enter(run, DOING_SEEK_ENGINE, clock_now_ms() + SEEK_MS);
}

void engine_seek(struct run *run)
{
	uint64_t now_ms = clock_now_ms();
	int r = now_ms < run->deadline_ms ? 0 : engine_follow(run);

	if (r >= 0)
		return;
	if (r == -ENOENT) {
		log_notice("job %s: the engine had not begun", run->id);
		run_begin_step(run);
	} else if (now_ms < run->step_until_ms + MARGIN_MS) {
		run_enter(run, DOING_SEEK_ENGINE, now_ms + SEEK_MS);
	} else {
		run_step_fail(run, ERROR_BUG, false, "the engine's file cannot be read");
	}
}

int engine_stop(struct run *run, struct error *err)
{
	char path[ENGINE_PATH_BYTES];
	int fd;

	if (job_is_touched(run->job))
		return job_cancel(run->job, err); /* says why not */
	cancel_path(run, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, CANCEL_MODE);
	if (fd < 0)
		return error_set_errno(err, ERROR_BUG, "kernel", errno,
				       "the engine cannot be told to stop");
	(void)close(fd);
	run_guide(run, message_find("job-stopping")->text);
	run_tell(run);
	return 0;
}

void engine_wanted(const struct run *run)
{
	char path[ENGINE_PATH_BYTES];

	cancel_path(run, path);
	if (unlink(path) < 0 && errno != ENOENT)
		log_warning("job %s: %s cannot be removed: %s", run->id, path, strerror(errno));
}
