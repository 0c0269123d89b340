/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What `explain` is asked about, a code, a line, a file or standard input, and what is known of it.
 */
#include "base/error.h"
#include "doctor/explain_log.h"
#include "face/command.h"

enum explain_from { EXPLAIN_CODE, EXPLAIN_LINE, EXPLAIN_FILE, EXPLAIN_INPUT };

enum { EXPLAINED_MAX = EXPLAIN_MAX };

struct explained {
	enum explain_from from;
	char text[EXPLAIN_TEXT_BYTES]; /* the code or line, or the file's name */
	bool shadows;                  /* a code, and a file has its name */
	size_t bytes, lines;           /* read of a file or of standard input */
	bool cut; /* it was longer: of a file the end was read, else the begin */
	struct log_verdict list[EXPLAINED_MAX]; /* line_count is 0 for a code */
	size_t count;
};

/*
 * One argument "-" is standard input; one with a slash and no space, or one that is no known code
 * and names a file that is here, is that file; else the arguments are a code or a line. Returns 0
 * or a negative errno with err: the file cannot be read.
 */
int explain_input(const struct command_call *call, struct explained *ret, struct error *err);
