/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads the engine's two files as they grow, and tells of what stands in them:
 *
 *   engine-N.log ──▶ version, notes, signs, what the verdict is made of
 *   engine-N.out ──▶ progress; what the verdict is made of if there is no log
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/relay.h"
#include "worker/restore_run.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum {
	NOTES_MAX = 400, /* a phone may talk without end */
	READ_BYTES = 16 * 1024,
	STEP_PREPARE = 1,
	TOUCH_PERMILLE = 250, /* all before it is done without the phone */
};

/* --- telling */

void engine_run_tell(struct engine_run *run, const char *event, sd_json_variant *fields)
{
	int r = restore_file_event(run->file, event, fields);

	/* a full disk must not end a restore; the journal hears of it once */
	if (r < 0 && !run->lost)
		log_error("An event of the restore is lost: %s", strerror(-r));
	run->lost = r < 0;
}

void engine_run_note(struct engine_run *run, const char *text)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;

	if (run->notes >= NOTES_MAX)
		return;
	if (++run->notes == NOTES_MAX)
		text = "Further lines are only in the engine's log";
	if (sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("text", text)) >= 0)
		engine_run_tell(run, "note", fields);
}

/* Once; version may be NULL when the engine ended before it said it. */
void engine_run_started(struct engine_run *run, const char *version)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;

	if (run->started)
		return;
	run->started = true;
	if (sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_INTEGER("pid", getpid()),
			   SD_JSON_BUILD_PAIR_CONDITION(version != NULL, "engine",
							SD_JSON_BUILD_STRING(version)),
			   SD_JSON_BUILD_PAIR_STRING("log", run->log.name),
			   SD_JSON_BUILD_PAIR_STRING("out", run->out.name)) >= 0)
		engine_run_tell(run, "started", fields);
	if (version && !engine_version_is_known(version))
		engine_run_note(run,
				"This version of idevicerestore is not one that was tried here");
}

void engine_run_progress(struct engine_run *run, uint64_t now_ms)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	const struct engine_step *step = engine_step(run->progress.step);

	run->progress_waits = false;
	run->progress_told_ms = now_ms;
	if (step &&
	    sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("step", step->id),
			   SD_JSON_BUILD_PAIR_UNSIGNED("permille", run->progress.permille)) >= 0)
		engine_run_tell(run, "progress", fields);
}

static void touch(struct engine_run *run)
{
	if (run->touched)
		return;
	run->touched = true;
	relay_be_patient(run->relay);
	engine_run_tell(run, "touched", NULL);
}

void engine_run_signal(struct engine_run *run, int number)
{
	if (!run->exited && kill(run->pid, number) < 0)
		log_warning("Cannot signal the engine: %s", strerror(errno));
}

/* --- what the engine says */

static void take_progress(struct engine_run *run, const struct engine_progress *progress)
{
	uint64_t now_ms = clock_now_ms();

	if (run->progress_waits && progress->step != run->progress.step)
		engine_run_progress(run, now_ms); /* the last of its step */
	run->progress = *progress;
	run->progress_waits = true;
	if (now_ms - run->progress_told_ms >= ENGINE_PROGRESS_MS)
		engine_run_progress(run, now_ms);
	if (progress->step > STEP_PREPARE ||
	    (progress->step == STEP_PREPARE && progress->permille > TOUCH_PERMILLE))
		touch(run);
}

static void on_out_line(void *context, const char *line)
{
	struct engine_run *run = context;
	struct engine_progress progress;

	silence_news(&run->silence, clock_now_ms());
	if (engine_progress_parse(line, &progress)) {
		take_progress(run, &progress);
		return;
	}
	/* its only place: no log has the banner */
	if (engine_text_wants_trust(line))
		run->wants_trust = true;
	engine_seen_text(&run->out.seen, line);
}

/* The last line of defence: an update that is about to erase is killed before it does anything. */
static void guard_data(struct engine_run *run, const char *text)
{
	if (run->request->erase || run->touched || !engine_text_erases(text))
		return;
	engine_seen_rule(&run->log.seen, RULE_WOULD_ERASE);
	engine_run_signal(run, SIGKILL);
}

static void on_log_line(void *context, const char *line)
{
	struct engine_run *run = context;
	struct engine_log log;

	engine_log_parse(line, &log);
	engine_seen_log(&run->log.seen, line);
	if (!engine_text_is_idle(log.text))
		silence_news(&run->silence, clock_now_ms());
	if (log.level == ENGINE_INFO && engine_text_is_version(log.text))
		engine_run_started(run, log.text);
	/* raw lines may be the phone's own words */
	if (log.level != ENGINE_RAW)
		guard_data(run, log.text);
	if (log.level != ENGINE_RAW && engine_text_touches(log.text))
		touch(run);
	if (engine_log_is_note(&log))
		engine_run_note(run, log.text);
}

static void stream_read(struct engine_run *run, struct stream *stream, engine_line_fn fn)
{
	char bytes[READ_BYTES];
	ssize_t n;

	if (stream->fd < 0)
		stream->fd = openat(run->folder_fd, stream->name,
				    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (stream->fd < 0)
		return;
	while ((n = read(stream->fd, bytes, sizeof(bytes))) != 0) {
		if (n > 0)
			engine_lines_feed(&stream->lines, bytes, (size_t)n, fn, run);
		else if (errno != EINTR)
			break;
	}
}

void engine_run_read(struct engine_run *run)
{
	/* the log first: it has the version, and signs that progress comes after */
	stream_read(run, &run->log, on_log_line);
	stream_read(run, &run->out, on_out_line);
}

void engine_run_read_last(struct engine_run *run)
{
	engine_run_read(run);
	engine_lines_end(&run->log.lines, on_log_line, run);
	engine_lines_end(&run->out.lines, on_out_line, run);
}
