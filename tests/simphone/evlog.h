/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The event log: one JSON object a line, {"ms":…,"event":…,…}. ms is the core's monotonic time.
 * Tests assert on it: what the host asked, what it sent (with SHA-256), what changed.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "timers.h"

struct evlog {
	FILE *out;                  /* borrowed; NULL: no log */
	const struct timers *clock; /* borrowed */
};

struct log_field {
	const char *key;  /* NULL ends the list */
	const char *text; /* a string, or NULL for a number */
	int64_t number;
};

#define LOG_TEXT(k, v) { .key = (k), .text = (v) }
#define LOG_INT(k, v)  { .key = (k), .number = (int64_t)(v) }

void evlog_write(const struct evlog *log, const char *event, const struct log_field *fields);

#define EVLOG(log, event, ...)                                                                     \
	evlog_write((log), (event), (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){} })
