/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The result card of a job about trust: what was proven, what was not and why, and what is left to
 * try when the whole ladder did not help. All of it follows from the job's memory.
 */
#include "base/cleanup.h"
#include "base/object.h"
#include "doctor/job_memory.h"
#include <string.h>

/* What can be proven, and the step that does it. */
static const struct {
	const char *word;  /* field of the object `proof`, a boolean */
	const char *label; /* message id */
	enum step_kind kind;
} proofs[] = {
	{ "session", "proof-session", STEP_VERIFY_TRUST },
	{ "identity", "proof-identity", STEP_VERIFY_TRUST },
	{ "media", "proof-media", STEP_VERIFY_TRUST },
	{ "replug", "proof-replug", STEP_REPLUG },
	{ "backup", "proof-backup", STEP_VERIFY_BACKUP },
};

static const char *text_of(const char *id)
{
	const struct message *message = message_find(id);

	return message ? message->text : id;
}

static bool is_about_trust(enum goal goal)
{
	switch (goal) {
	case GOAL_TRUST:
	case GOAL_TRUST_STORE:
	case GOAL_REPAIR:
	case GOAL_PROVE:
		return true;
	case GOAL_FORGET:
	case GOAL_LINK_TEST:
	case GOAL_RESTART:
	case GOAL_ENTER_RECOVERY:
	case GOAL_EXIT_RECOVERY:
	case GOAL_FIRMWARE:
	case GOAL_UPDATE:
	case GOAL_ERASE:
	case GOAL_MAX:
		break;
	}
	return false;
}

static bool is_proven(const struct job *job, const char *word)
{
	bool proven = false;

	(void)object_read_flag(job->proof, word, &proven);
	return proven;
}

/* The last step of the plan that could have proven it; step_count if there is none. For what a
 * replug proves, the connection after it counts once the person has done his part. */
static size_t step_of_proof(const struct job *job, enum step_kind kind)
{
	size_t found = job->plan.step_count;

	for (size_t i = 0; i < job->plan.step_count; i++)
		if (job->plan.steps[i].kind == kind)
			found = i;
	if (kind == STEP_REPLUG && found + 1 < job->plan.step_count &&
	    job->steps[found].state == STEP_DONE)
		found++;
	return found;
}

static const char *why_not(const struct job *job, enum step_kind kind)
{
	size_t at = step_of_proof(job, kind);
	const struct step_memory *memory = &job->steps[at < PLAN_STEPS_MAX ? at : 0];

	if (at == job->plan.step_count)
		return text_of("proof-not-part");
	switch (memory->state) {
	case STEP_WAITING:
		return text_of("proof-not-reached");
	case STEP_RUNNING:
		return text_of("proof-not-ended");
	case STEP_DONE:
		return text_of("proof-not-told");
	case STEP_SKIPPED:
		return memory->reason[0] != '\0' ? memory->reason : text_of("proof-not-reached");
	case STEP_FAILED:
		return memory->error.text;
	case STEP_STATE_MAX:
		break;
	}
	return text_of("proof-not-reached");
}

static void append(struct object *object, sd_json_variant **array, struct object *element)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *variant = NULL;

	if (object_check(object, object_end(element, &variant)) >= 0)
		object_check(object, sd_json_variant_append_array(array, variant));
}

static void put_unproven(struct object *object, const struct job *job)
{
	sd_json_variant *array = NULL;

	for (size_t i = 0; i < ARRAY_LEN(proofs); i++) {
		struct object element = { 0 };

		if (is_proven(job, proofs[i].word))
			continue;
		object_text(&element, "what", proofs[i].word);
		object_text(&element, "label", text_of(proofs[i].label));
		object_text(&element, "reason", why_not(job, proofs[i].kind));
		append(object, &array, &element);
	}
	object_take(object, "unproven", array);
}

/* The whole ladder was gone through and the phone is still not proven to trust this computer. */
static bool ladder_was_in_vain(const struct job *job)
{
	return job->plan.goal == GOAL_REPAIR && job->state == JOB_FAILED &&
	       job->plan.steps[job->step].rung == 0 &&
	       job->plan.steps[job->step].kind == STEP_VERIFY_TRUST;
}

/* What keeps the data and is done without this computer. Never an erase. */
static void put_advice(struct object *object, const struct job *job)
{
	static const char *const ids[] = { "repair-advice-update", "repair-advice-backup",
					   "repair-advice-computer", "repair-advice-send" };
	sd_json_variant *array = NULL;

	if (!ladder_was_in_vain(job))
		return;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		struct object element = { 0 };

		object_text(&element, "id", ids[i]);
		object_text(&element, "text", text_of(ids[i]));
		append(object, &array, &element);
	}
	object_take(object, "advice", array);
}

/* Those that were not proven are told as false, once it is certain. */
static void put_proof(struct object *object, const struct job *job)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *proof = sd_json_variant_ref(job->proof);

	for (size_t i = 0; i < ARRAY_LEN(proofs); i++)
		if (!is_proven(job, proofs[i].word))
			object_check(object, sd_json_variant_set_field_boolean(
						 &proof, proofs[i].word, false));
	object_take(object, "proof", TAKE(proof));
}

void job_put_proof(struct object *object, const struct job *job)
{
	if (!job_state_is_end(job->state) || !is_about_trust(job->plan.goal)) {
		object_take(object, "proof", sd_json_variant_ref(job->proof));
		return;
	}
	put_proof(object, job);
	put_unproven(object, job);
	put_advice(object, job);
}
