/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What idevicerestore writes, taken apart: bytes into lines, lines into progress, levels and signs.
 * Pure. All of it is foreign: a phone's own log runs through it.
 *
 *   standard output  "progress: 1 0.250000", messages without time or level
 *   log              "12:34:56.789    <Info> text", and raw lines: the phone's log, libtatsu
 *
 * Known: idevicerestore 1.0.1 as Debian has it (1.0.0+git20251002-1; reference: idevicerestore.md
 * §1.4). Other versions are run too; engine_version_is_known() says when to tell so.
 */
#include <stdbool.h>
#include <stddef.h>

/* Longer lines are cut there; the rest up to the newline is dropped. */
enum { ENGINE_LINE_BYTES = 2048 };
/* A line as text: each bad byte may become three. */
enum { ENGINE_TEXT_BYTES = 3 * ENGINE_LINE_BYTES + 1 };

struct engine_lines {
	size_t used;
	char bytes[ENGINE_LINE_BYTES];
};

/* line: valid UTF-8 without control characters, not empty; borrowed for the call. */
typedef void (*engine_line_fn)(void *context, const char *line);

/* Takes n bytes as they came and calls fn for each line that is whole now. lines begins as {}. */
void engine_lines_feed(struct engine_lines *lines, const char *bytes, size_t n, engine_line_fn fn,
		       void *context);
/* The stream has ended: a last line without its newline counts. */
void engine_lines_end(struct engine_lines *lines, engine_line_fn fn, void *context);

struct engine_progress {
	unsigned step;     /* number of facts/engine_steps.tsv, 0 to 99 */
	unsigned permille; /* 0 to 1000 */
};
/* A line of standard output. False if it is no progress. */
bool engine_progress_parse(const char *line, struct engine_progress *ret);

enum engine_level {
	ENGINE_ERROR,
	ENGINE_WARNING,
	ENGINE_NOTICE,
	ENGINE_INFO,
	ENGINE_VERBOSE,
	ENGINE_DEBUG,
	ENGINE_RAW, /* no time and level before it */
};
struct engine_log {
	enum engine_level level;
	const char *text; /* points into the line */
};
/* A line of the log. */
void engine_log_parse(const char *line, struct engine_log *ret);

/* It only says that nothing came: no sign of life. */
bool engine_text_is_idle(const char *text);
/* From here the phone is being changed. */
bool engine_text_touches(const char *text);
/* The engine says, before it touches the phone, that it will erase it. */
bool engine_text_erases(const char *text);
/* It waits for somebody to tap Trust. */
bool engine_text_wants_trust(const char *text);
/* Worth showing to a person. */
bool engine_log_is_note(const struct engine_log *log);
/* "idevicerestore 1.0.1 (libirecovery 1.3.1, libtatsu 1.0.5)", its first line. */
bool engine_text_is_version(const char *text);
bool engine_version_is_known(const char *text);
