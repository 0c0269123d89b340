/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a job was, as its journal and its folder tell. */
#include "doctor/report.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/object.h"
#include "doctor/job_memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define REPORT_JSON "report.json"
#define REPORT_TEXT "report.txt"

enum { REPORT_FILES_MAX = 64 };

static void append(struct object *object, sd_json_variant **array, struct object *element)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *variant = NULL;

	if (object_check(object, object_end(element, &variant)) >= 0)
		object_check(object, sd_json_variant_append_array(array, variant));
}

static void put_run(struct object *element, const struct run *run)
{
	const struct step_fact *fact = step_fact(run->kind);

	object_text(element, "kind", fact->id);
	object_text(element, "label", fact->label);
	object_number(element, "attempt", run->attempt);
	object_text(element, "state", step_state_name(run->state));
	object_number(element, "began_ms", run->began_ms);
	if (run->ended_ms > 0)
		object_number(element, "ended_ms", run->ended_ms);
	/* a clock that was set meanwhile gives no duration */
	if (run->ended_ms >= run->began_ms)
		object_number(element, "duration_ms", run->ended_ms - run->began_ms);
	if (run->engine > 0) {
		object_number(element, "engine", run->engine);
		object_flag(element, "touched", run->touched);
	}
	if (run->interrupted)
		object_flag(element, "interrupted", true);
	object_text(element, "reason", run->reason);
	object_error(element, "error", &run->error);
}

static void put_runs(struct object *object, const struct job *job)
{
	sd_json_variant *array = NULL;

	object_check(object, sd_json_variant_new_array(&array, NULL, 0));
	for (size_t i = 0; i < job->run_count; i++) {
		struct object element = { 0 };

		put_run(&element, &job->runs[i]);
		append(object, &array, &element);
	}
	object_take(object, "steps", array);
}

static void put_phone(struct object *object, const struct plan *plan)
{
	static const char *const fields[] = { "ecid", "udid", "product", "board", "mode" };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *source = NULL;
	const struct model *model = model_by_board(plan->board);
	struct object phone = { 0 };
	sd_json_variant *variant = NULL;

	if (!model)
		model = model_by_product(plan->product);
	object_text(&phone, "key", plan->phone);
	object_text(&phone, "label", plan->label);
	object_text(&phone, "model", model ? model->name : NULL);
	object_check(&phone, plan_to_json(plan, &source));
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		object_text(&phone, fields[i], object_peek_text(source, fields[i]));
	object_check(object, object_end(&phone, &variant));
	object_take(object, "phone", variant);
}

static void put_firmware(struct object *object, const struct job *job)
{
	sd_json_variant *variant = NULL;

	if (job->plan.firmware.build[0] == '\0')
		return;
	object_check(object, firmware_to_json(&job->plan.firmware, &variant));
	object_take(object, "firmware", variant);
}

/* {"runs","touched"}: how many engines were started, and whether one changed the phone. */
static void put_engine(struct object *object, const struct job *job)
{
	struct object engine = { 0 };
	sd_json_variant *variant = NULL;

	if (job->engines == 0)
		return;
	object_number(&engine, "runs", job->engines);
	object_flag(&engine, "touched", job->ever_touched);
	object_check(object, object_end(&engine, &variant));
	object_take(object, "engine", variant);
}

static void put_consent(struct object *object, const struct job *job)
{
	struct object consent = { 0 };
	sd_json_variant *variant = NULL;

	if (job->consented[0] == '\0')
		return;
	object_text(&consent, "confirm", job->consented);
	object_number(&consent, "time_ms", job->consented_ms);
	object_check(object, object_end(&consent, &variant));
	object_take(object, "consent", variant);
}

/* --- the folder */

static int is_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && strncmp(entry->d_name, "report.", 7) != 0;
}

static void put_files(struct object *object, const struct job *job)
{
	sd_json_variant *array = NULL;
	struct dirent **entries = NULL;
	int count = scandirat(job->folder_fd, ".", &entries, is_file, alphasort);

	object_check(object, sd_json_variant_new_array(&array, NULL, 0));
	for (int i = 0; i < count; i++) {
		struct object element = { 0 };
		struct stat st;

		if (i < REPORT_FILES_MAX &&
		    fstatat(job->folder_fd, entries[i]->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode)) {
			object_text(&element, "name", entries[i]->d_name);
			object_number(&element, "bytes", (uint64_t)st.st_size);
			append(object, &array, &element);
		}
		free(entries[i]);
	}
	free(entries);
	object_take(object, "files", array);
}

static void put_job(struct object *object, const struct job *job)
{
	static const char *const shared[] = { "proof", "unproven", "advice" };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *whole = NULL;
	sd_json_variant *plan = NULL, *error;

	object_check(object, job_to_json(job, NULL, &whole));
	error = sd_json_variant_by_key(whole, "error");
	object_take(object, "error", sd_json_variant_ref(error));
	for (size_t i = 0; i < ARRAY_LEN(shared); i++)
		object_take(object, shared[i],
			    sd_json_variant_ref(sd_json_variant_by_key(whole, shared[i])));
	object_take(object, "job", TAKE(whole));
	put_phone(object, &job->plan);
	object_check(object, plan_to_json(&job->plan, &plan));
	object_take(object, "plan", plan);
}

static int make_object(const struct job *job, sd_json_variant **ret)
{
	struct object object = { 0 };

	object_number(&object, "v", 1);
	put_job(&object, job);
	put_runs(&object, job);
	if (job->notes)
		object_take(&object, "events", sd_json_variant_ref(job->notes));
	object_text(&object, "outcome", job_state_name(job->state));
	object_text(&object, "data", data_name(job->data));
	put_firmware(&object, job);
	put_engine(&object, job);
	put_consent(&object, job);
	put_files(&object, job);
	return object_end(&object, ret);
}

int report_make(const struct job *job, sd_json_variant **ret_json, char **ret_text)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_free_ char *text = NULL;
	int r;

	r = make_object(job, &object);
	if (r < 0)
		return r;
	r = report_to_text(object, &text);
	if (r < 0)
		return r;
	*ret_json = TAKE(object);
	*ret_text = TAKE(text);
	return 0;
}

int report_write(const struct job *job)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_free_ char *text = NULL, *json = NULL;
	int r;

	if (!job_state_is_end(job->state))
		return -EINVAL;
	/* the object is written last: with it, both are there */
	if (faccessat(job->folder_fd, REPORT_JSON, F_OK, 0) == 0)
		return 0;
	r = report_make(job, &object, &text);
	if (r < 0)
		return r;
	r = sd_json_variant_format(object, SD_JSON_FORMAT_NEWLINE, &json);
	if (r < 0)
		return r;
	r = file_write_whole(job->folder_fd, REPORT_TEXT, text, strlen(text));
	if (r < 0)
		return r;
	return file_write_whole(job->folder_fd, REPORT_JSON, json, strlen(json));
}
