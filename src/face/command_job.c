/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `job list|show|cancel|pause|resume|answer` and `report`. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "face/command.h"
#include "face/follow.h"
#include "face/job_text.h"
#include "face/output.h"
#include "face/phone_text.h"
#include "face/request.h"
#include "service/fields.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_COLUMNS = 16 };

static int job_result(const struct command_call *call, sd_json_variant *job)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_VARIANT("job", job));

	return r < 0 ? output_bug(call, r) : output_result(call, fields);
}

/* --- list ------------------------------------------------------------------------------------ */

static void job_line_write(sd_json_variant *job)
{
	_cleanup_free_ char *title = job_text_title(job), *line = NULL, *clean = NULL;
	_cleanup_free_ char *time = phone_text_time(field_unsigned(job, "created_ms", 0), true);
	const char *id = field_string(job, "id");

	line = message_format("job-list-line", "id", id ? id : "", "time", time, "title",
			      title ? title : "", "state", job_text_state(job), NULL);
	clean = output_clean(line ? line : "");
	printf("%s\n", clean);
}

int command_job_list(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *reply = NULL;
	sd_json_variant *jobs;
	int status = request_send(call, "Jobs", NULL, &reply);

	if (status != 0)
		return status;
	jobs = field_array(reply, "jobs");
	if (!jobs)
		return output_bug(call, -EBADMSG);
	if (call->json)
		return output_result(call, reply); /* field jobs */
	if (sd_json_variant_elements(jobs) == 0)
		printf("%s\n", output_text("job-list-empty"));
	for (size_t i = 0; i < sd_json_variant_elements(jobs); i++)
		job_line_write(sd_json_variant_by_index(jobs, i));
	return 0;
}

/* --- show ------------------------------------------------------------------------------------ */

static void row_add(struct screen_prose *prose, const char *label, const char *text)
{
	if (text && *text)
		screen_prose_add_labelled(prose, LABEL_COLUMNS, output_text(label), text);
}

static void present_add(sd_json_variant *job, struct screen_prose *prose)
{
	_cleanup_free_ char *guidance = job_text_guidance(job);
	_cleanup_free_ char *progress = job_text_progress(job), *how = NULL;
	_cleanup_free_ char *left = job_text_time_left(job, clock_wall_ms());

	row_add(prose, "job-fact-progress", progress);
	row_add(prose, "job-fact-guidance", guidance);
	row_add(prose, "job-fact-time-left", left);
	if (job_text_takes(job, true) || job_text_takes(job, false))
		how =
		    message_format(job_text_takes(job, true) ? "job-answer-both" : "job-answer-no",
				   "id", field_string(job, "id"), NULL);
	row_add(prose, "job-fact-answer", how);
	row_add(prose, "job-fact-data", job_text_data(job));
}

static int job_write(sd_json_variant *job)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	_cleanup_free_ char *title = job_text_title(job);
	_cleanup_free_ char *time = phone_text_time(field_unsigned(job, "created_ms", 0), true);
	int r = output_prose_new(&prose);

	if (r < 0)
		return r;
	screen_prose_add(prose, SCREEN_ROLE_STRONG, title ? title : "");
	row_add(prose, "job-fact-job", field_string(job, "id"));
	row_add(prose, "job-fact-phone", field_string(job, "phone"));
	row_add(prose, "job-fact-started", time);
	row_add(prose, "job-fact-state", job_text_state(job));
	if (!job_text_is_end(job))
		present_add(job, prose);
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	job_text_steps_add(job, prose);
	return output_prose(prose);
}

/* Its steps; then, if it waits for an answer or has ended, that. To look is no failure: 0. */
int command_job_show(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *job = NULL;
	int r, status = request_job(call, "Job", call->argv[0], &job);

	if (status != 0)
		return status;
	if (call->follow)
		return follow_job(call, job);
	if (call->json)
		return job_result(call, job);
	r = job_write(job);
	if (r < 0)
		return output_bug(call, r);
	if (job_text_is_end(job) || field_is(job, "state", "asking"))
		(void)follow_end(call, job);
	return 0;
}

