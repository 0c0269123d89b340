/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How a job's memory follows from its journal: one function a kind of record. They trust nothing:
 * the file may come from a stick that somebody else wrote.
 */
#include "base/cleanup.h"
#include "base/object.h"
#include "base/text.h"
#include "doctor/job_memory.h"
#include "doctor/ladder.h"
#include <errno.h>
#include <string.h>

/* A record whose common fields were read. */
struct record {
	sd_json_variant *object;
	uint64_t time_ms;
	enum job_state state;
};

static int read_state(sd_json_variant *object, enum job_state *ret)
{
	const char *name = object_peek_text(object, "state");

	for (size_t i = 0; name && i < JOB_STATE_MAX; i++)
		if (strcmp(name, job_state_name((enum job_state)i)) == 0) {
			*ret = (enum job_state)i;
			return 0;
		}
	return -EBADMSG;
}

static int read_small(sd_json_variant *object, const char *name, uint64_t max, unsigned *ret)
{
	uint64_t value;

	if (object_read_number(object, name, &value) < 0 || value > max)
		return -EBADMSG;
	*ret = (unsigned)value;
	return 0;
}

static struct step_memory *present(struct job *job)
{
	return &job->steps[job->step];
}

enum job_state job_state_before(const struct job *job, size_t next)
{
	if (next < job->plan.step_count)
		return JOB_RUNNING;
	return job->closing != JOB_STATE_MAX ? job->closing : JOB_DONE;
}

/* The present attempt has ended. */
static void end_attempt(struct job *job, enum step_state state, const struct error *error,
			uint64_t now_ms)
{
	if (job->run_count > 0 && present(job)->state == STEP_RUNNING) {
		struct run *run = &job->runs[job->run_count - 1];

		run->state = state;
		run->ended_ms = now_ms;
		if (error)
			run->error = *error;
	}
	present(job)->state = state;
	if (error)
		present(job)->error = *error;
	job->touched = false;
	job->trust[0] = job->guidance[0] = '\0';
}

/* The index of the step that follows the present one, which may pass over some. */
static int read_next(const struct job *job, const struct record *record, size_t *ret)
{
	unsigned next;

	*ret = job->step + 1;
	if (!sd_json_variant_by_key(record->object, "next"))
		return 0;
	if (read_small(record->object, "next", PLAN_STEPS_MAX, &next) < 0 || next <= job->step ||
	    next > job->plan.step_count || job->closing != JOB_STATE_MAX)
		return -EBADMSG;
	for (size_t i = job->step + 1; i < next; i++)
		if (!ladder_may_pass(&job->plan, i))
			return -EBADMSG;
	*ret = next;
	return 0;
}

static void next_step(struct job *job, const struct record *record, size_t next)
{
	const char *why = object_peek_text(record->object, "passed");

	for (size_t i = job->step + 1; i < next && i < job->plan.step_count; i++) {
		job->steps[i].state = STEP_SKIPPED;
		text_copy(job->steps[i].reason, sizeof(job->steps[i].reason), why);
	}
	if (next < job->plan.step_count)
		job->step = next;
	job->attempt = 1;
	job->awaiting = false;
}

static int apply_created(struct job *job, const struct record *record)
{
	sd_json_variant *object = record->object;
	const char *boot = object_peek_text(object, "boot");
	char now[JOB_BOOT_BYTES];

	if (job->state != JOB_DRAFT || record->state != JOB_READY ||
	    object_read_text(object, "id", job->id, sizeof(job->id)) < 0 || job->id[0] == '\0' ||
	    plan_from_json(sd_json_variant_by_key(object, "plan"), &job->plan) < 0 ||
	    object_read_text(object, "consented", job->consented, sizeof(job->consented)) < 0)
		return -EBADMSG;
	job_boot(now);
	job->other_boot = strcmp(boot ? boot : "", now) != 0;
	job->created_ms = record->time_ms;
	if (job->consented[0] != '\0')
		job->consented_ms = record->time_ms;
	job->attempt = 1;
	return 0;
}

static int add_run(struct job *job, enum step_kind kind, unsigned engine, uint64_t now_ms)
{
	struct run *runs = reallocarray(job->runs, job->run_count + 1, sizeof(*runs));

	if (!runs)
		return -ENOMEM;
	job->runs = runs;
	runs[job->run_count++] = (struct run){
		.kind = kind,
		.state = STEP_RUNNING,
		.attempt = job->attempt,
		.engine = engine,
		.began_ms = now_ms,
	};
	return 0;
}

