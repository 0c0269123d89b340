/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * All rules for lines of logs against one line, fast enough for 16 MiB of them: every way of every
 * pattern is found by four bytes of its text.
 */
#include "base/cleanup.h"
#include "doctor/log_pattern.h"

/* Rules that are told of one line at most; those of the table's begin go first. */
enum { LOG_FITS_MAX = 24 };

/* Rules by number: those of log_rule_all(), then those of engine_rule_all(). */
struct log_fit {
	unsigned rule;
	struct log_found found;
};

struct log_index;

/* NULL only without memory. */
struct log_index *log_index_new(void);
void log_index_free(struct log_index *index);
DEFINE_CLEANUP(struct log_index *, log_index_free)

/*
 * The rules that fit the line (n bytes, small letters), each once, in the order of the table. None
 * if a rule of noise fits. A code in the line ({scheme}) gives way to a rule that spells it and is
 * certain or likely, which takes the code
 * over; rules that are only possible give way to a code. Returns how many.
 */
size_t log_index_fits(struct log_index *index, const char *line, size_t n,
		      struct log_fit ret[static LOG_FITS_MAX]);
