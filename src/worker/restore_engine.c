/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the engine's process and how far its two files were read.
 *
 *   engine-N.out ─┐ inotify on the folder                     ┌─▶ started, progress, note
 *   engine-N.log ─┴──▶ lines ──▶ seen (verdict), signs ───────┼─▶ touched
 *   cancel, SIGTERM ───────────▶ untouched: end the engine    └─▶ stalled
 *   relay ─────────────────────▶ what Apple's server said
 *
 *   untouched ──progress 1 beyond 0.25, or a sign in the log──▶ touched        never back
 *
 * Invariants: a phone that is touched is left to the engine; only the watch over its silence ends
 * it then. All waiting is in sd_event_run(), until the earliest of what is due.
 */
#include "worker/restore_engine.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "worker/engine.h"
#include "worker/relay.h"
#include "worker/restore_run.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>

enum {
	MS_PER_S = 1000,
	US_PER_MS = 1000,
	CANCEL_GRACE_MS = 5 * MS_PER_S,
	FOLDER_MODE = 0770,
	EXIT_SIGNAL_BASE = 128,
};

/* --- cancelling, limits, Apple's answers */

static void cancel(struct engine_run *run)
{
	if (run->cancelled || run->exited)
		return;
	engine_run_read(run); /* what was written before the wish counts */
	if (run->touched) {
		if (!run->cancel_told)
			engine_run_note(run, "It cannot be cancelled any more: the phone is being "
					     "changed, and stopping now would leave it unusable");
		run->cancel_told = true;
		return;
	}
	run->cancelled = true;
	engine_seen_rule(&run->log.seen, RULE_CANCELLED);
	silence_end(&run->silence, CANCEL_GRACE_MS, clock_now_ms());
	engine_run_signal(run, SIGTERM);
}

static void cancel_if_wanted(struct engine_run *run)
{
	if (!run->cancel_told && faccessat(run->folder_fd, "cancel", F_OK, 0) == 0)
		cancel(run);
}

static void tell_stalled(struct engine_run *run, uint64_t now_ms)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;

	if (sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_UNSIGNED(
					"seconds", (now_ms - run->silence.news_ms) / MS_PER_S)) >=
	    0)
		engine_run_tell(run, "stalled", fields);
}

static void watch_silence(struct engine_run *run, uint64_t now_ms)
{
	enum silence_act act = silence_next(&run->silence, now_ms);

	switch (act) {
	case SILENCE_WAIT:
		break;
	case SILENCE_STALLED:
		tell_stalled(run, now_ms);
		break;
	case SILENCE_END:
	case SILENCE_OVER:
		engine_seen_rule(&run->log.seen, act == SILENCE_END ? RULE_SILENT : RULE_TOO_LONG);
		engine_run_note(
		    run, "The engine is being ended: it said nothing more, or took too long");
		engine_run_signal(run, SIGTERM);
		break;
	case SILENCE_KILL:
		engine_run_signal(run, SIGKILL);
		break;
	}
}

static int on_relay(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct engine_run *run = context;
	struct relay_outcome outcome;
	const char *rule = NULL;

	if (relay_take(run->relay, &outcome) < 0)
		return 0;
	switch (outcome.end) {
	case RELAY_SIGNED:
	case RELAY_REFUSED: /* the engine's log says which */
		break;
	case RELAY_NOT_SIGNED:
		rule = RULE_RELAY_NOT_SIGNED;
		break;
	case RELAY_CERTIFICATE:
		rule = RULE_RELAY_CERTIFICATE;
		break;
	case RELAY_NETWORK:
		rule = RULE_RELAY_NETWORK;
		break;
	}
	if (rule)
		engine_seen_rule(&run->log.seen, rule);
	if (outcome.why.kind != ERROR_NONE) {
		run->relay_why = outcome.why;
		engine_run_note(run, outcome.why.text);
	}
	return 0;
}

/* --- the loop */

static int on_folder(sd_event_source *source, const struct inotify_event *event, void *context)
{
	engine_run_read(context);
	cancel_if_wanted(context);
	return 0;
}