static int apply_begin(struct job *job, const struct record *record)
{
	enum step_kind kind = job->plan.steps[job->step].kind;
	bool again = present(job)->state == STEP_RUNNING;
	unsigned step, attempt, engine;
	int r;

	if (record->state != JOB_RUNNING || job->awaiting ||
	    (job->state != JOB_READY && job->state != JOB_RUNNING) ||
	    (present(job)->state != STEP_WAITING && !again) ||
	    read_small(record->object, "step", PLAN_STEPS_MAX, &step) < 0 || step != job->step ||
	    read_small(record->object, "attempt", JOB_ATTEMPTS_MAX, &attempt) < 0 ||
	    attempt != job->attempt ||
	    read_small(record->object, "engine", JOB_ENGINES_MAX, &engine) < 0 ||
	    engine != (step_is_engine(kind) ? job->engines + 1 : 0) ||
	    (step_fact(kind)->data == DATA_ERASED && !job_erase_consented(job)))
		return -EBADMSG;
	if (again) {
		job->runs[job->run_count - 1].interrupted = true;
		job->runs[job->run_count - 1].engine = engine;
	} else {
		r = add_run(job, kind, engine, record->time_ms);
		if (r < 0)
			return r;
		present(job)->attempts++;
	}
	if (engine > 0)
		job->engines = engine;
	present(job)->state = STEP_RUNNING;
	job->touched = false;
	job->trust[0] = job->guidance[0] = '\0';
	return 0;
}

static int apply_touched(struct job *job, const struct record *record)
{
	enum step_kind kind = job->plan.steps[job->step].kind;

	if (record->state != JOB_RUNNING || job->state != JOB_RUNNING ||
	    present(job)->state != STEP_RUNNING || !step_is_engine(kind))
		return -EBADMSG;
	job->touched = job->ever_touched = true;
	job->runs[job->run_count - 1].touched = true;
	if (step_fact(kind)->data > job->data)
		job->data = step_fact(kind)->data;
	return 0;
}

/* What a worker said of the firmware: where it lies and that it is whole. Only a job that installs
 * nothing may end with another one than was planned. */
static void adopt_firmware(struct job *job, const struct firmware *news)
{
	struct firmware *known = &job->plan.firmware;

#define ADOPT(member)                                                                              \
	if (news->member[0] != '\0')                                                               \
	text_copy(known->member, sizeof(known->member), news->member)
	if (job->plan.goal == GOAL_FIRMWARE) {
		ADOPT(product);
		ADOPT(version);
		ADOPT(build);
		ADOPT(name);
		ADOPT(url);
	}
	ADOPT(path);
	ADOPT(sha1);
	ADOPT(sha256);
#undef ADOPT
	if (news->size > 0)
		known->size = news->size;
	known->verified = known->verified || news->verified;
}

static int adopt_proof(struct job *job, sd_json_variant *proof)
{
	if (!sd_json_variant_is_object(proof))
		return -EBADMSG;
	return sd_json_variant_merge_object(&job->proof, proof);
}

static int adopt_facts(struct job *job, sd_json_variant *facts)
{
	sd_json_variant *field;
	struct firmware firmware;
	int r;

	if (!facts)
		return 0;
	if (!sd_json_variant_is_object(facts))
		return -EBADMSG;
	field = sd_json_variant_by_key(facts, "firmware");
	if (field) {
		r = firmware_from_json(field, &firmware);
		if (r < 0)
			return r;
		adopt_firmware(job, &firmware);
	}
	field = sd_json_variant_by_key(facts, "proof");
	r = field ? adopt_proof(job, field) : 0;
	if (r < 0)
		return r;
	return sd_json_variant_set_field(&job->facts, step_name(job->plan.steps[job->step].kind),
					 facts);
}

static void take_reason(struct job *job, const struct record *record)
{
	const char *reason = object_peek_text(record->object, "reason");
	struct run *run = &job->runs[job->run_count - 1];

	text_copy(present(job)->reason, sizeof(present(job)->reason), reason);
	text_copy(run->reason, sizeof(run->reason), reason);
}

