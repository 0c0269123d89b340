/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How the commands speak: to people in the words of facts/messages.tsv, to programs in JSON, one
 * object a line, the last of type "result" (DESIGN §12). Answers go to standard output, mistakes to
 * standard error; in JSON both go to standard output.
 */
#include "base/error.h"
#include "face/command.h"
#include "face/screen_prose.h"
#include "facts/facts.h"
#include <systemd/sd-json.h>

/* One line {"v":1,"type":TYPE, …fields}; fields may be NULL. Returns 0 or a negative errno. */
int output_json(const char *type, sd_json_variant *fields);

/* The last line of a command that succeeded, in JSON; nothing in text. Returns the exit status. */
int output_result(const struct command_call *call, sd_json_variant *fields);

/* The same of one whose answer has an exit status of its own (findings, how a job ended). Returns
 * it. */
int output_status(const struct command_call *call, int status, sd_json_variant *fields);

/* The end of one that failed: what happened and what to do next. Returns the exit status. */
int output_end(const struct command_call *call, const struct error *err);

/* output_end() with advice of the service's own about what to do next; NULL or "": that of the
 * kind.
 */
int output_end_next(const struct command_call *call, const struct error *err, const char *next);

/* output_end() with ERROR_USAGE and the message `id`, whose place {what} is filled. */
int output_usage(const struct command_call *call, const char *id, const char *what);

/* output_end() with ERROR_BUG for a failure that nobody outside can help with. */
int output_bug(const struct command_call *call, int r);

/* Writes out what is still in the buffer of standard output; status, or the exit status of a
 * failure. */
int output_flush(int status);

/* The message's text; the id itself if it is missing, which lint finds. Never NULL. */
const char *output_text(const char *id);

/* A foreign text as this terminal can show it, without marks that turn or hide what follows.
 * Allocated; never NULL (ends the program without memory). */
char *output_clean(const char *text);

/* Writes text and then spaces up to so many columns. */
void output_padded(const char *text, size_t columns);

/* Columns of the terminal on standard output; 0 if it is none. */
unsigned output_columns(void);

/* Prose for standard output: as wide as the terminal; a paragraph a line where there is none.
 * Returns 0 or -ENOMEM. */
int output_prose_new(struct screen_prose **ret);

/* Writes it. Returns 0 or a negative errno. */
int output_prose(const struct screen_prose *prose);
