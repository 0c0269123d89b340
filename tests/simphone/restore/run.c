/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "phone.h"
#include "restore/run_parts.h"
#include "text.h"

enum {
	TICKS = 10, /* ProgressMsg of a step that tells percentages */
	STAY_MS = 300000,
	GOODBYE_PATIENCE_MS = 10000,
	FAILED_LINGER_MS = 300, /* so that the host gets the status */
};

const struct step *run_step(const struct run *r)
{
	unsigned count;

	return steps_all(&count) + r->at;
}

static uint64_t scaled(const struct run *r, uint64_t ms)
{
	return ms * r->phone->scenario.time_scale_percent / 100;
}

/* ---- the end ---- */

static void run_leave(struct run *r, enum mode next, unsigned linger_ms, const char *why)
{
	r->state = RUN_OVER;
	timer_disarm(r->phone->timers, &r->patience);
	phone_leave(r->phone, next, linger_ms, why);
}

static void failed_over(void *user)
{
	run_leave(user, MODE_RECOVERY, 0, "the restore failed");
}

/* What the phone does once the host was told: a knob, see scenario.h. */
void run_after_failure(struct run *r)
{
	uint64_t linger_ms = FAILED_LINGER_MS;

	r->state = RUN_FAILED;
	timer_disarm(r->phone->timers, &r->timer);
	switch (r->phone->scenario.restore.after_status) {
	case AFTER_STATUS_REBOOT:
		break;
	case AFTER_STATUS_STAY:
		linger_ms = STAY_MS;
		break;
	case AFTER_STATUS_PROGRESS:
		run_progress(r, 29, -1);
		linger_ms = GOODBYE_PATIENCE_MS;
		break;
	}
	timer_arm(r->phone->timers, &r->patience, linger_ms, failed_over, r);
}

static void fail_with(struct run *r, uint64_t status, int64_t error, int64_t result,
		      const char *why)
{
	const struct step *s = r->open;
	char detail[256];

	if (r->state == RUN_FAILED || r->state == RUN_OVER || r->state == RUN_IDLE)
		return;
	request_end(&r->request);
	snprintf(detail, sizeof(detail), "[0]D(%s)", why);
	if (s) {
		run_trail(r, "CHECKPOINT FAILURE:(FAILURE:%lld) RESTORED:[0x%04X] %s %s",
			  (long long)result, s->checkpoint, s->name, detail);
		run_checkpoint(r, s, true, result, detail);
	}
	EVLOG(&r->phone->log, "restore-failed", LOG_TEXT("checkpoint", s ? s->name : ""),
	      LOG_INT("status", status), LOG_TEXT("why", why));
	run_status(r, status, error, buf_text(&r->trail));
	r->exit_status = status;
	buf_clear(&r->exit_log);
	buf_add_text(&r->exit_log, buf_text(&r->trail));
	run_after_failure(r);
}

void run_fail(struct run *r, uint64_t status, const char *why)
{
	fail_with(r, status, (int64_t)status, -1, why);
}

/* `restore_status = N[:AMRERROR|:none]`: 0 is no knob. */
static bool status_knob(struct run *r)
{
	const char *text = r->phone->scenario.restore.status;
	const char *colon = strchr(text, ':');
	uint64_t status = strtoull(text, nullptr, 0);
	int64_t error = (int64_t)status;

	if (status == 0)
		return false;
	if (colon)
		error = strcmp(colon + 1, "none") ? strtoll(colon + 1, nullptr, 0) : 0;
	fail_with(r, status, error, -1, "as the scenario has it");
	return true;
}

static void goodbye_over(void *user)
{
	run_leave(user, MODE_NORMAL, 0, "restored, and the host says nothing more");
}

/* From here on the phone has the new system, whatever becomes of the host. */
static void system_commit(struct run *r)
{
	struct phone *p = r->phone;
	bool erase = r->choice.kind == INSTALL_ERASE;

	text_copy(p->system.version, sizeof(p->system.version), firmware_version(p->firmware));
	text_copy(p->system.build, sizeof(p->system.build), firmware_build(p->firmware));
	p->system.partial = false;
	p->scenario.recovery_loop = false;
	p->system.erases += erase;
	p->system.updates += !erase;
	if (erase)
		p->recovery.nvram.count = 0;
	recovery_set_auto_boot(&p->recovery, true);
	r->exit_status = 0;
	buf_clear(&r->exit_log);
	EVLOG(&p->log, "restored", LOG_TEXT("kind", erase ? "erase" : "update"),
	      LOG_TEXT("version", p->system.version), LOG_TEXT("build", p->system.build));
}

/* Ends the open checkpoint; false: the scenario makes it fail. */
static bool checkpoint_close(struct run *r)
{
	const struct step *s = r->open;
	const char *knob = r->phone->scenario.restore.fail_at;
	size_t len;

	if (!s)
		return true;
	len = strlen(s->name);
	if (!strncmp(knob, s->name, len) && (knob[len] == ':' || !knob[len])) {
		uint64_t status = s->status ? s->status : RUN_STATUS_FAILED;
		int64_t result = knob[len] ? strtoll(knob + len + 1, nullptr, 0) : -1;

		fail_with(r, status, (int64_t)status, result, "as the scenario has it");
		return false;
	}
	run_trail(r, "CHECKPOINT END: RESTORED:[0x%04X] %s", s->checkpoint, s->name);
	run_checkpoint(r, s, true, 0, nullptr);
	r->open = nullptr;
	return true;
}

void run_finish(struct run *r)
{
	if (!checkpoint_close(r) || status_knob(r))
		return;
	system_commit(r);
	run_status(r, 0, 0, nullptr);
	r->state = RUN_FINISHED;
	timer_arm(r->phone->timers, &r->patience, GOODBYE_PATIENCE_MS, goodbye_over, r);
}