static int apply_done(struct job *job, const struct record *record)
{
	enum step_kind kind = job->plan.steps[job->step].kind;
	bool skipped;
	size_t next;
	int r;

	if (job->state != JOB_RUNNING || present(job)->state != STEP_RUNNING ||
	    read_next(job, record, &next) < 0 || record->state != job_state_before(job, next) ||
	    object_read_flag(record->object, "skipped", &skipped) < 0)
		return -EBADMSG;
	r = adopt_facts(job, sd_json_variant_by_key(record->object, "facts"));
	if (r < 0)
		return r;
	if (kind == STEP_ENTER_RECOVERY && !skipped)
		job->into_recovery = true;
	if (kind == STEP_UPDATE && !skipped)
		job->data = DATA_KEPT; /* its end was good, and its variant keeps the data */
	if (kind == STEP_ERASE && !skipped)
		job->data = DATA_ERASED;
	if (skipped)
		take_reason(job, record);
	end_attempt(job, skipped ? STEP_SKIPPED : STEP_DONE, NULL, record->time_ms);
	next_step(job, record, next);
	return 0;
}

static int ask(struct job *job, const struct record *record)
{
	if (record->state != JOB_ASKING || plan_erase_after(&job->plan, &job->question.plan) < 0)
		return -EBADMSG;
	job->question.id = "question-erase-after-update";
	return 0;
}

/* A step of its own puts the phone back; how the job ends is certain already. */
static int close_job(struct job *job, const struct record *record, enum job_state end)
{
	if (record->state != JOB_RUNNING || job->closing != JOB_STATE_MAX ||
	    job->plan.step_count == PLAN_STEPS_MAX)
		return -EBADMSG;
	job->closing = end;
	job->step = job->plan.step_count;
	job->plan.steps[job->plan.step_count++] =
	    (struct plan_step){ .kind = STEP_EXIT_RECOVERY, .optional = true };
	job->attempt = 1;
	job->awaiting = false;
	return 0;
}

/* then: "close" or "end", with `end` as the job's end. */
static int finish(struct job *job, const struct record *record, const char *then,
		  enum job_state end)
{
	job->question.id = NULL;
	if (strcmp(then, "close") == 0)
		return close_job(job, record, end);
	if (strcmp(then, "end") != 0 || record->state != end)
		return -EBADMSG;
	job->awaiting = false;
	return 0;
}

static int apply_failed(struct job *job, const struct record *record)
{
	const char *then = object_peek_text(record->object, "then");
	struct error error;
	bool awaiting;
	size_t next;

	if (!then || job->state != JOB_RUNNING ||
	    (present(job)->state != STEP_RUNNING && !job->awaiting) ||
	    object_read_flag(record->object, "awaiting", &awaiting) < 0 ||
	    object_read_error(record->object, "error", &error) < 0 || error.kind == ERROR_NONE)
		return -EBADMSG;
	end_attempt(job, STEP_FAILED, &error, record->time_ms);
	job->awaiting = awaiting;
	if (strcmp(then, "again") == 0) {
		if (record->state != JOB_RUNNING || job->attempt >= JOB_ATTEMPTS_MAX)
			return -EBADMSG;
		present(job)->state = STEP_WAITING;
		job->attempt++;
		return 0;
	}
	if (strcmp(then, "skip") == 0) {
		if (read_next(job, record, &next) < 0 ||
		    record->state != job_state_before(job, next) ||
		    !job->plan.steps[job->step].optional)
			return -EBADMSG;
		next_step(job, record, next);
		return 0;
	}
	if (strcmp(then, "ask") == 0)
		return ask(job, record);
	job->error = error;
	return finish(job, record, then, JOB_FAILED);
}

/* The step could not begin: no consent, no journal, too many engines. */
static int apply_begin_failed(struct job *job, const struct record *record)
{
	const char *then = object_peek_text(record->object, "then");
	bool closing = job->closing != JOB_STATE_MAX;
	struct error error;

	if (!then || job->awaiting || job->state == JOB_ASKING || job->state == JOB_PAUSED ||
	    object_read_error(record->object, "error", &error) < 0 || error.kind == ERROR_NONE)
		return -EBADMSG;
	end_attempt(job, STEP_FAILED, &error, record->time_ms);
	if (!closing)
		job->error = error;
	return finish(job, record, then, closing ? job->closing : JOB_FAILED);
}

static int apply_stranded(struct job *job, const struct record *record)
{
	enum step_kind kind = job->plan.steps[job->step].kind;
	struct error error;

	if (record->state != JOB_FAILED || object_read_error(record->object, "error", &error) < 0 ||
	    error.kind == ERROR_NONE)
		return -EBADMSG;
	/* nobody saw how far the engine came */
	if (present(job)->state == STEP_RUNNING && step_is_engine(kind)) {
		job->ever_touched = job->runs[job->run_count - 1].touched = true;
		if (step_fact(kind)->data > job->data)
			job->data = step_fact(kind)->data;
	}
	if (present(job)->state == STEP_RUNNING)
		end_attempt(job, STEP_FAILED, &error, record->time_ms);
	job->error = error;
	return finish(job, record, "end", JOB_FAILED);
}