static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	cancel(context);
	return 0;
}

static int on_exit_of_engine(sd_event_source *source, const siginfo_t *info, void *context)
{
	struct engine_run *run = context;

	run->exited = true;
	run->exit =
	    info->si_code == CLD_EXITED ? info->si_status : EXIT_SIGNAL_BASE + info->si_status;
	return 0;
}

/* Before the engine and the relay's threads are there: they must not take our signals. */
static int loop_prepare(struct engine_run *run)
{
	int r = sd_event_new(&run->event);

	if (r >= 0)
		r = sd_event_add_signal(run->event, &run->on_term,
					SIGTERM | SD_EVENT_SIGNAL_PROCMASK, on_terminate, run);
	if (r >= 0)
		r = sd_event_add_signal(run->event, &run->on_int, SIGINT | SD_EVENT_SIGNAL_PROCMASK,
					on_terminate, run);
	if (r >= 0)
		r = sd_event_add_inotify(run->event, &run->on_folder, run->request->folder,
					 IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR,
					 on_folder, run);
	return r;
}

static int child_signal_block(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	return -pthread_sigmask(SIG_BLOCK, &child, NULL);
}

/* Milliseconds of the clock when the next thing is due. */
static uint64_t due_ms(const struct engine_run *run)
{
	uint64_t due = silence_due_ms(&run->silence);
	uint64_t progress_due = run->progress_told_ms + ENGINE_PROGRESS_MS;

	return run->progress_waits && progress_due < due ? progress_due : due;
}

static int loop(struct engine_run *run)
{
	while (!run->exited) {
		uint64_t now_ms = clock_now_ms(), due = due_ms(run);
		uint64_t wait_us = due == UINT64_MAX ? UINT64_MAX
				   : due > now_ms    ? (due - now_ms) * US_PER_MS
						     : 0;
		int r = sd_event_run(run->event, wait_us);

		if (r < 0)
			return r;
		now_ms = clock_now_ms();
		if (run->progress_waits && now_ms - run->progress_told_ms >= ENGINE_PROGRESS_MS)
			engine_run_progress(run, now_ms);
		watch_silence(run, now_ms);
	}
	return 0;
}

/* --- beginning and end */

static int folders_make(struct engine_run *run, struct error *err)
{
	static const char *const names[] = { "tmp", "cache" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int r = restore_folder_remove(run->folder_fd, names[i]);

		if (r == 0 && mkdirat(run->folder_fd, names[i], FOLDER_MODE) < 0)
			r = -errno;
		if (r < 0)
			return error_set_errno(err, ERROR_NO_SPACE, "kernel", -r,
					       "Cannot make folders for the engine");
	}
	return 0;
}

static int start(struct engine_run *run, struct error *err)
{
	const struct restore_request *request = run->request;
	const struct step_fact *step = step_fact(request->erase ? STEP_ERASE : STEP_UPDATE);
	struct engine_call call = {
		.ecid = request->ecid,
		.path = run->link.path,
		.variant = request->variant,
		.erase = request->erase,
		.folder_fd = run->folder_fd,
		.folder = request->folder,
		.log = run->log.name,
		.out = run->out.name,
	};
	int r = folders_make(run, err);

	if (r < 0)
		return r;
	r = restore_link_make(request->path, request->name, &run->link, err);
	if (r < 0)
		return r;
	r = child_signal_block();
	if (r >= 0)
		r = loop_prepare(run);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot follow the engine");
	call.relay_port = relay_port(run->relay);
	r = engine_spawn(&call, &run->pid, err);
	if (r < 0)
		return r;
	silence_begin(&run->silence, step->silence_s, step->total_s, clock_now_ms());
	r = sd_event_add_child(run->event, &run->on_exit, run->pid, WEXITED, on_exit_of_engine,
			       run);
	if (r >= 0)
		r = sd_event_add_io(run->event, &run->on_relay, relay_fd(run->relay), EPOLLIN,
				    on_relay, run);
	if (r >= 0)
		return 0;
	engine_run_signal(run, SIGKILL);
	(void)waitpid(run->pid, NULL, 0);
	return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot follow the engine");
}

