/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The steps of repair, forget and prove that a worker does: the look, the mux, the phone's own
 * forgetting, a small backup; and the question before all pairings of this computer go. What the
 * person does with the phone: job_guided.c.
 */
#include "base/clock.h"
#include "base/log.h"
#include "service/fields.h"
#include "service/job_run.h"
#include <string.h>

enum {
	STORE_ASK_MS = 5 * 60 * 1000,  /* the person decides about the other pairings */
	PAIR_IN_LADDER_S = 5 * 60,     /* unlock, tap, type: the next rung is another chance */
	MUX_LIST_MS = 20 * 1000,       /* usbmuxd's preflight takes some seconds */
	BACKUP_MARGIN_S = 20,          /* the worker ends by itself before the step does */
	BACKUP_LIMIT_BYTES = 64 << 20, /* enough for the manifest and many files */
};

/* --- what the ladder changes for steps that other goals have too ------------------------------ */

const struct plan_step *repair_step(const struct run *run)
{
	const struct plan *plan = job_plan(run->job);
	size_t at = job_step(run->job);

	return at < plan->step_count ? &plan->steps[at] : NULL;
}

bool repair_in_rung(const struct run *run)
{
	const struct plan_step *step = repair_step(run);

	return step && step->rung > 0;
}

unsigned repair_total_s(const struct run *run)
{
	enum step_kind kind = run_step_kind(run);

	return kind == STEP_PAIR && repair_in_rung(run) ? PAIR_IN_LADDER_S
							: step_fact(kind)->total_s;
}

unsigned repair_wait_ms(const struct run *run, const struct phone *phone)
{
	bool of_ladder = repair_in_rung(run) || run_step_kind(run) == STEP_LOOK;

	/* on the bus it needs nobody's hand to be listed: not for each rung the whole time anew */
	return of_ladder && phone && phone->on_bus ? MUX_LIST_MS : timing_ms(TIMING_PHONE_BACK);
}

bool repair_can_begin(const struct run *run, const struct phone *phone)
{
	/* its buttons restart it also when usbmuxd does not list it */
	return run_step_kind(run) == STEP_RESTART && repair_in_rung(run) && phone && phone->on_bus;
}

/* --- the look -------------------------------------------------------------------------------- */

static void look_failed(struct run *run, enum trust_detail detail)
{
	const char *id = detail == DETAIL_FMIP ? "repair-end-lost-mode" : "repair-end-policy";

	run_step_fail(run, ERROR_REFUSED, false, message_find(id)->text);
}

static bool look_is_healthy(sd_json_variant *result)
{
	const char *reach = field_string(result, "reach");

	return field_is(result, "trust", trust_name(TRUST_TRUSTED)) &&
	       (!reach || reach_from_name(reach) == REACH_SERVICE);
}

static void on_look_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	enum trust trust = trust_from_name(field_string(result, "trust"));
	enum trust_detail detail = trust_detail_from_name(field_string(result, "detail") ?: "");
	sd_json_variant *facts = NULL;

	if (!work_succeeded(run, err))
		return;
	if (trust == TRUST_MAX) {
		work_answer_is_wrong(run);
		return;
	}
	work_take_trust(run, result);
	if (trust == TRUST_REFUSED_BY_POLICY && job_plan(run->job)->goal == GOAL_REPAIR) {
		look_failed(run, detail);
		return;
	}
	(void)sd_json_buildo(&facts, SD_JSON_BUILD_PAIR_STRING("trust", trust_name(trust)),
			     SD_JSON_BUILD_PAIR_BOOLEAN("healthy", look_is_healthy(result)),
			     SD_JSON_BUILD_PAIR_CONDITION(
				 field_string(result, "reach") != NULL, "reach",
				 SD_JSON_BUILD_STRING(field_string(result, "reach") ?: "")));
	run_step_done(run, facts, false);
}

void repair_see(struct run *run, const struct phone *phone)
{
	sd_json_variant *fields = NULL;
	int r;

	if (!phone || !phone->in_mux || phone->identity.udid[0] == '\0') {
		run_step_fail(run, ERROR_NO_PHONE, false,
			      "usbmuxd does not list the phone, so it cannot be asked");
		return;
	}
	r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("udid", phone->identity.udid),
			   SD_JSON_BUILD_PAIR_STRING("action", "check"));
	work_ask(run, "trust", r, fields, NULL, on_look_end);
}

