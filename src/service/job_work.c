/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The work of the steps that are done with the phone; the others: job_firmware.c, job_engine.c. */
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "service/fields.h"
#include "service/job_run.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- policy ---------------------------------------------------------------------------------- */

bool work_is_worth_again(enum error_kind kind)
{
	/* beyond what asking alone could mend: the cable, the network */
	return ask_is_worth_again(kind) || kind == ERROR_UNPLUGGED || kind == ERROR_NO_PHONE ||
	       kind == ERROR_NETWORK || kind == ERROR_LOCKED;
}

/* Its system runs and can be talked to. */
static bool is_up(const struct phone *phone)
{
	return phone->mode == MODE_NORMAL && phone->in_mux && phone->identity.udid[0] != '\0';
}

bool work_can_begin(enum step_kind kind, const struct phone *phone)
{
	if (!phone || !phone->on_bus)
		return false;
	return !(step_way(kind)->flags & WAY_UP) || phone->mode != MODE_NORMAL || is_up(phone);
}

/* The person can do by buttons what the phone's own service refused. */
static bool buttons_help(enum error_kind kind)
{
	return kind == ERROR_REFUSED || kind == ERROR_LOCKED || kind == ERROR_SILENT ||
	       kind == ERROR_UNSUPPORTED || kind == ERROR_NO_PHONE;
}

/* --- asking ---------------------------------------------------------------------------------- */

static unsigned limit_ms(const struct run *run)
{
	uint64_t now_ms = clock_now_ms();

	if (run->step_until_ms == UINT64_MAX)
		return 0;
	return run->step_until_ms > now_ms ? (unsigned)(run->step_until_ms - now_ms) : 1;
}

void work_ask(struct run *run, const char *kind, int built, sd_json_variant *fields,
	      worker_event_fn event_fn, worker_end_fn end_fn)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *taken = fields;
	const struct step_fact *fact = step_fact(run_step_kind(run));
	struct worker_request request = {
		.kind = kind,
		.fields = taken,
		/* pairing is silent while the person looks for the phone's passcode */
		.silence_ms = fact->step_kind == STEP_PAIR ? 0 : fact->silence_s * 1000,
		.total_ms = limit_ms(run),
		.outlives = step_is_engine(fact->step_kind),
		.event_fn = event_fn,
		.end_fn = end_fn,
		.user = run,
	};
	struct error err;
	int r = built;

	if (r < 0)
		r = error_set_errno(&err, ERROR_BUG, "service", -r, "request of a worker");
	else
		r = worker_link_new(run->jobs->options.pool, &request, &run->link, &err);
	if (r < 0)
		run_step_failed(run, &err, work_is_worth_again(err.kind));
	else
		run_enter(run, DOING_WORK, UINT64_MAX);
}

/* Takes the worker's end. Returns false when it failed and that has been dealt with. */
bool work_succeeded(struct run *run, const struct error *err)
{
	run->link = worker_link_free(run->link);
	if (err)
		run_step_failed(run, err, work_is_worth_again(err->kind));
	return !err;
}

void work_answer_is_wrong(struct run *run)
{
	run_step_fail(run, ERROR_PROTOCOL, true,
		      "a worker answered with something that is not allowed");
}

/* --- modes ----------------------------------------------------------------------------------- */

/* Is what the step brings about already so? */
static bool is_reached(const struct run *run, const struct phone *phone)
{
	enum step_kind kind = run_step_kind(run);

	if (kind == STEP_ENTER_RECOVERY)
		return phone->mode == MODE_RECOVERY;
	if (kind == STEP_EXIT_RECOVERY)
		return phone->mode == MODE_NORMAL;
	return kind == STEP_RESTART && phone->enumerations != run->enumeration;
}

/* From here the person does it, with the buttons of this model. */
static void await_buttons(struct run *run, const struct phone *phone)
{
	const struct model *model = phone ? phone->identity.model : NULL;
	const struct button_fact *fact = button_fact(model ? model->buttons : BUTTONS_UNKNOWN);
	_cleanup_free_ char *text = NULL;

	if (run_step_kind(run) == STEP_RESTART)
		text = message_format("job-buttons-restart", "buttons", fact->restart, NULL);
	else
		text = message_format("job-buttons-recovery", "buttons", fact->recovery, NULL);
	run_guide(run, text);
	run_enter(run, DOING_AWAIT_BUTTONS, run->step_until_ms);
}

static bool has_buttons(enum step_kind kind)
{
	return kind == STEP_ENTER_RECOVERY || kind == STEP_RESTART;
}

static void on_mode_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	const struct phone *phone = run_phone(run);
	bool left = !phone || !phone->on_bus || phone->enumerations != run->enumeration;

	run->link = worker_link_free(run->link);
	if (!err || left) { /* it took the command: a worker that was cut off by that is right */
		run_enter(run, DOING_AWAIT_MODE, run->step_until_ms);
		return;
	}
	if (has_buttons(run_step_kind(run)) && buttons_help(err->kind)) {
		log_notice("job %s: %s; its buttons are the way", run->id, err->text);
		await_buttons(run, phone);
		return;
	}
	run_step_failed(run, err, work_is_worth_again(err->kind));
}

