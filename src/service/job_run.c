/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *               job_next()                        worker's end, mode reached, limit
 *   nothing ───────────────▶ work, follow, await… ──────────────────────────────────▶ nothing …
 *      └── the job has ended ──▶ over
 *
 * All moves happen in a review (at idle priority, after a burst of news) or at a worker's end; each
 * outcome is in the journal before the next thing begins. Invariants: link != NULL exactly in
 * DOING_WORK, follow != NULL exactly in DOING_FOLLOW; deadline_ms belongs to `doing`.
 */
#include "service/job_run.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { RUN_TURNS_MAX = 32 }; /* steps that can be passed over in one review */

bool step_is_engine(enum step_kind kind)
{
	return kind == STEP_UPDATE || kind == STEP_ERASE;
}

enum step_kind run_step_kind(const struct run *run)
{
	const struct plan *plan = job_plan(run->job);
	size_t at = job_step(run->job);

	return at < plan->step_count ? plan->steps[at].kind : STEP_KIND_MAX;
}

void run_tell(struct run *run)
{
	run->changed = true;
	run->jobs->options.touched_fn(run->jobs->options.user);
}

void run_guide(struct run *run, const char *text)
{
	text_copy(run->guidance, sizeof(run->guidance), text ? text : "");
	run->changed = true;
}

void run_enter(struct run *run, enum run_doing doing, uint64_t until_ms)
{
	run->doing = doing;
	run->deadline_ms = until_ms;
	run_tell(run);
}

void run_drop_work(struct run *run)
{
	run->link = worker_link_free(run->link);
	run->follow = follow_free(run->follow);
}

/* --- outcomes -------------------------------------------------------------------------------- */

/* What the job does not take is our mistake (or no memory): it stops where it is, and a later
 * service takes it up again. */
static bool journaled(struct run *run, int r)
{
	if (r >= 0)
		return true;
	log_error("job %s stops here: %s", run->id, strerror(-r));
	run_drop_work(run);
	run_enter(run, DOING_OVER, UINT64_MAX);
	return false;
}

void run_stop_expecting(struct run *run)
{
	const struct phone *phone = run_phone(run);

	/* it was to leave and did not: nobody waits for it any more */
	if (phone && phone->on_bus && phone->presence == PRESENCE_AWAITED)
		(void)fleet_expect(run->jobs->options.fleet, phone->id, 0, clock_now_ms());
}

static void step_over(struct run *run)
{
	if (run->doing == DOING_AWAIT_PERSON || run->doing == DOING_AWAIT_BUTTONS)
		run_stop_expecting(run);
	run_drop_work(run);
	run->trust = TRUST_MAX;
	run->progress = (struct progress){ .remaining_s = UINT64_MAX };
	run_guide(run, NULL);
	run_enter(run, DOING_NOTHING, UINT64_MAX);
}

void run_step_done(struct run *run, sd_json_variant *facts, bool skipped)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *taken = facts;

	log_info("job %s: step %s is %s", run->id, step_name(run_step_kind(run)),
		 skipped ? "not needed" : "done");
	step_over(run);
	(void)journaled(run, job_step_done(run->job, taken, skipped));
}

void run_step_failed(struct run *run, const struct error *why, bool again)
{
	struct error err = *why; /* may lie in what is freed below */
	size_t step = job_step(run->job);

	log_warning("job %s: step %s failed: %s: %s", run->id, step_name(run_step_kind(run)),
		    err.origin, err.text);
	step_over(run);
	if (!journaled(run, job_step_failed(run->job, &err, again)))
		return;
	if (again && job_next(run->job) == JOB_ACTION_BEGIN_STEP && job_step(run->job) == step &&
	    err.kind != ERROR_UNPLUGGED)
		run_enter(run, DOING_PAUSE, clock_now_ms() + timing_ms(TIMING_ASK_AGAIN));
}

void run_step_passed(struct run *run, const char *reason)
{
	char text[ERROR_TEXT_BYTES];

	if (!job_plan(run->job)->steps[job_step(run->job)].optional) {
		run_step_fail(run, ERROR_REFUSED, false, reason);
		return;
	}
	text_copy(text, sizeof(text), reason); /* may lie in what is freed below */
	log_info("job %s: step %s is passed over: %s", run->id, step_name(run_step_kind(run)),
		 text);
	step_over(run);
	(void)journaled(run, job_step_passed(run->job, text));
}

void run_step_fail(struct run *run, enum error_kind kind, bool again, const char *text)
{
	struct error err;

	(void)error_set(&err, kind, "service", 0, "%s", text);
	run_step_failed(run, &err, again);
}

/* --- the phone ------------------------------------------------------------------------------- */

bool run_needs_phone(const struct run *run)
{
	const struct plan *plan = job_plan(run->job);

	for (size_t i = 0; i < plan->step_count; i++)
		if (step_fact(plan->steps[i].kind)->phone)
			return true;
	return false;
}