static int apply_back(struct job *job, const struct record *record)
{
	if (record->state != JOB_RUNNING || job->state != JOB_RUNNING || !job->awaiting)
		return -EBADMSG;
	job->awaiting = false;
	return 0;
}

static int apply_paused(struct job *job, const struct record *record)
{
	if (record->state != JOB_PAUSED || job->state != JOB_RUNNING || job->awaiting ||
	    job->plan.steps[job->step].kind != STEP_FETCH)
		return -EBADMSG;
	return 0;
}

static int apply_resumed(struct job *job, const struct record *record)
{
	return record->state == JOB_RUNNING && job->state == JOB_PAUSED ? 0 : -EBADMSG;
}

static int apply_cancelled(struct job *job, const struct record *record)
{
	const char *then = object_peek_text(record->object, "then");
	struct error error;

	if (!then || job->closing != JOB_STATE_MAX)
		return -EBADMSG;
	if (present(job)->state == STEP_RUNNING) {
		error_set(&error, ERROR_CANCELLED, "service", 0, "the person stopped it");
		end_attempt(job, STEP_FAILED, &error, record->time_ms);
	}
	return finish(job, record, then, JOB_CANCELLED);
}

/* The plan of the question takes the place of the update's. */
static int take_erase(struct job *job, const struct record *record)
{
	struct plan *plan = &job->question.plan;

	if (record->state != JOB_RUNNING || !plan_erases(plan) ||
	    !text_equal_fold(job->consented, plan->confirm))
		return -EBADMSG;
	job->consented_ms = record->time_ms;
	job->plan = *plan;
	memset(job->steps, 0, sizeof(job->steps));
	job->step = 0;
	job->attempt = 1;
	job->question.id = NULL;
	return 0;
}

static int apply_answered(struct job *job, const struct record *record)
{
	const char *then = object_peek_text(record->object, "then");

	if (job->state != JOB_ASKING ||
	    object_read_text(record->object, "consented", job->consented, sizeof(job->consented)) <
		0)
		return -EBADMSG;
	if (job->consented[0] != '\0')
		return take_erase(job, record);
	if (!then)
		return -EBADMSG;
	job->error = present(job)->error;
	return finish(job, record, then, JOB_FAILED);
}

static int apply_note(struct job *job, const struct record *record)
{
	sd_json_variant *fields = sd_json_variant_by_key(record->object, "fields");
	const char *kind = object_peek_text(record->object, "kind");
	const char *text;

	if (!kind || record->state != job->state || (fields && !sd_json_variant_is_object(fields)))
		return -EBADMSG;
	if (strcmp(kind, "trust") == 0) {
		text = object_peek_text(fields, "trust");
		text_copy(job->trust, sizeof(job->trust), text);
	}
	if (strcmp(kind, "guidance") == 0) {
		text = object_peek_text(fields, "text");
		text_copy(job->guidance, sizeof(job->guidance), text);
	}
	return sd_json_variant_append_array(&job->notes, record->object);
}

int job_apply(struct job *job, sd_json_variant *object)
{
	static const struct {
		const char *event;
		int (*apply)(struct job *job, const struct record *record);
	} kinds[] = {
		{ "created", apply_created },     { "begin", apply_begin },
		{ "touched", apply_touched },     { "done", apply_done },
		{ "failed", apply_failed },       { "back", apply_back },
		{ "cancelled", apply_cancelled }, { "answered", apply_answered },
		{ "note", apply_note },           { "begin-failed", apply_begin_failed },
		{ "paused", apply_paused },       { "resumed", apply_resumed },
		{ "stranded", apply_stranded },
	};
	struct record record = { .object = object };
	const char *event = object_peek_text(object, "event");
	size_t i;
	int r;

	if (!event || read_state(object, &record.state) < 0 ||
	    object_read_number(object, "time_ms", &record.time_ms) < 0 ||
	    job_state_is_end(job->state) ||
	    (job->state == JOB_DRAFT) != (strcmp(event, "created") == 0))
		return -EBADMSG;
	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(event, kinds[i].event) == 0)
			break;
	if (i == ARRAY_LEN(kinds))
		return -EBADMSG;
	r = kinds[i].apply(job, &record);
	if (r < 0)
		return r;
	job->state = record.state;
	if (job_state_is_end(job->state))
		job->ended_ms = record.time_ms;
	return 0;
}
