/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One job, what matters most first: what the person is to do, a question, or how it ended; how far
 * it is; its steps. All of it scrolls.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "face/console_layout.h"
#include "face/console_text.h"
#include "face/job_text.h"
#include "service/fields.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BAR_MOST = 50, BAR_LEAST = 10, BAR_NUMBER = 8 /* columns of " 100 %" and air */ };

static sd_json_variant *view_job(const struct console_view *view, const struct console_model *model)
{
	return console_jobs_find(console_model_jobs(model), view->job);
}

/* --- layout */

/* "[#####.....] 43 %": read by everybody, on every terminal. */
static void bar_add(int permille, unsigned columns, struct screen_prose *prose)
{
	unsigned width = columns > BAR_NUMBER + BAR_LEAST ? columns - BAR_NUMBER : BAR_LEAST;
	char bar[BAR_MOST + 1], percent[12];
	_cleanup_free_ char *line = NULL;
	unsigned full;

	if (width > BAR_MOST)
		width = BAR_MOST;
	full = width * (unsigned)permille / 1000;
	memset(bar, '.', width);
	memset(bar, '#', full < width ? full : width);
	bar[width] = '\0';
	snprintf(percent, sizeof(percent), "%d", permille / 10);
	line = message_format("console-bar", "bar", bar, "percent", percent, NULL);
	if (line)
		screen_prose_add(prose, SCREEN_ROLE_STRONG, line);
}

static void progress_add(sd_json_variant *job, unsigned columns, struct screen_prose *prose)
{
	_cleanup_free_ char *step = NULL, *progress = job_text_progress(job);
	size_t index = console_job_step(job);
	int permille = job_text_permille(job);

	if (index != SIZE_MAX)
		step = job_text_step(job, index);
	if (step && *step)
		screen_prose_add(prose, SCREEN_ROLE_STRONG, step);
	if (permille >= 0)
		bar_add(permille > 1000 ? 1000 : permille, columns, prose);
	if (progress && *progress)
		screen_prose_add(prose, SCREEN_ROLE_TEXT, progress);
}

/* What the person is to do now, set apart so that it is found from across the room. */
static void guidance_add(sd_json_variant *job, struct screen_prose *prose)
{
	_cleanup_free_ char *text = job_text_guidance(job), *line = NULL;
	_cleanup_free_ char *left = NULL, *time = NULL;
	bool away = field_is(job, "awaiting", "phone");

	if (!text || !*text)
		return;
	line = message_format("console-now", "text", text, NULL);
	if (!line)
		return;
	screen_prose_add(prose, away ? SCREEN_ROLE_ALERT : SCREEN_ROLE_WARN, line);
	left = job_text_time_left(job, clock_wall_ms());
	if (left && *left)
		time = message_format("console-time-left", "time", left, NULL);
	if (time)
		screen_prose_add(prose, SCREEN_ROLE_STRONG, time);
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
}

static void service_add(const struct console_model *model, const struct console_view *view,
			struct screen_prose *prose)
{
	if (console_model_link(model) != CONSOLE_LINK_UP) {
		screen_prose_add(prose, SCREEN_ROLE_ALERT, console_text("console-lost"));
		screen_prose_add(prose, SCREEN_ROLE_TEXT, console_text("console-lost-job"));
	}
	if (view->notice[0])
		screen_prose_add(prose, SCREEN_ROLE_WARN, view->notice);
	if (view->ask != CONSOLE_ASK_NONE)
		screen_prose_add(prose, SCREEN_ROLE_STRONG, console_text("console-asking-job"));
	else if (view->stopping)
		screen_prose_add(prose, SCREEN_ROLE_ALERT, console_text("console-stop"));
}

static void question_add(sd_json_variant *job, struct screen_prose *prose)
{
	const char *text = field_string(field_object(job, "question"), "text");

	screen_prose_add(prose, SCREEN_ROLE_ALERT, text ? text : "");
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	screen_prose_add(prose, SCREEN_ROLE_STRONG, console_text("console-question"));
	screen_prose_add(prose, SCREEN_ROLE_TEXT, job_text_data(job));
}

static void title_add(sd_json_variant *job, struct screen_prose *prose)
{
	_cleanup_free_ char *title = job_text_title(job), *line = NULL;

	line = message_format("console-job-title", "title", title ? title : "", "state",
			      job_text_state(job), NULL);
	screen_prose_add(prose, SCREEN_ROLE_STRONG, line ? line : "");
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
}

static void job_add(sd_json_variant *job, unsigned columns, struct screen_prose *prose)
{
	if (console_job_ended(job)) {
		job_text_outcome_add(job, prose);
	} else if (console_job_state(job) == JOB_ASKING) {
		question_add(job, prose);
	} else {
		guidance_add(job, prose);
		progress_add(job, columns, prose);
		screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
		screen_prose_add(prose, SCREEN_ROLE_TEXT, job_text_data(job));
	}
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	screen_prose_add(prose, SCREEN_ROLE_STRONG, console_text("console-section-steps"));
	job_text_steps_add(job, prose);
}

