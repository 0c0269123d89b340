/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A run of the engine, private to restore_engine.c, which owns it and decides, and
 * restore_follow.c, which reads what the engine writes and tells of it.
 */
#include "worker/engine_output.h"
#include "worker/engine_verdict.h"
#include "worker/restore.h"
#include "worker/restore_file.h"
#include "worker/restore_link.h"
#include "worker/silence.h"
#include <sys/types.h>
#include <systemd/sd-event.h>

struct relay;

/* At most two lines of progress a second. */
enum { ENGINE_PROGRESS_MS = 500 };

/* One file of the engine's, read as far as it is written. */
struct stream {
	char name[RESTORE_FILE_NAME_BYTES];
	int fd; /* -1: not there yet */
	struct engine_lines lines;
	struct engine_seen seen;
};

struct engine_run {
	const struct restore_request *request;
	int folder_fd;
	struct restore_file *file;
	struct restore_link link;
	sd_event *event;
	/* owned one by one: an event frees none that floats while signals are among them */
	sd_event_source *on_folder, *on_term, *on_int, *on_exit, *on_relay;
	struct relay *relay; /* borrowed */
	struct stream out, log;
	pid_t pid;
	bool exited;
	int exit;
	bool started, touched, cancelled, cancel_told, wants_trust, lost;
	unsigned notes;
	struct engine_progress progress; /* the last that came */
	bool progress_waits;             /* and was not told yet */
	uint64_t progress_told_ms;
	struct silence silence;
	struct error relay_why;
};

/* An event of README.md into the file; fields may be NULL. */
void engine_run_tell(struct engine_run *run, const char *event, sd_json_variant *fields);
void engine_run_note(struct engine_run *run, const char *text);
/* Once; version: the engine's first line, NULL when it ended before it said it. */
void engine_run_started(struct engine_run *run, const char *version);
/* The progress that came last. */
void engine_run_progress(struct engine_run *run, uint64_t now_ms);
void engine_run_signal(struct engine_run *run, int number);

/* Takes all that the engine has written since. */
void engine_run_read(struct engine_run *run);
/* The same, when it has ended. */
void engine_run_read_last(struct engine_run *run);
