/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *   │ column headings                              │
 *   │ list of phones                               │
 *   │ ── rule ── part that is shown ──             │
 *   │ the chosen phone at a glance                 │
 *
 * A small screen drops the air first, then the columns from the right, then the glance.
 */
#include "base/cleanup.h"
#include "face/console_layout.h"
#include "face/console_text.h"
#include "face/job_text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	ROWS_GLANCE = 9, /* from here on there is room for the glance */
	NAME_COLUMN = 5, /* after the mark of the choice and the number */
	LIST_ROWS = 12,  /* so many phones fit before the glance moves down a tall screen */
};

/* Columns of the list; a width of 0 is not shown. Between two columns there is one space. */
struct list_columns {
	unsigned name, model, mode, lights, port, last;
};

static struct list_columns list_plan(unsigned columns)
{
	const unsigned name_most = 40, model_most = 36;
	struct list_columns plan = { .mode = columns >= 40 ? 11 : columns / 4 };
	unsigned rest;

	if (columns >= 50)
		plan.port = 9;
	if (columns >= 60)
		plan.last = 7;
	if (columns >= 64)
		plan.lights = CONSOLE_LIGHTS_COLUMNS + 1;
	rest = columns - plan.mode - plan.lights - plan.port - plan.last;
	plan.lights -= plan.lights > 0; /* the space behind it */
	rest = rest > NAME_COLUMN + 4 ? rest - NAME_COLUMN - 4 : 1;
	if (columns >= 66) {
		plan.model = rest * 2 / 5 < model_most ? rest * 2 / 5 : model_most;
		rest -= plan.model;
	}
	plan.name = rest < name_most ? rest : name_most;
	return plan;
}

/* Puts the cell and the space after it; a width of 0 takes no room. */
static unsigned cell_put(struct screen_page *page, unsigned row, unsigned column, unsigned width,
			 enum screen_role role, const char *text)
{
	if (width == 0)
		return column;
	screen_page_put(page, row, column, width, role, text);
	return column + width + 1;
}

static void headings_put(struct screen_page *page, unsigned row, const struct list_columns *plan)
{
	const struct {
		unsigned width;
		const char *id;
	} cells[] = {
		{ plan->name, "console-column-name" }, { plan->model, "console-column-model" },
		{ plan->mode, "console-column-mode" }, { plan->lights, "console-column-lights" },
		{ plan->port, "console-column-port" }, { plan->last, "console-column-last" },
	};
	unsigned column = NAME_COLUMN;

	for (size_t i = 0; i < ARRAY_LEN(cells); i++)
		column = cell_put(page, row, column, cells[i].width, SCREEN_ROLE_DIM,
				  console_text(cells[i].id));
}

/* The model's name, or its ProductType where the name column already shows the model. */
static const char *model_cell(const struct console_phone *phone)
{
	return console_phone_text(phone, *console_phone_text(phone, "name") ? "model" : "product");
}

/* Its mode; while a job has the phone, how far that is. The caller frees. */
static char *mode_cell(const struct console_model *model, const struct console_phone *phone)
{
	sd_json_variant *job = console_model_job_of(model, phone);
	char percent[12];
	int permille;

	if (!job || console_job_ended(job))
		return strdup(mode_fact(console_phone_mode(phone))->label);
	if (console_job_state(job) == JOB_ASKING)
		return message_format("console-list-job-asks", NULL);
	permille = job_text_permille(job);
	if (permille < 0)
		return message_format("console-list-job-runs", NULL);
	snprintf(percent, sizeof(percent), "%d", permille / 10);
	return message_format("console-list-job", "percent", percent, NULL);
}

