/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What `follow` has already said of a job, so that nothing is said twice: not after the service was
 * away, and not when a change brings the same again.
 */
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-json.h>

enum { FOLLOW_STEPS_MAX = 64, FOLLOW_WORD_BYTES = 32, FOLLOW_LINE_BYTES = 896 };

struct follow_step {
	char kind[FOLLOW_WORD_BYTES];
	char ended[FOLLOW_WORD_BYTES]; /* the end that was told: "done", "failed" …; "" none */
	uint64_t attempt;              /* the attempt whose beginning was told, 0 none */
};

struct follow_text {
	struct follow_step steps[FOLLOW_STEPS_MAX];
	size_t step_count;
	char guidance[FOLLOW_LINE_BYTES]; /* the last that was told */
	char progress[FOLLOW_LINE_BYTES];
	uint64_t progress_ms; /* when, clock_now_ms() */
	bool line_open;       /* the cursor stands behind a line of progress */
	unsigned columns;     /* of the terminal, 0: none, lines of progress stay */
};

/* Says what is new in this state of the job. now_ms: clock_now_ms(). */
void follow_text_tell(struct follow_text *text, sd_json_variant *job, uint64_t now_ms);

/* A line of its own among the others; ends a line of progress first. */
void follow_text_line(struct follow_text *text, const char *line);

/* Ends a line of progress that is still open. */
void follow_text_close(struct follow_text *text);
