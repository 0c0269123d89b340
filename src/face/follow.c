/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Following owns a loop, a watch and the timer of its patience:
 *
 *   job, snapshot ─▶ told ─▶ (ended or asking) ─▶ left
 *   outage ─▶ said once, timer ─▶ snapshot: timer off, said once
 *                             └─▶ limit: left with ERROR_NO_SERVICE
 *   SIGINT, SIGTERM ─▶ left, the job goes on
 *
 * Invariants: `job` is the latest state that was told; a state that equals it is not told again.
 */
#include "face/follow.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "face/follow_text.h"
#include "face/job_text.h"
#include "face/output.h"
#include "face/plan_text.h"
#include "face/request.h"
#include "service/client.h"
#include "service/fields.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>

struct follow {
	const struct command_call *call;
	sd_event *event;
	sd_event_source *patience;
	sd_json_variant *job; /* owned; the latest that was told */
	struct follow_text text;
	bool lost;        /* the service does not answer, and that was said */
	bool over;        /* the job has ended or asks */
	struct error err; /* why following ended otherwise; kind none: the person left */
};

static void follow_leave(struct follow *follow)
{
	(void)sd_event_exit(follow->event, 0);
}

static bool is_over(sd_json_variant *job)
{
	return job_text_is_end(job) || field_is(job, "state", "asking");
}

/* --- what is told ---------------------------------------------------------------------------- */

static int job_line(sd_json_variant *job)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_VARIANT("job", job));

	return r < 0 ? r : output_json("job", fields);
}

static void follow_tell(struct follow *follow, sd_json_variant *job, bool first)
{
	int r = 0;

	if (first || !sd_json_variant_equal(follow->job, job)) {
		if (follow->call->json)
			r = job_line(job);
		else
			follow_text_tell(&follow->text, job, clock_now_ms());
	}
	if (!first) {
		sd_json_variant_unref(follow->job);
		follow->job = sd_json_variant_ref(job);
	}
	follow->over = is_over(job);
	if (fflush(stdout) != 0 || r < 0 || follow->over)
		follow_leave(follow); /* an output that is lost: output_flush() reports it */
}

/* The service came (up: back), or went. */
static void service_tell(struct follow *follow, bool up)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;

	if (!follow->call->json)
		follow_text_line(&follow->text, output_text(up ? "follow-back" : "follow-lost"));
	else if (sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_BOOLEAN("up", up)) >= 0)
		(void)output_json("service", fields);
	if (fflush(stdout) != 0)
		follow_leave(follow);
}

/* --- events ---------------------------------------------------------------------------------- */

static const char *follow_id(const struct follow *follow)
{
	return field_string(follow->job, "id");
}

/* A job of an older time may have left the snapshot: it is asked for. */
static void job_ask(struct follow *follow)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL, *reply = NULL;
	int r;

	r = sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_STRING("id", follow_id(follow)));
	if (r >= 0)
		r = client_call(follow->call->socket, "Job", parameters, &reply, &follow->err);
	if (r >= 0 && field_object(reply, "job"))
		follow_tell(follow, field_object(reply, "job"), false);
	else
		follow_leave(follow);
}

static void snapshot_take(struct follow *follow, sd_json_variant *snapshot)
{
	sd_json_variant *jobs = field_array(snapshot, "jobs");

	if (follow->lost)
		service_tell(follow, true);
	follow->lost = false;
	(void)sd_event_source_set_enabled(follow->patience, SD_EVENT_OFF);
	for (size_t i = 0; i < sd_json_variant_elements(jobs); i++) {
		sd_json_variant *job = sd_json_variant_by_index(jobs, i);

		if (field_is(job, "id", follow_id(follow))) {
			follow_tell(follow, job, false);
			return;
		}
	}
	job_ask(follow);
}

static void outage_take(struct follow *follow, const struct error *err)
{
	int r;

	if (follow->lost)
		return;
	follow->lost = true;
	service_tell(follow, false);
	r = sd_event_source_set_time_relative(follow->patience,
					      (uint64_t)timing_ms(TIMING_PHONE_BACK) * 1000);
	if (r >= 0)
		r = sd_event_source_set_enabled(follow->patience, SD_EVENT_ONESHOT);
	if (r < 0) {
		follow->err = *err;
		follow_leave(follow);
	}
}

static void on_event(sd_json_variant *event, const struct error *err, void *user)
{
	struct follow *follow = user;
	sd_json_variant *job = field_object(event, "job");

	if (follow->over)
		return;
	if (!event)
		outage_take(follow, err);
	else if (field_is(event, "kind", "snapshot"))
		snapshot_take(follow, field_object(event, "snapshot"));
	else if (field_is(event, "kind", "job") && field_is(job, "id", follow_id(follow)))
		follow_tell(follow, job, false);
}

static int on_patience(sd_event_source *source, uint64_t usec, void *user)
{
	struct follow *follow = user;

	(void)error_set(&follow->err, ERROR_NO_SERVICE, "service", 0, "%s",
			output_text("follow-given-up"));
	follow_leave(follow);
	return 0;
}