int console_page_job_put(const struct console_model *model, struct console_view *view,
			 struct screen_page *page, struct console_space space)
{
	unsigned columns = space.columns < CONSOLE_READABLE ? space.columns : CONSOLE_READABLE;
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	sd_json_variant *job = view_job(view, model);
	int r = console_prose_new(page, space, &prose);

	if (r < 0)
		return r;
	service_add(model, view, prose);
	if (job) {
		if (!console_job_ended(job)) /* its outcome says it itself */
			title_add(job, prose);
		job_add(job, columns, prose);
	} else {
		screen_prose_add(prose, SCREEN_ROLE_TEXT, console_text("console-job-gone"));
	}
	return console_prose_put(prose, view, page, space);
}

size_t console_page_job_keys(const struct console_model *model, const struct console_view *view,
			     const char *ret[static CONSOLE_KEYS_MAX])
{
	sd_json_variant *job = view_job(view, model);
	size_t count = 0;

	if (view->stopping) {
		ret[count++] = "console-keys-stop-yes";
		ret[count++] = "console-keys-stop-no";
		return count;
	}
	ret[count++] = "console-keys-back";
	if (job && view->ask == CONSOLE_ASK_NONE && console_job_state(job) == JOB_ASKING) {
		ret[count++] = "console-keys-yes";
		ret[count++] = "console-keys-no";
	} else if (job && view->ask == CONSOLE_ASK_NONE) {
		if (job_text_takes(job, true))
			ret[count++] = "console-keys-done";
		if (job_text_takes(job, false))
			ret[count++] = "console-keys-skip";
		if (console_job_may_pause(job))
			ret[count++] = "console-keys-pause";
		if (console_job_state(job) == JOB_PAUSED)
			ret[count++] = "console-keys-resume";
		if (console_job_may_cancel(job))
			ret[count++] = "console-keys-stop";
	}
	ret[count++] = "console-keys-scroll";
	return count;
}

/* --- keys */

static enum console_reaction stopping_input(struct console_view *view, struct screen_input input)
{
	if (input.character == 'y') {
		view->stopping = false;
		return console_view_ask(view, CONSOLE_ASK_CANCEL);
	}
	if (input.character != 'n' && input.key != SCREEN_KEY_BACK && input.key != SCREEN_KEY_ERASE)
		return CONSOLE_NOTHING;
	view->stopping = false;
	return CONSOLE_CHANGED;
}

/* The card of what a yes would do, with a consent that is fresh. */
static enum console_reaction question_open(struct console_view *view, sd_json_variant *job)
{
	console_card_done(&view->card);
	console_view_open(view, CONSOLE_PAGE_CARD);
	text_copy(view->card.job, sizeof(view->card.job), console_job_id(job));
	return console_view_ask(view, CONSOLE_ASK_QUESTION);
}

static enum console_reaction job_back(struct console_view *view, const struct console_model *model)
{
	bool phone = !view->from_jobs && console_model_find(model, view->chosen);

	console_view_open(view, phone ? CONSOLE_PAGE_PHONE : CONSOLE_PAGE_JOBS);
	console_view_follow(view, model);
	return CONSOLE_CHANGED;
}

enum console_reaction console_page_job_input(struct console_view *view,
					     const struct console_model *model,
					     struct screen_input input)
{
	sd_json_variant *job = view_job(view, model);
	bool free = job && view->ask == CONSOLE_ASK_NONE;
	bool asks = free && console_job_state(job) == JOB_ASKING;

	if (view->stopping)
		return stopping_input(view, input);
	if (input.key == SCREEN_KEY_BACK || input.key == SCREEN_KEY_ERASE)
		return job_back(view, model);
	if (asks && input.character == 'y')
		return question_open(view, job);
	if (asks && input.character == 'n')
		return console_view_ask(view, CONSOLE_ASK_NO);
	if (free && !asks && input.character == 'd' && job_text_takes(job, true))
		return console_view_ask(view, CONSOLE_ASK_DONE);
	if (free && !asks && input.character == 's' && job_text_takes(job, false))
		return console_view_ask(view, CONSOLE_ASK_NO);
	if (free && input.character == 'p' && console_job_may_pause(job))
		return console_view_ask(view, CONSOLE_ASK_PAUSE);
	if (free && input.character == 'p' && console_job_state(job) == JOB_PAUSED)
		return console_view_ask(view, CONSOLE_ASK_RESUME);
	if (free && input.character == 'c' && console_job_may_cancel(job)) {
		view->stopping = true;
		view->scroll = 0;
		return CONSOLE_CHANGED;
	}
	return console_view_move(view, input.key, UINT16_MAX, &view->scroll) ? CONSOLE_CHANGED
									     : CONSOLE_NOTHING;
}