void work_mode(struct run *run, const struct phone *phone)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *place = NULL;
	unsigned wait_ms = limit_ms(run);
	sd_json_variant *fields = NULL;
	int r;

	if (is_reached(run, phone)) {
		run_step_done(run, NULL, !run->again);
		return;
	}
	r = ask_place(phone, &place);
	(void)fleet_expect(run->jobs->options.fleet, run->phone_id,
			   wait_ms > 0 ? wait_ms : timing_ms(TIMING_PHONE_BACK), clock_now_ms());
	if (phone->mode == MODE_NORMAL && !is_up(phone) && has_buttons(run_step_kind(run))) {
		await_buttons(run, phone); /* nobody can tell it */
		return;
	}
	if (r >= 0)
		r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING(
						"action", step_way(run_step_kind(run))->action));
	if (r >= 0)
		r = sd_json_variant_merge_object(&fields, place);
	work_ask(run, "mode", r, fields, NULL, on_mode_end);
}

/* --- it runs iOS ----------------------------------------------------------------------------- */

static void on_probe_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	const struct phone *phone = run_phone(run);
	enum mode mode = mode_from_name(field_string(result, "mode"));
	struct identity identity = { 0 };

	run->link = worker_link_free(run->link);
	if (!err && identity_from_json(field_object(result, "identity"), &identity) >= 0 && phone) {
		work_mark_asked(run);
		fleet_identity(run->jobs->options.fleet, phone->id, phone->sighting.syspath, mode,
			       &identity, clock_now_ms());
		if (mode != MODE_RESTORE) {
			run_step_done(run, NULL, false);
			return;
		}
	}
	/* it still starts, or restores: the step's limit says how often that may be */
	run->again_ms = clock_now_ms() + timing_ms(TIMING_ASK_AGAIN);
	run_enter(run, DOING_AWAIT_MODE, run->step_until_ms);
}

static void ask_probe(struct run *run, const struct phone *phone, worker_end_fn end_fn)
{
	sd_json_variant *fields = NULL;
	int r = ask_place(phone, &fields);

	run->enumeration = phone->enumerations;
	work_ask(run, "probe", r, fields, NULL, end_fn);
}

static void on_system_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	const struct plan *plan = job_plan(run->job);
	struct identity identity = { 0 };
	sd_json_variant *facts = NULL;
	char text[ERROR_TEXT_BYTES];

	if (!work_succeeded(run, err))
		return;
	if (identity_from_json(field_object(result, "identity"), &identity) < 0) {
		work_answer_is_wrong(run);
		return;
	}
	if (identity.build[0] == '\0' || strcmp(identity.build, plan->firmware.build) != 0) {
		snprintf(text, sizeof(text), "the phone runs build %s, not %s which was installed",
			 identity.build[0] != '\0' ? identity.build : "(not told)",
			 plan->firmware.build);
		run_step_fail(run, ERROR_ENGINE, identity.build[0] == '\0', text);
		return;
	}
	(void)work_proof_build(run, &identity, NULL, &facts);
	run_step_done(run, facts, false);
}

void work_system(struct run *run, const struct phone *phone)
{
	ask_probe(run, phone, on_system_end);
}

void work_await(struct run *run, const struct phone *phone)
{
	run_enter(run, DOING_AWAIT_MODE, run->step_until_ms);
}

void work_look(struct run *run, const struct phone *phone)
{
	if (!phone || !phone->on_bus)
		return;
	if (run_step_kind(run) == STEP_AWAIT_NORMAL) {
		if (is_up(phone) && clock_now_ms() >= run->again_ms)
			ask_probe(run, phone, on_probe_end);
		else if (is_up(phone) && run->again_ms < run->deadline_ms)
			run->deadline_ms = run->again_ms;
		return;
	}
	if (is_reached(run, phone)) {
		run_step_done(run, NULL, false);
		return;
	}
	/* while buttons are held it may start more than once */
	if (run->doing != DOING_AWAIT_MODE || phone->presence != PRESENCE_PRESENT ||
	    phone->enumerations == run->enumeration)
		return;
	if (run_step_kind(run) == STEP_EXIT_RECOVERY)
		run_step_fail(run, ERROR_REFUSED, true,
			      "the phone came back into recovery instead of starting iOS");
	else if (run_step_kind(run) == STEP_ENTER_RECOVERY)
		run_step_fail(run, ERROR_REFUSED, true,
			      "the phone came back without having entered recovery");
}

void work_too_late(struct run *run)
{
	enum step_kind kind = run_step_kind(run);

	if (clock_now_ms() < run->step_until_ms && !step_is_engine(kind)) {
		run->deadline_ms = run->step_until_ms; /* it was the next question's time */
		return;
	}
	run_step_fail(run, ERROR_SILENT, kind == STEP_EXIT_RECOVERY || kind == STEP_RESTART,
		      step_way(kind)->late ?: "it was not done in time");
}