/* ---- the order ---- */

static void pace_over(void *user)
{
	struct run *r = user;
	const struct step *s = run_step(r);

	if (s->percent && s->act == ACT_NOTHING && r->tick < TICKS) {
		r->tick++;
		run_progress(r, s->operation, (int)(r->tick * 100 / TICKS));
		timer_arm(r->phone->timers, &r->timer, scaled(r, s->ms) / TICKS, pace_over, r);
		return;
	}
	run_act(r);
}

static void step_begin(struct run *r, const struct step *s)
{
	if (s->checkpoint) {
		if (!checkpoint_close(r))
			return;
		r->open = s;
		run_trail(r, "CHECKPOINT BEGIN: RESTORED:[0x%04X] %s", s->checkpoint, s->name);
		run_checkpoint(r, s, false, 0, nullptr);
	}
	run_progress(r, s->operation, s->percent ? 1 : -1);
	r->state = RUN_PACING;
	r->tick = 0;
	timer_arm(r->phone->timers, &r->timer,
		  s->percent && s->act == ACT_NOTHING ? scaled(r, s->ms) / TICKS : scaled(r, s->ms),
		  pace_over, r);
}

static void run_next(struct run *r)
{
	const struct step *steps;
	unsigned count;

	steps = steps_all(&count);
	while (r->at < count && !step_applies(&steps[r->at], &r->choice))
		r->at++;
	if (r->at < count)
		step_begin(r, &steps[r->at]);
}

void run_answered(struct run *r, const char *why)
{
	const struct step *s = run_step(r);

	if (r->state != RUN_ASKING)
		return;
	timer_disarm(r->phone->timers, &r->patience);
	/* statistics are no reason to give up */
	if (why && s->act != ACT_PROXY) {
		run_fail(r, s->status ? s->status : RUN_STATUS_FAILED, why);
		return;
	}
	if (s->percent && s->act != ACT_NOTHING)
		run_progress(r, s->operation, 100);
	r->at++;
	run_next(r);
}

/* ---- from the connection ---- */

static unsigned major_of(const char *version)
{
	return (unsigned)strtoul(version, nullptr, 10);
}

void run_start(struct run *r, struct plist_stream *main, plist_t options)
{
	struct phone *p = r->phone;
	const struct firmware *f = p->firmware;

	if (r->state != RUN_IDLE)
		return;
	timer_disarm(p->timers, &r->patience);
	r->main = main;
	r->options = options ? plist_copy(options) : plist_new_dict();
	r->choice = (struct step_choice){
		.kind = p->install,
		.ios = major_of(f ? firmware_version(f) : p->system.version),
		.identity = f ? firmware_identity(f, p->install) : nullptr,
		.minimum = p->scenario.restore.steps == RESTORE_STEPS_MINIMUM,
		.url = *p->scenario.restore.url_asset,
	};
	r->at = 0;
	r->open = nullptr;
	buf_clear(&r->trail);
	EVLOG(&p->log, "start-restore",
	      LOG_TEXT("kind", p->install == INSTALL_ERASE    ? "erase"
			       : p->install == INSTALL_UPDATE ? "update"
							      : "none"),
	      LOG_INT("ios", r->choice.ios));
	r->state = RUN_PACING;
	if (!f || !r->choice.identity)
		run_fail(r, RUN_STATUS_FAILED, "there is nothing that this ramdisk could install");
	else
		run_next(r);
}

void run_take(struct run *r, plist_t message)
{
	const char *type = plist_text(message, "MsgType");

	if (r->state == RUN_FINISHED && type && !strcmp(type, "ReceivedFinalStatusMsg"))
		return;
	if (r->state == RUN_ASKING && run_step(r)->act == ACT_ATTEST) {
		run_answered(r, plist_dict_get_item(message, "RestoreShouldAttest")
				    ? nullptr
				    : "the host does not say whether to attest");
		return;
	}
	if (r->state == RUN_ASKING && r->request.run && !r->request.port &&
	    r->request.step->asked != ASKED_SYSTEM_IMAGE) {
		request_take(&r->request, message);
		return;
	}
	EVLOG(&r->phone->log, "unasked", LOG_TEXT("type", type ? type : ""));
}

void run_goodbye(struct run *r)
{
	if (r->state == RUN_FINISHED)
		run_leave(r, MODE_NORMAL, PHONE_SHUTDOWN_MS, "restored");
	else if (r->state == RUN_FAILED)
		run_leave(r, MODE_RECOVERY, PHONE_SHUTDOWN_MS, "the restore failed");
}

void run_lost(struct run *r)
{
	bool here = r->phone->power == POWER_RUNNING;

	r->main = nullptr;
	if (r->state == RUN_IDLE || r->state == RUN_OVER || !here)
		return;
	if (r->state == RUN_FINISHED) {
		run_leave(r, MODE_NORMAL, 0, "restored");
		return;
	}
	if (r->state != RUN_FAILED)
		run_fail(r, RUN_STATUS_FAILED, "the connection to the host was lost");
	run_leave(r, MODE_RECOVERY, 0, "the restore's connection was lost");
}

/* ---- life ---- */

void run_init(struct run *r, struct phone *phone)
{
	*r = (struct run){ .phone = phone };
}

void run_stop(struct run *r)
{
	r->state = RUN_IDLE;
	r->main = nullptr;
	timer_disarm(r->phone->timers, &r->timer);
	timer_disarm(r->phone->timers, &r->patience);
	request_end(&r->request);
	fdr_stop(&r->fdr);
	plist_free(r->options);
	r->options = nullptr;
	buf_clear(&r->trail);
}

void run_done(struct run *r)
{
	run_stop(r);
	buf_done(&r->trail);
	buf_done(&r->exit_log);
}
