/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The jobs, newest first: also those whose phone is not plugged in now. */
#include "base/cleanup.h"
#include "face/console_layout.h"
#include "face/console_text.h"
#include "face/job_text.h"

enum { STATE_COLUMN = 2, TITLE_COLUMN = 16 };

static void job_row_put(sd_json_variant *job, bool chosen, struct screen_page *page, unsigned row)
{
	_cleanup_free_ char *title = job_text_title(job);
	enum screen_role role = chosen ? SCREEN_ROLE_TEXT : job_text_role(job);

	console_mark_put(page, row, chosen);
	screen_page_put(page, row, STATE_COLUMN, TITLE_COLUMN - STATE_COLUMN - 1, role,
			job_text_state(job));
	screen_page_put(page, row, TITLE_COLUMN, screen_page_columns(page), SCREEN_ROLE_TEXT,
			title ? title : "");
}

int console_page_jobs_put(const struct console_model *model, struct console_view *view,
			  struct screen_page *page, struct console_space space)
{
	const struct console_jobs *jobs = console_model_jobs(model);
	unsigned rows = space.end - space.first, count = (unsigned)jobs->count;
	unsigned room = rows > 1 ? rows - 1 : 0;

	if (count == 0) {
		screen_page_put(page, space.first, 1, space.columns, SCREEN_ROLE_TEXT,
				console_text("console-no-jobs"));
		return 0;
	}
	if (view->item >= count)
		view->item = count - 1;
	view->visible = room;
	view->top = console_top_within(view->top, view->item, room, count);
	for (unsigned i = view->top; i < count && i - view->top < room; i++)
		job_row_put(jobs->objects[i], i == view->item, page, space.first + i - view->top);
	if (rows > 0)
		console_rule_put(page, space.end - 1, view->top, room < count ? room : count,
				 count);
	return 0;
}

enum console_reaction console_page_jobs_input(struct console_view *view,
					      const struct console_model *model,
					      struct screen_input input)
{
	const struct console_jobs *jobs = console_model_jobs(model);

	if (input.key == SCREEN_KEY_BACK || input.key == SCREEN_KEY_ERASE) {
		console_view_open(view, CONSOLE_PAGE_LIST);
		return CONSOLE_CHANGED;
	}
	if (jobs->count == 0)
		return CONSOLE_NOTHING;
	if (input.key == SCREEN_KEY_ENTER || input.key == SCREEN_KEY_RIGHT) {
		unsigned item = view->item < jobs->count ? view->item : (unsigned)jobs->count - 1;

		console_view_open_job(view, jobs->objects[item], true);
		return CONSOLE_CHANGED;
	}
	return console_view_move(view, input.key, (unsigned)jobs->count - 1, &view->item)
		   ? CONSOLE_CHANGED
		   : CONSOLE_NOTHING;
}