static void phone_put(const struct console_model *model, size_t index, bool chosen,
		      const struct list_columns *plan, struct screen_page *page, unsigned row)
{
	const struct console_phone *phone = console_model_at(model, index);
	_cleanup_free_ char *mode = mode_cell(model, phone);
	unsigned column = NAME_COLUMN;
	char number[24];

	console_mark_put(page, row, chosen);
	snprintf(number, sizeof(number), "%2zu", index + 1);
	screen_page_put(page, row, 2, NAME_COLUMN - 3, SCREEN_ROLE_TEXT, number);
	column =
	    cell_put(page, row, column, plan->name, SCREEN_ROLE_TEXT, console_phone_label(phone));
	column = cell_put(page, row, column, plan->model, SCREEN_ROLE_TEXT, model_cell(phone));
	column = cell_put(page, row, column, plan->mode, SCREEN_ROLE_TEXT, mode ? mode : "");
	if (plan->lights)
		console_lights_put(phone, chosen, page, row, column);
	column += plan->lights ? plan->lights + 1 : 0;
	column = cell_put(page, row, column, plan->port, SCREEN_ROLE_TEXT,
			  console_phone_text(phone, "port"));
	cell_put(page, row, column, plan->last, SCREEN_ROLE_TEXT, console_phone_last4(phone));
}

/* The chosen phone under the list; the rest of the space belongs to the list. */
static int glance_put(const struct console_model *model, const struct console_phone *phone,
		      struct screen_page *page, unsigned row, struct console_space space)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	int r = screen_prose_new(space.columns, screen_page_charset(page), &prose);

	if (r < 0)
		return r;
	console_glance(model, phone, prose);
	screen_prose_put(prose, 0, page, row, 1, space.end - row);
	return screen_prose_error(prose);
}

int console_page_list_put(const struct console_model *model, struct console_view *view,
			  struct screen_page *page, struct console_space space)
{
	unsigned rows = space.end - space.first, count = (unsigned)console_model_count(model);
	const struct console_phone *chosen = console_model_find(model, view->chosen);
	unsigned glance = rows >= CONSOLE_ROWS_ROOMY ? 6 : rows >= ROWS_GLANCE ? 4 : 0, room, row;
	struct list_columns plan = list_plan(screen_page_columns(page));

	row = space.first;
	if (rows >= CONSOLE_ROWS_ROOMY)
		headings_put(page, ++row, &plan);
	row += rows >= CONSOLE_ROWS_ROOMY;
	room = space.end - row > glance + 1 ? space.end - row - glance - 1 : 0;
	if (room > LIST_ROWS && room > count)
		room = count > LIST_ROWS ? count : LIST_ROWS;
	view->visible = room;
	view->top = console_top_within(view->top, (unsigned)view->index, room, count);
	for (unsigned i = view->top; i < count && i - view->top < room; i++)
		phone_put(model, i, console_model_at(model, i)->tag == view->chosen, &plan, page,
			  row + i - view->top);
	row += room;
	console_rule_put(page, row, view->top, room < count ? room : count, count);
	return glance && chosen ? glance_put(model, chosen, page, row + 1, space) : 0;
}

size_t console_page_list_keys(const struct console_model *model, const struct console_view *view,
			      const char *ret[static CONSOLE_KEYS_MAX])
{
	size_t count = 0;

	if (console_model_count(model) > 0) {
		ret[count++] = "console-keys-choose";
		ret[count++] = "console-keys-open";
	}
	if (console_model_jobs(model)->count > 0)
		ret[count++] = console_jobs_running(console_model_jobs(model))
				   ? "console-keys-jobs-running"
				   : "console-keys-jobs";
	return count;
}

static enum console_reaction list_open(struct console_view *view, const struct console_model *model,
				       size_t index)
{
	if (index >= console_model_count(model))
		return CONSOLE_NOTHING;
	console_view_choose(view, model, index);
	console_view_open(view, CONSOLE_PAGE_PHONE);
	return CONSOLE_CHANGED;
}

enum console_reaction console_page_list_input(struct console_view *view,
					      const struct console_model *model,
					      struct screen_input input)
{
	unsigned index = (unsigned)view->index;

	if (input.key == SCREEN_KEY_DIGIT)
		return input.digit ? list_open(view, model, input.digit - 1) : CONSOLE_NOTHING;
	if (input.key == SCREEN_KEY_ENTER || input.key == SCREEN_KEY_RIGHT)
		return list_open(view, model, view->index);
	if (input.character == 'j' && console_model_jobs(model)->count > 0) {
		console_view_open(view, CONSOLE_PAGE_JOBS);
		return CONSOLE_CHANGED;
	}
	if (!console_view_move(view, input.key, UINT16_MAX, &index))
		return CONSOLE_NOTHING;
	console_view_choose(view, model, index);
	return CONSOLE_CHANGED;
}