/* --- usbmuxd --------------------------------------------------------------------------------- */

/* Another phone's job would lose its connection. */
static bool others_work(const struct run *run)
{
	for (const struct run *other = run->jobs->runs; other; other = other->next)
		if (other != run && other->job && other->doing != DOING_OVER &&
		    !job_state_is_end(job_state(other->job)) && run_needs_phone(other))
			return true;
	return false;
}

static void on_mux_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;

	if (err && err->kind == ERROR_UNSUPPORTED) {
		run_step_passed(run, err->text);
		return;
	}
	if (work_succeeded(run, err))
		run_step_done(run, NULL, false);
}

void repair_mux(struct run *run, const struct phone *phone)
{
	sd_json_variant *fields = NULL;
	int r;

	if (job_facts(run->job, STEP_LOOK)) {
		run_step_passed(run, message_find("repair-pass-mux-works")->text);
		return;
	}
	if (others_work(run)) {
		run_step_passed(run, message_find("repair-pass-others-work")->text);
		return;
	}
	r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("action", "restart"));
	work_ask(run, "mux", r, fields, NULL, on_mux_end);
}

/* --- the phone forgets ----------------------------------------------------------------------- */

static void on_unpair_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	_cleanup_free_ char *text = NULL;

	if (err && (err->kind == ERROR_REFUSED || err->kind == ERROR_LOCKED)) {
		text = message_format("repair-pass-no-session", "reason", err->text, NULL);
		run_step_passed(run, text ? text : err->text);
		return;
	}
	if (work_succeeded(run, err))
		run_step_done(run, NULL, false);
}

void repair_unpair(struct run *run, const struct phone *phone)
{
	sd_json_variant *fields = NULL;
	int r;

	r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("udid", phone->identity.udid),
			   SD_JSON_BUILD_PAIR_STRING("action", "unpair"));
	work_ask(run, "trust", r, fields, NULL, on_unpair_end);
}

/* --- all pairings of this computer ----------------------------------------------------------- */

/* Other phones that are here and would ask for trust again. */
static bool others_are_here(const struct run *run)
{
	const struct fleet *fleet = run->jobs->options.fleet;

	for (size_t i = 0; i < fleet_count(fleet); i++) {
		const struct phone *phone = fleet_at(fleet, i);

		if (phone && phone->id != run->phone_id)
			return true;
	}
	return false;
}

/* All pairings cannot go as things stand: true if it was passed over. */
static bool passes_store(struct run *run, const struct phone *phone)
{
	const char *id = NULL;

	if (!phone || !phone->on_bus)
		id = "repair-pass-phone-away";
	else if (others_work(run))
		id = "repair-pass-others-work";
	if (id)
		run_step_passed(run, message_find(id)->text);
	return id != NULL;
}

/* Before all pairings go: true if it waits for the person's word, or is passed over. */
static bool holds_store(struct run *run, const struct phone *phone)
{
	if (!repair_in_rung(run))
		return false;
	if (passes_store(run, phone))
		return true;
	if (!others_are_here(run)) {
		work_tell_person(run, message_find("repair-store")->text);
		return false;
	}
	work_tell_person(run, message_find("repair-store-ask")->text);
	run->step_until_ms = clock_now_ms() + STORE_ASK_MS;
	run_enter(run, DOING_AWAIT_PERSON, run->step_until_ms);
	return true;
}

void repair_forget_store(struct run *run, const struct phone *phone)
{
	if (!holds_store(run, phone))
		work_forget_store(run);
}

/* --- a small backup -------------------------------------------------------------------------- */

static void on_backup_event(const char *name, sd_json_variant *event, void *user)
{
	struct run *run = user;

	if (strcmp(name, "passcode") == 0) {
		work_tell_person(run, message_find("repair-backup-passcode")->text);
	} else if (strcmp(name, "progress") == 0) {
		progress_update(&run->progress, "backup", field_unsigned(event, "bytes", 0), 0,
				true, clock_now_ms());
		run->progressed = true;
		run->jobs->options.touched_fn(run->jobs->options.user);
	}
}

