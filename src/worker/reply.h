/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The lines that the worker sends (README.md), on standard output. All texts must be valid UTF-8
 * (text_copy()). Returns are those of line_write(); after one that failed nobody is listening.
 */
#include "base/error.h"
#include <systemd/sd-json.h>

/* fields: an object with the event's own fields, NULL for none. */
int reply_event(const char *event, sd_json_variant *fields);

/* fields: an object with the result's own fields. */
int reply_result(sd_json_variant *fields);

/*
 * Builds the last line: of a success (err NULL) or of an error, and fields (may be NULL) beside it
 * or in place of what err gives. Returns 0 or a negative errno.
 */
int reply_result_build(const struct error *err, sd_json_variant *fields, sd_json_variant **ret);
/* Sends it. */
int reply_line(sd_json_variant *line);

/* The line of an error, with fields (may be NULL) beside it, as text with its newline, allocated:
 * for a signal handler, which can build nothing. Returns 0 or a negative errno. */
int reply_error_text(const struct error *err, sd_json_variant *fields, char **ret);
