/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Log lines on standard error. Under systemd (JOURNAL_STREAM) each carries its syslog level as
 * "<6>" so that the journal sorts it; on a terminal it starts with the program's name. Never log
 * pairing keys or escrow bags.
 *
 * error: a person must act · warning: it goes on, but not as wanted · notice: phones come and go,
 * jobs start and end · info: single calls · debug: bytes and lines.
 */
#include <syslog.h>

/* Sets the program's name (borrowed for the whole run) and the highest level that is printed. */
void log_init(const char *program, int max_level);

void log_write(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_DEBUG, __VA_ARGS__)
