/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What ends a worker from outside its own flow, also inside a library call that blocks: the service
 * closing the socket, and the limit of the whole run.
 */
#include <stddef.h>
#include <time.h>

struct lifeline {
	timer_t timer;
	char *last_line; /* owned; what is written when the limit is over */
	size_t last_line_bytes;
	int exit_status; /* what the process ends with after it */
};

/*
 * Ties the process to its standard input: if that is a socket, the process ends (status 1, no line)
 * as soon as the other end is closed, and standard output does not block beyond what line_write()
 * waits. Any other input, as on a terminal or from a pipe, ties to nothing. Returns 0 or a negative
 * errno.
 */
int lifeline_tie(void);

/* From here the process lives on when the other end closes, and when the one that forked it dies:
 * the parent of an engine that must not be left alone. */
void lifeline_untie(void);

/*
 * Between the two the process does not end by itself, neither when the other end closes nor by
 * SIGTERM: its flow asks lifeline_is_cut() several times a second, and ends in order when it is.
 * After lifeline_let_go() it ends at once if it was cut meanwhile. Before any other thread starts;
 * not nested.
 */
void lifeline_hold(void);
bool lifeline_is_cut(void);
void lifeline_let_go(void);

/*
 * In limit_ms from now, unless released, writes last_line (borrowed; copied) to standard output and
 * ends the process with status 1. lifeline must stay where it is until lifeline_release(). Returns
 * 0 or a negative errno.
 */
int lifeline_limit(struct lifeline *lifeline, unsigned limit_ms, const char *last_line);

/* The last line is no error but an answer: the process ends with status 0 after it. */
void lifeline_is_answer(struct lifeline *lifeline);

/* Lifts the limit for good: after this no second result can be written. */
void lifeline_release(struct lifeline *lifeline);
