/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/object.h"
#include "doctor/job_memory.h"
#include <string.h>

/* A message's text; its id, should the row be missing. */
static const char *text_of(const char *id)
{
	const struct message *message = message_find(id);

	return message ? message->text : id;
}

/* What the person is to do now; NULL nothing. */
static const char *guidance_of(const struct job *job)
{
	const struct step_fact *fact = step_fact(job->plan.steps[job->step].kind);

	switch (job_next(job)) {
	case JOB_ACTION_AWAIT_PHONE:
		return text_of("job-awaiting-phone");
	case JOB_ACTION_AWAIT_ANSWER:
		return text_of("job-ask-help");
	case JOB_ACTION_AWAIT_RESUME:
		return text_of("job-paused");
	case JOB_ACTION_FOLLOW_STEP:
		if (job->guidance[0] != '\0')
			return job->guidance;
		return strcmp(fact->guidance, "-") != 0 ? fact->guidance : NULL;
	case JOB_ACTION_BEGIN_STEP:
	case JOB_ACTION_NONE:
		break;
	}
	return NULL;
}

static void put_step(struct object *steps, sd_json_variant **array, const struct job *job, size_t i)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *variant = NULL;
	const struct step_fact *fact = step_fact(job->plan.steps[i].kind);
	const struct step_memory *memory = &job->steps[i];
	struct object element = { 0 };

	object_text(&element, "kind", fact->id);
	object_text(&element, "label", fact->label);
	object_text(&element, "state", step_state_name(memory->state));
	object_number(&element, "attempt", memory->attempts);
	if (strcmp(fact->guidance, "-") != 0)
		object_text(&element, "guidance", fact->guidance);
	if (job->plan.steps[i].rung > 0)
		object_number(&element, "rung", job->plan.steps[i].rung);
	if (memory->state == STEP_SKIPPED)
		object_text(&element, "reason", memory->reason);
	if (memory->state == STEP_DONE)
		object_text(&element, "found",
			    object_peek_text(job_facts(job, job->plan.steps[i].kind), "found"));
	if (memory->state != STEP_DONE && memory->state != STEP_SKIPPED)
		object_error(&element, "error", &memory->error);
	if (object_check(steps, object_end(&element, &variant)) >= 0)
		object_check(steps, sd_json_variant_append_array(array, variant));
}

static void put_steps(struct object *object, const struct job *job)
{
	sd_json_variant *array = NULL;

	object_check(object, sd_json_variant_new_array(&array, NULL, 0));
	for (size_t i = 0; i < job->plan.step_count; i++)
		put_step(object, &array, job, i);
	object_take(object, "steps", array);
}

static void put_question(struct object *object, const struct job *job)
{
	const struct question *question = job_question(job);
	struct object field = { 0 };
	sd_json_variant *variant = NULL, *plan = NULL;

	if (!question)
		return;
	object_text(&field, "id", question->id);
	object_text(&field, "text", text_of(question->id));
	object_check(&field, plan_to_json(&question->plan, &plan));
	object_take(&field, "plan", plan);
	object_check(object, object_end(&field, &variant));
	object_take(object, "question", variant);
}

/* The error with what to do next. */
/* What to do next: the engine's own rule knows more than the kind of its error. */
static const char *next_of(const struct error *error)
{
	const struct message *message = message_for_error(error->kind);
	const struct engine_rule *rules;
	size_t count;

	rules = engine_rule_all(&count);
	for (size_t i = 0; i < count && strcmp(error->origin, "idevicerestore") == 0; i++)
		if (strcmp(rules[i].text, error->text) == 0)
			return rules[i].next;
	return message ? message->text : "-";
}

static void put_error(struct object *object, const struct error *error)
{
	struct object wrapped = { 0 };
	sd_json_variant *inner = NULL, *variant = NULL;

	if (error->kind == ERROR_NONE)
		return;
	object_error(&wrapped, "error", error);
	object_check(object, object_end(&wrapped, &variant));
	inner = sd_json_variant_ref(sd_json_variant_by_key(variant, "error"));
	sd_json_variant_unref(variant);
	object_check(object, sd_json_variant_set_field_string(&inner, "next", next_of(error)));
	object_take(object, "error", inner);
}

static int exit_of(const struct job *job)
{
	switch (job->state) {
	case JOB_FAILED:
		return error_exit_status(job->error.kind);
	case JOB_CANCELLED:
		return error_exit_status(ERROR_CANCELLED);
	case JOB_DRAFT:
	case JOB_READY:
	case JOB_RUNNING:
	case JOB_ASKING:
	case JOB_PAUSED:
	case JOB_DONE:
	case JOB_STATE_MAX:
		break;
	}
	return 0;
}

static void put_live(struct object *object, const struct job *job, const struct progress *progress)
{
	sd_json_variant *variant = NULL;

	if (progress && (job_next(job) == JOB_ACTION_FOLLOW_STEP || job->state == JOB_PAUSED)) {
		object_check(object, progress_to_json(progress, &variant));
		object_take(object, "progress", variant);
	}
	if (job_next(job) == JOB_ACTION_AWAIT_PHONE)
		object_text(object, "awaiting", "phone");
	put_question(object, job);
	object_text(object, "guidance", guidance_of(job));
	object_text(object, "trust", job->trust);
}

int job_to_json(const struct job *job, const struct progress *progress, sd_json_variant **ret)
{
	struct object object = { 0 };
	bool ended = job_state_is_end(job->state);

	object_text(&object, "id", job->id);
	object_text(&object, "state", job_state_name(job->state));
	object_text(&object, "goal", goal_name(job->plan.goal));
	object_text(&object, "phone", job->plan.phone);
	object_text(&object, "label", job->plan.label);
	object_number(&object, "created_ms", job->created_ms);
	if (ended)
		object_number(&object, "ended_ms", job->ended_ms);
	object_number(&object, "step", job->step);
	put_steps(&object, job);
	put_live(&object, job, progress);
	put_error(&object, &job->error);
	object_flag(&object, "touched", job->touched);
	object_text(&object, "data", data_name(job->data));
	job_put_proof(&object, job);
	object_text(&object, "folder", job->folder);
	if (ended)
		object_number(&object, "exit", (uint64_t)exit_of(job));
	return object_end(&object, ret);
}