/* Is this the phone that the plan was made for? */
static bool plan_fits(const struct plan *plan, const struct phone *phone)
{
	char port[PHONE_KEY_BYTES];

	if (plan->ecid != 0)
		return phone->identity.ecid == plan->ecid;
	if (plan->udid[0] != '\0')
		return strcmp(phone->identity.udid, plan->udid) == 0;
	snprintf(port, sizeof(port), "port:%s", phone->sighting.port);
	return strcmp(plan->phone, port) == 0;
}

/* One that is this job's already, else one that is to be. */
static const struct phone *find_phone(const struct run *run)
{
	const struct fleet *fleet = run->jobs->options.fleet;
	const struct phone *fits = NULL;

	for (size_t i = 0; i < fleet_count(fleet); i++) {
		const struct phone *phone = fleet_at(fleet, i);

		if (phone && strcmp(phone->job, run->id) == 0)
			return phone;
		if (phone && phone->job[0] == '\0' && plan_fits(job_plan(run->job), phone))
			fits = phone;
	}
	return fits;
}

const struct phone *run_phone(struct run *run)
{
	struct fleet *fleet = run->jobs->options.fleet;
	const struct phone *phone = fleet_get(fleet, run->phone_id);

	if (phone && strcmp(phone->job, run->id) == 0)
		return phone;
	if (!run_needs_phone(run))
		return NULL;
	phone = find_phone(run);
	if (!phone)
		return NULL;
	run->phone_id = phone->id;
	if (strcmp(phone->job, run->id) != 0)
		(void)fleet_set_job(fleet, run->phone_id, run->id, clock_now_ms());
	return fleet_get(fleet, run->phone_id);
}

/* Work that a worker does with the phone as it is enumerated now. */
static bool work_ends_with_phone(const struct run *run)
{
	return run->doing == DOING_WORK && step_way(run_step_kind(run))->flags & WAY_LINK;
}

/* Its leaving is what the step does. */
static bool leaving_is_wanted(const struct run *run)
{
	return step_way(run_step_kind(run))->flags & WAY_LEAVES &&
	       (run->doing == DOING_WORK || run->doing == DOING_AWAIT_MODE ||
		run->doing == DOING_AWAIT_BUTTONS || run->doing == DOING_AWAIT_PERSON);
}

/* The job's worker asks about an enumeration that has ended: its answer would be about nothing. */
static void work_lost_phone(struct run *run)
{
	if (run_step_kind(run) == STEP_AWAIT_NORMAL) {
		run_drop_work(run);
		run_enter(run, DOING_AWAIT_MODE, run->step_until_ms);
		return;
	}
	run_step_fail(run, ERROR_UNPLUGGED, true, "the phone left the USB bus");
}

static void see_phone(struct run *run)
{
	const struct phone *phone = run_phone(run);
	bool here = phone && phone->on_bus;

	if (run->seen && !here && !leaving_is_wanted(run) && !run->left) {
		run->left = true;
		(void)job_note(run->job, "phone-left", NULL);
		run_tell(run);
	}
	if (here && run->left) {
		run->left = false;
		(void)job_note(run->job, "phone-back", NULL);
		run_tell(run);
	}
	run->seen = here;
	run->given_up &= !here;
	if (work_ends_with_phone(run) && (!here || phone->enumerations != run->enumeration))
		work_lost_phone(run);
}

/* An engine makes the phone leave and come back many times: it stays awaited meanwhile, so that
 * also a port without a name tells that it is the same one. */
static void keep_expecting(struct run *run)
{
	const struct phone *phone = run_phone(run);

	if (phone && phone->on_bus && phone->presence == PRESENCE_PRESENT)
		(void)fleet_expect(run->jobs->options.fleet, phone->id,
				   timing_ms(TIMING_PHONE_BACK), clock_now_ms());
}

/* --- what is next ---------------------------------------------------------------------------- */

static bool can_begin(const struct run *run, const struct phone *phone)
{
	return work_can_begin(run_step_kind(run), phone) || repair_can_begin(run, phone);
}

void run_begin_step(struct run *run)
{
	enum step_kind kind = run_step_kind(run);
	const struct step_fact *fact = step_fact(kind);
	const struct phone *phone = run_phone(run);
	unsigned total_s = repair_total_s(run);
	struct error err;

	if (fact->phone && !can_begin(run, phone)) {
		run_enter(run, DOING_AWAIT_PHONE,
			  run->given_up ? 0 : clock_now_ms() + repair_wait_ms(run, phone));
		return;
	}
	run->again = job_next(run->job) == JOB_ACTION_FOLLOW_STEP || job_attempt(run->job) > 1;
	if (job_step_begin(run->job, &err) < 0) { /* the job has failed by that, and says so */
		log_error("job %s: %s", run->id, err.text);
		run_enter(run, DOING_NOTHING, UINT64_MAX);
		return;
	}
	log_info("job %s: step %s begins", run->id, step_name(kind));
	run->enumeration = phone ? phone->enumerations : 0;
	run->step_until_ms = total_s > 0 ? clock_now_ms() + (uint64_t)total_s * 1000 : UINT64_MAX;
	run->again_ms = 0;
	progress_begin(&run->progress, clock_now_ms());
	run_tell(run);
	step_way(kind)->begin(run, phone);
}