static int follow_run(struct follow *follow)
{
	_cleanup_(client_watch_freep) struct client_watch *watch = NULL;
	int r;

	r = sd_event_set_signal_exit(follow->event, true);
	if (r >= 0)
		r = sd_event_add_time_relative(follow->event, &follow->patience, CLOCK_BOOTTIME,
					       UINT64_MAX / 2, 0, on_patience, follow);
	if (r >= 0)
		r = sd_event_source_set_enabled(follow->patience, SD_EVENT_OFF);
	if (r >= 0)
		r = client_watch_new(follow->event, follow->call->socket, on_event, follow, &watch);
	return r < 0 ? r : sd_event_loop(follow->event);
}

/* --- the end --------------------------------------------------------------------------------- */

static int end_json(const struct command_call *call, sd_json_variant *job, int status)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	sd_json_variant *error = field_object(job, "error");
	int r;

	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_VARIANT("job", job),
	    SD_JSON_BUILD_PAIR_CONDITION(error != NULL, "error", SD_JSON_BUILD_VARIANT(error)));
	return r < 0 ? output_bug(call, r) : output_status(call, status, fields);
}

/* How to answer; after the question and its card. */
static void answer_write(sd_json_variant *job, struct screen_prose *prose)
{
	sd_json_variant *plan = field_object(field_object(job, "question"), "plan");
	const char *id = field_string(job, "id");
	_cleanup_free_ char *command = NULL, *yes = NULL, *no = NULL, *clean = NULL;

	if (asprintf(&command, "job answer %s --yes", id ? id : "") < 0)
		return;
	yes = plan_text_consent_line(plan, command);
	no = message_format("follow-answer-no", "id", id ? id : "", NULL);
	if (yes) {
		clean = output_clean(yes);
		printf("\n%s\n  %s\n", output_text("follow-answer-yes"), clean);
	}
	plan_text_consent_add(plan, prose);
	screen_prose_add(prose, SCREEN_ROLE_TEXT, no ? no : "");
}

static int end_text(sd_json_variant *job)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL, *answer = NULL;
	int r = output_prose_new(&prose);

	if (r < 0)
		return r;
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	if (job_text_is_end(job))
		job_text_outcome_add(job, prose);
	else
		job_text_question_add(job, prose);
	r = output_prose(prose);
	if (r < 0 || job_text_is_end(job))
		return r;
	r = output_prose_new(&answer);
	if (r < 0)
		return r;
	answer_write(job, answer);
	return output_prose(answer);
}

int follow_end(const struct command_call *call, sd_json_variant *job)
{
	int status = job_text_is_end(job)
			 ? (int)field_unsigned(job, "exit", (uint64_t)error_exit_status(ERROR_BUG))
			 : error_exit_status(ERROR_NO_CONSENT);
	int r;

	if (call->json)
		return end_json(call, job, status);
	r = end_text(job);
	return r < 0 ? output_bug(call, r) : status;
}

/* The person left, or does not want to wait: how to see it again, and how to stop it. */
static int left_end(const struct command_call *call, sd_json_variant *job, const char *id)
{
	const char *name = field_string(job, "id");
	_cleanup_free_ char *line = message_format(id, "id", name ? name : "", NULL), *clean = NULL;

	if (call->json)
		return end_json(call, job, 0);
	clean = output_clean(line ? line : id);
	printf("%s\n", clean);
	return 0;
}

static void head_write(sd_json_variant *job)
{
	_cleanup_free_ char *title = job_text_title(job), *line = NULL, *clean = NULL;
	const char *id = field_string(job, "id");

	line = message_format("follow-head", "title", title ? title : "", "id", id ? id : "", NULL);
	clean = output_clean(line ? line : "");
	printf("%s\n", clean);
}

static int follow_finish(struct follow *follow, int r)
{
	follow_text_close(&follow->text);
	if (r < 0)
		return output_bug(follow->call, r);
	if (follow->over)
		return follow_end(follow->call, follow->job);
	if (follow->err.kind != ERROR_NONE)
		return output_end(follow->call, &follow->err);
	return left_end(follow->call, follow->job, "follow-left");
}

int follow_job(const struct command_call *call, sd_json_variant *job)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct follow follow = { .call = call, .text = { .columns = output_columns() } };
	int r = 0, status;

	if (!call->json)
		head_write(job);
	if (call->no_wait)
		return left_end(call, job, "follow-started");
	r = sd_event_new(&event);
	if (r < 0)
		return output_bug(call, r);
	follow.event = event;
	follow.job = sd_json_variant_ref(job);
	follow_tell(&follow, job, true);
	if (!follow.over)
		r = follow_run(&follow);
	status = follow_finish(&follow, r);
	sd_event_source_disable_unref(follow.patience);
	sd_json_variant_unref(follow.job);
	return status;
}
