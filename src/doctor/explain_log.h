/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the lines of a log say together: rules of facts/log_rules.tsv, and those of the engine where
 * none of them fits. A cause goes before its consequences, a later failure before an earlier
 * warning; where no rule fits nothing is guessed. Pure: bytes in, verdicts out.
 */
#include "base/cleanup.h"
#include "doctor/explain.h"
#include <stddef.h>

enum {
	LOG_READ_MAX = 16 << 20, /* bytes of a log that callers hand over at most */
	LOG_LINE_BYTES = 4096,   /* of a longer line only the begin is looked at */
	LOG_VERDICTS_MAX = 8,
	LOG_EVIDENCE_BYTES = 256, /* of a line that is shown, with its NUL */
	LOG_EVIDENCE_LINES = 3,
};

/* A line that a verdict rests on. */
struct log_line {
	size_t number;                 /* from 1 */
	char text[LOG_EVIDENCE_BYTES]; /* valid UTF-8 without control characters, cut */
};

struct log_verdict {
	struct verdict verdict; /* log or rule is set, and code if one stands in the line */
	size_t times;           /* so many lines say it */
	size_t line_count;      /* 1 to LOG_EVIDENCE_LINES: its last line, then those it needs */
	struct log_line lines[LOG_EVIDENCE_LINES];
};

struct log_reader;

/* NULL only without memory. */
struct log_reader *log_reader_new(void);
void log_reader_free(struct log_reader *reader);
DEFINE_CLEANUP(struct log_reader *, log_reader_free)

/* The next n bytes of the log, any bytes; lines end at LF, CR or both. */
void log_reader_feed(struct log_reader *reader, const void *bytes, size_t n);

/* The log is over (an unended line counts): writes its verdicts, best first, and returns how many;
 * 0 if nothing is known. Nothing may be fed afterwards. */
size_t log_reader_end(struct log_reader *reader, struct log_verdict ret[static LOG_VERDICTS_MAX]);

/* Lines that were not empty. */
size_t log_reader_lines(const struct log_reader *reader);