static void run_over(struct run *run)
{
	struct fleet *fleet = run->jobs->options.fleet;
	int r = report_write(run->job);

	if (r < 0)
		log_error("job %s: its report cannot be written: %s", run->id, strerror(-r));
	run_drop_work(run);
	run_stop_expecting(run);
	for (size_t i = 0; i < fleet_count(fleet); i++) {
		const struct phone *phone = fleet_at(fleet, i);

		if (phone && strcmp(phone->job, run->id) == 0)
			run->phone_id = phone->id;
	}
	if (run->phone_id != 0) {
		const struct phone *phone = fleet_get(fleet, run->phone_id);

		if (phone && strcmp(phone->job, run->id) == 0)
			(void)fleet_set_job(fleet, run->phone_id, "", clock_now_ms());
	}
	log_notice("job %s: %s", run->id, job_state_name(job_state(run->job)));
	run_guide(run, NULL);
	run_enter(run, DOING_OVER, UINT64_MAX);
}

static void run_next(struct run *run)
{
	switch (job_next(run->job)) {
	case JOB_ACTION_BEGIN_STEP:
		run_begin_step(run);
		break;
	case JOB_ACTION_FOLLOW_STEP:
		if (step_is_engine(run_step_kind(run)))
			engine_adopt(run);
		else
			run_begin_step(run);
		break;
	case JOB_ACTION_AWAIT_PHONE:
		run_enter(run, DOING_AWAIT_PHONE, clock_now_ms() + timing_ms(TIMING_PHONE_BACK));
		break;
	case JOB_ACTION_AWAIT_ANSWER:
	case JOB_ACTION_AWAIT_RESUME:
		run_enter(run, DOING_AWAIT_ANSWER, UINT64_MAX);
		break;
	case JOB_ACTION_NONE:
		run_over(run);
		break;
	}
}

/* It is back, or will not be. */
static void phone_is_back(struct run *run, bool back)
{
	bool asked = job_next(run->job) == JOB_ACTION_AWAIT_PHONE;
	const struct phone *phone = run_phone(run);
	struct error err;

	run->given_up = !back;
	run_enter(run, DOING_NOTHING, UINT64_MAX);
	if (asked)
		(void)journaled(run, job_phone_back(run->job, back));
	else if (!back && job_step_begin(run->job, &err) >= 0)
		run_step_fail(run, ERROR_UNPLUGGED, false,
			      phone && phone->on_bus
				  ? "usbmuxd does not list the phone, or it is not ready"
				  : "the phone is not here, and did not come in time");
}

static void await_phone(struct run *run)
{
	const struct phone *phone = run_phone(run);
	enum step_kind kind = run_step_kind(run);

	if (kind == STEP_KIND_MAX || can_begin(run, phone))
		phone_is_back(run, true);
	else if (clock_now_ms() >= run->deadline_ms)
		phone_is_back(run, false);
}

/* Returns false when it waits for something. */
static bool run_turn(struct run *run)
{
	bool late = clock_now_ms() >= run->deadline_ms;
	enum run_doing before = run->doing;

	switch (run->doing) {
	case DOING_NOTHING:
		run_next(run);
		return run->doing == DOING_NOTHING || run->doing == DOING_AWAIT_PHONE;
	case DOING_PAUSE:
		if (late)
			run_enter(run, DOING_NOTHING, UINT64_MAX);
		break;
	case DOING_AWAIT_PHONE:
		await_phone(run);
		break;
	case DOING_AWAIT_TURN:
		if (late)
			work_fetch(run, NULL);
		break;
	case DOING_AWAIT_MODE:
	case DOING_AWAIT_BUTTONS:
		work_look(run, run_phone(run));
		if (run->doing == before && late)
			work_too_late(run);
		break;
	case DOING_AWAIT_PERSON:
		repair_look(run, run_phone(run), late);
		break;
	case DOING_SEEK_ENGINE:
		engine_seek(run);
		break;
	case DOING_FOLLOW:
		keep_expecting(run);
		if (late)
			work_too_late(run);
		break;
	case DOING_WORK:
	case DOING_AWAIT_ANSWER:
	case DOING_OVER:
		return false;
	}
	return run->doing != before;
}

void run_review(struct run *run)
{
	if (run->doing == DOING_OVER)
		return;
	see_phone(run);
	for (int turns = 0; turns < RUN_TURNS_MAX && run_turn(run); turns++)
		;
}