static void on_backup_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	sd_json_variant *facts = NULL;

	if (!work_succeeded(run, err))
		return;
	(void)sd_json_buildo(
	    &facts,
	    SD_JSON_BUILD_PAIR_OBJECT(
		"proof", SD_JSON_BUILD_PAIR_BOOLEAN("backup", true),
		SD_JSON_BUILD_PAIR_UNSIGNED("backup_bytes", field_unsigned(result, "bytes", 0)),
		SD_JSON_BUILD_PAIR_UNSIGNED("backup_files", field_unsigned(result, "files", 0)),
		SD_JSON_BUILD_PAIR_BOOLEAN("backup_complete", field_true(result, "complete"))));
	run_step_done(run, facts, false);
}

/* Returns false when there is no room for it; that has been dealt with then. */
static bool backup_has_room(struct run *run)
{
	struct room room;

	if (storage_room(run->jobs->options.storage, &room, NULL) >= 0 &&
	    room.free_bytes >= 2 * (uint64_t)BACKUP_LIMIT_BYTES)
		return true;
	run_step_passed(run, message_find("repair-pass-no-room")->text);
	return false;
}

void repair_backup(struct run *run, const struct phone *phone)
{
	unsigned limit_s = step_fact(STEP_VERIFY_BACKUP)->total_s - BACKUP_MARGIN_S;
	sd_json_variant *fields = NULL;
	int r;

	if (!backup_has_room(run))
		return;
	r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("udid", phone->identity.udid),
			   SD_JSON_BUILD_PAIR_STRING("folder", run->folder),
			   SD_JSON_BUILD_PAIR_UNSIGNED("limit_s", limit_s),
			   SD_JSON_BUILD_PAIR_UNSIGNED("limit_bytes", BACKUP_LIMIT_BYTES));
	work_ask(run, "backup-proof", r, fields, on_backup_event, on_backup_end);
}

/* --- answers --------------------------------------------------------------------------------- */

unsigned repair_answers(const struct run *run)
{
	const struct plan_step *step = run->job ? repair_step(run) : NULL;
	bool skippable = step && step->optional;

	if (!step || job_state(run->job) != JOB_RUNNING)
		return 0;
	switch (run->doing) {
	case DOING_AWAIT_PERSON:
		return ANSWER_YES | (skippable ? ANSWER_NO : 0);
	case DOING_AWAIT_BUTTONS:
		return skippable ? ANSWER_NO : 0;
	case DOING_WORK:
		return skippable && (step->kind == STEP_PAIR || step->kind == STEP_VERIFY_BACKUP)
			   ? ANSWER_NO
			   : 0;
	case DOING_NOTHING:
	case DOING_SEEK_ENGINE:
	case DOING_FOLLOW:
	case DOING_AWAIT_MODE:
	case DOING_AWAIT_PHONE:
	case DOING_AWAIT_TURN:
	case DOING_AWAIT_ANSWER:
	case DOING_PAUSE:
	case DOING_OVER:
		break;
	}
	return 0;
}

static void note_answer(struct run *run, bool yes)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;

	if (sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("answer", yes ? "done" : "skip")) >=
	    0)
		(void)job_note(run->job, "answer", fields);
}

int repair_answer(struct run *run, bool yes, struct error *err)
{
	unsigned may = repair_answers(run);
	int r;

	if (!(may & (yes ? ANSWER_YES : ANSWER_NO)))
		return error_set(err, ERROR_USAGE, "job", 0,
				 yes ? "this step ends by itself: there is nothing to confirm"
				     : "this step is needed and cannot be left out; the job can "
				       "be cancelled");
	if (!yes) {
		note_answer(run, false);
		run_step_passed(run, message_find("repair-pass-person")->text);
		return 0;
	}
	if (run_step_kind(run) == STEP_FORGET_STORE) {
		note_answer(run, true);
		/* minutes may have passed since it was asked */
		if (passes_store(run, run_phone(run)))
			return 0;
		run->step_until_ms =
		    clock_now_ms() + (uint64_t)step_fact(STEP_FORGET_STORE)->total_s * 1000;
		work_forget_store(run);
		return 0;
	}
	r = guided_done(run, err);
	if (r >= 0)
		note_answer(run, true);
	return r;
}

/* --- */

void repair_look(struct run *run, const struct phone *phone, bool late)
{
	if (run_step_kind(run) != STEP_FORGET_STORE)
		guided_look(run, phone, late);
	else if (late)
		run_step_passed(run, message_find("repair-pass-no-answer")->text);
}
