/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* The log is one of the few places with state of the whole program: every file writes to it. */
static struct {
	const char *program;
	int max_level;
	bool journal;
} log_target = { .program = "idevicerescue", .max_level = LOG_INFO };

enum { LOG_LINE_BYTES = 1024 };

void log_init(const char *program, int max_level)
{
	log_target.program = program;
	log_target.max_level = max_level;
	log_target.journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_write(int level, const char *format, ...)
{
	char line[LOG_LINE_BYTES];
	va_list args;

	if (level > log_target.max_level)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* One call a line, so that lines of several processes do not mix. */
	if (log_target.journal)
		fprintf(stderr, "<%d>%s\n", level, line);
	else
		fprintf(stderr, "%s: %s\n", log_target.program, line);
}