int command_job_cancel(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *job = NULL;
	int status = request_job(call, "Cancel", call->argv[0], &job);
	const char *id;

	if (status != 0)
		return status;
	if (call->json)
		return job_result(call, job);
	id = job_text_is_end(job) ? "job-is-cancelled" : "job-will-end";
	printf("%s\n%s\n", output_text(id), job_text_data(job));
	return 0;
}

/* --- pause ----------------------------------------------------------------------------------- */

int command_job_pause(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *job = NULL;
	_cleanup_free_ char *line = NULL, *clean = NULL;
	int status = request_job(call, "Pause", call->argv[0], &job);
	const char *id = field_string(job, "id");

	if (status != 0)
		return status;
	if (call->json)
		return job_result(call, job);
	line = message_format("job-is-paused", "id", id ? id : "", NULL);
	clean = output_clean(line ? line : "");
	printf("%s\n", clean);
	return 0;
}

int command_job_resume(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *job = NULL;
	int status = request_job(call, "Resume", call->argv[0], &job);

	return status != 0 ? status : follow_job(call, job);
}

/* --- answer ---------------------------------------------------------------------------------- */

static int answer_send(const struct command_call *call, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL, *reply = NULL;
	int r, status;

	r = sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_STRING("id", call->argv[0]),
			   SD_JSON_BUILD_PAIR_BOOLEAN("yes", call->yes),
			   SD_JSON_BUILD_PAIR_CONDITION(call->consent != NULL, "consent",
							SD_JSON_BUILD_STRING(call->consent)),
			   SD_JSON_BUILD_PAIR_CONDITION(call->confirm != NULL, "confirm",
							SD_JSON_BUILD_STRING(call->confirm)));
	if (r < 0)
		return output_usage(call, "usage-text", call->argv[0]);
	status = request_send(call, "Answer", parameters, &reply);
	if (status != 0)
		return status;
	if (!field_object(reply, "job"))
		return output_bug(call, -EBADMSG);
	*ret = sd_json_variant_ref(field_object(reply, "job"));
	return 0;
}

int command_job_answer(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *job = NULL;
	int status;

	if (call->yes == call->no)
		return output_usage(call, "usage-answer", "");
	if (call->no && (call->consent || call->confirm))
		return output_usage(call, "usage-consent", "");
	if (!call->consent != !call->confirm)
		return output_usage(call, "usage-consent-half", "");
	if (call->yes && !call->consent) {
		/* the question itself says what a yes erases, and how to say it */
		status = request_job(call, "Job", call->argv[0], &job);
		if (status != 0)
			return status;
		if (field_is(job, "state", "asking"))
			return follow_end(call, job);
		sd_json_variant_unref(job);
		job = NULL;
	}
	status = answer_send(call, &job);
	return status != 0 ? status : follow_job(call, job);
}

/* --- report ---------------------------------------------------------------------------------- */

/* Line by line: each is cleaned for this terminal, and its end stays one. */
static int report_write(const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *line;

	if (!copy)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n"))) {
		_cleanup_free_ char *clean = output_clean(line);

		if (rest || *clean)
			printf("%s\n", clean);
	}
	return 0;
}

int command_report(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL, *reply = NULL,
							  *fields = NULL;
	sd_json_variant *report;
	const char *text;
	int r, status;

	if (sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_STRING("id", call->argv[0])) < 0)
		return output_usage(call, "usage-text", call->argv[0]);
	status = request_send(call, "Report", parameters, &reply);
	if (status != 0)
		return status;
	report = field_object(reply, "report");
	text = field_string(reply, "text");
	if (!report || !text)
		return output_bug(call, -EBADMSG);
	if (!call->json) {
		r = report_write(text);
		return r < 0 ? output_bug(call, r) : 0;
	}
	r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_VARIANT("report", report));
	return r < 0 ? output_bug(call, r) : output_result(call, fields);
}