/* It never got so far as to say its version. */
static bool never_started(const struct engine_run *run)
{
	return run->exit == ENGINE_EXIT_NOT_STARTED && !run->log.seen.any;
}

static void judge(struct engine_run *run, struct restore_end *ret)
{
	struct engine_seen *seen = run->log.seen.any ? &run->log.seen : &run->out.seen;
	const struct engine_rule *rule;

	/* decisions of ours are kept with the log */
	for (size_t i = 0; seen != &run->log.seen && i < ENGINE_RULES_MAX; i++)
		seen->rules[i] |= run->log.seen.rules[i];
	if (never_started(run))
		engine_seen_rule(seen, RULE_NOT_STARTED);
	rule = engine_verdict(seen, run->exit);
	if (rule && strcmp(rule->id, RULE_SILENT) == 0 && run->wants_trust && !run->touched)
		rule = engine_rule_find(RULE_NOT_PAIRED);
	ret->rule = rule;
	ret->exit = run->exit;
	ret->touched = run->touched;
	if (!rule)
		return;
	(void)error_set(&ret->why, rule->kind, "idevicerestore", run->exit, "%s", rule->text);
	/* more exact than the table can be: which certificate, whose clock */
	if (run->relay_why.kind != ERROR_NONE && strncmp(rule->id, "relay-", 6) == 0)
		text_copy(ret->why.text, sizeof(ret->why.text), run->relay_why.text);
}

static void finish(struct engine_run *run, uint64_t began_ms, struct restore_end *ret)
{
	ret->seconds = (unsigned)((clock_now_ms() - began_ms + MS_PER_S / 2) / MS_PER_S);
	engine_run_read_last(run);
	engine_run_started(run, NULL);
	(void)on_relay(NULL, -1, 0, run);
	if (run->progress_waits)
		engine_run_progress(run, clock_now_ms());
	judge(run, ret);
}

static void run_done(struct engine_run *run)
{
	sd_event_source_disable_unref(run->on_relay);
	sd_event_source_disable_unref(run->on_exit);
	sd_event_source_disable_unref(run->on_folder);
	sd_event_source_disable_unref(run->on_int);
	sd_event_source_disable_unref(run->on_term);
	sd_event_unref(run->event);
	closep(&run->out.fd);
	closep(&run->log.fd);
}

static void folders_remove(const struct engine_run *run)
{
	int r = restore_folder_remove(run->folder_fd, "tmp");
	int r_cache = restore_folder_remove(run->folder_fd, "cache");

	if (r < 0 || r_cache < 0)
		log_warning("Cannot remove what the engine left behind: %s",
			    strerror(r < 0 ? -r : -r_cache));
}

int restore_engine_run(const struct restore_request *request, int folder_fd,
		       struct restore_file *file, struct relay *relay, struct restore_end *ret,
		       struct error *err)
{
	_cleanup_(run_done) struct engine_run run = {
		.request = request,
		.folder_fd = folder_fd,
		.file = file,
		.relay = relay,
		.link.fd = -1,
		.out.fd = -1,
		.log.fd = -1,
	};
	struct restore_end end = {};
	uint64_t began_ms = clock_now_ms();
	int r;

	snprintf(run.out.name, sizeof(run.out.name), "engine-%u.out", request->attempt);
	snprintf(run.log.name, sizeof(run.log.name), "engine-%u.log", request->attempt);
	r = start(&run, err);
	if (r >= 0) {
		cancel_if_wanted(&run); /* it may have been there before the watch was */
		r = loop(&run);
		if (r < 0) {
			/* cannot happen but without memory; the engine must not go on unseen */
			engine_run_signal(&run, SIGKILL);
			(void)waitpid(run.pid, NULL, 0);
			(void)error_set_errno(err, ERROR_BUG, "worker", -r,
					      "Cannot follow the engine");
		}
	}
	if (r >= 0)
		finish(&run, began_ms, &end);
	folders_remove(&run);
	restore_link_remove(&run.link);
	if (r < 0)
		return r;
	*ret = end;
	return 0;
}
