/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/follow_text.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "face/job_text.h"
#include "face/output.h"
#include "face/screen_text.h"
#include "service/fields.h"
#include <stdio.h>
#include <string.h>

enum { PROGRESS_EACH_MS = 5000 };

/* Before what belongs to a step. */
#define INDENT "  "
/* Carriage return, and erase to the end of the line (ECMA-48). */
#define LINE_ANEW "\r\033[K"

void follow_text_close(struct follow_text *text)
{
	if (text->line_open)
		putchar('\n');
	text->line_open = false;
}

static void line_write(struct follow_text *text, const char *indent, const char *line)
{
	_cleanup_free_ char *clean = output_clean(line ? line : "");

	follow_text_close(text);
	printf("%s%s\n", indent, clean);
}

void follow_text_line(struct follow_text *text, const char *line)
{
	line_write(text, "", line);
}

/* --- steps ----------------------------------------------------------------------------------- */

/* A job that goes on with another plan has other steps: what was told of the old ones is void. */
static void steps_match(struct follow_text *text, sd_json_variant *steps)
{
	size_t count = sd_json_variant_elements(steps);
	bool same = count >= text->step_count;

	for (size_t i = 0; same && i < text->step_count; i++)
		same = field_is(sd_json_variant_by_index(steps, i), "kind", text->steps[i].kind);
	if (!same) {
		memset(text->steps, 0, sizeof(text->steps));
		follow_text_line(text, output_text("follow-other-steps"));
	}
	text->step_count = count < FOLLOW_STEPS_MAX ? count : FOLLOW_STEPS_MAX;
	for (size_t i = 0; i < text->step_count; i++)
		text_copy(text->steps[i].kind, sizeof(text->steps[i].kind),
			  field_string(sd_json_variant_by_index(steps, i), "kind"));
}

static void end_tell(struct follow_text *text, sd_json_variant *job, size_t index,
		     sd_json_variant *step, const char *id)
{
	const char *reason = field_string(field_object(step, "error"), "text");
	_cleanup_free_ char *begin = job_text_step(job, index), *line = NULL, *more = NULL;
	const char *state = job_text_step_state(step, id), *found = field_string(step, "found");

	if (!reason)
		reason = field_string(step, "reason");
	line = reason ? message_format("follow-step-reason", "step", begin ? begin : "", "state",
				       state, "reason", reason, NULL)
		      : message_format("follow-step", "step", begin ? begin : "", "state", state,
				       NULL);
	follow_text_line(text, line);
	if (!found)
		return;
	more = message_format("job-step-found", "text", found, NULL);
	line_write(text, INDENT, more);
}

/* One line for all steps that were left out for one reason: told at the first of them. */
static bool left_out_tell(struct follow_text *text, sd_json_variant *job, size_t index)
{
	size_t last = job_text_left_out(job, index);
	_cleanup_free_ char *line = NULL;

	if (last == SIZE_MAX || text->steps[index].ended[0])
		return last != SIZE_MAX;
	for (size_t i = index; i <= last && i < text->step_count; i++)
		text_copy(text->steps[i].ended, sizeof(text->steps[i].ended), "skipped");
	line = job_text_left_out_line(job, index, last);
	follow_text_line(text, line);
	return true;
}

static void step_tell(struct follow_text *text, sd_json_variant *job, size_t index)
{
	static const char *const ends[][2] = { { "done", "job-step-done" },
					       { "skipped", "job-step-skipped" },
					       { "failed", "job-step-failed" } };
	sd_json_variant *step = sd_json_variant_by_index(field_array(job, "steps"), index);
	struct follow_step *told = &text->steps[index];
	uint64_t attempt = field_unsigned(step, "attempt", 1);

	if (field_is(step, "state", "running") && attempt > told->attempt) {
		_cleanup_free_ char *line = job_text_step(job, index);

		told->attempt = attempt;
		told->ended[0] = '\0';
		text->progress[0] = '\0';
		follow_text_line(text, line);
	}
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		if (!field_is(step, "state", ends[i][0]) || strcmp(told->ended, ends[i][0]) == 0)
			continue;
		text_copy(told->ended, sizeof(told->ended), ends[i][0]);
		end_tell(text, job, index, step, ends[i][1]);
	}
}

/* --- guidance, progress ---------------------------------------------------------------------- */

static void guidance_tell(struct follow_text *text, sd_json_variant *job)
{
	_cleanup_free_ char *guidance = job_text_guidance(job), *line = NULL;
	_cleanup_free_ char *left = NULL, *time = NULL, *how = NULL;
	char cut[FOLLOW_LINE_BYTES];

	text_copy(cut, sizeof(cut), guidance);
	if (strcmp(cut, text->guidance) == 0)
		return;
	memcpy(text->guidance, cut, sizeof(cut));
	if (!cut[0])
		return;
	line = message_format("follow-guidance", "text", cut, NULL);
	line_write(text, INDENT, line);
	left = job_text_time_left(job, clock_wall_ms());
	if (left && *left)
		time = message_format("job-time-left", "time", left, NULL);
	if (time)
		line_write(text, INDENT, time);
	if (job_text_takes(job, true) || job_text_takes(job, false))
		how =
		    message_format(job_text_takes(job, true) ? "job-answer-both" : "job-answer-no",
				   "id", field_string(job, "id"), NULL);
	if (how)
		line_write(text, INDENT, how);
}

static void progress_rewrite(struct follow_text *text, const char *line)
{
	_cleanup_free_ char *clean = output_clean(line);
	size_t bytes = screen_text_fit(clean, text->columns - sizeof(INDENT));

	printf(LINE_ANEW INDENT "%.*s", (int)bytes, clean);
	text->line_open = true;
}

static void progress_tell(struct follow_text *text, sd_json_variant *job, uint64_t now_ms)
{
	_cleanup_free_ char *progress = job_text_progress(job);
	char cut[FOLLOW_LINE_BYTES];

	text_copy(cut, sizeof(cut), progress);
	if (!cut[0] || job_text_is_end(job) || strcmp(cut, text->progress) == 0)
		return;
	if (text->columns == 0 && text->progress_ms &&
	    now_ms - text->progress_ms < PROGRESS_EACH_MS)
		return;
	memcpy(text->progress, cut, sizeof(cut));
	text->progress_ms = now_ms;
	if (text->columns)
		progress_rewrite(text, cut);
	else
		line_write(text, INDENT, cut);
}

void follow_text_tell(struct follow_text *text, sd_json_variant *job, uint64_t now_ms)
{
	steps_match(text, field_array(job, "steps"));
	for (size_t i = 0; i < text->step_count; i++)
		if (!left_out_tell(text, job, i))
			step_tell(text, job, i);
	if (!job_text_is_end(job))
		guidance_tell(text, job);
	progress_tell(text, job, now_ms);
}
