/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *   ┌ bar: product, version ······························ count, TEST ┐
 *   │ column headings                                                  │
 *   │ list of phones                     or: details of one phone,     │
 *   │ ── rule ── part that is shown ──       or: what to do            │
 *   │ the chosen phone at a glance                                     │
 *   │ notice (only if there is one)                                    │
 *   └ bar: keys ───────────────────────────────────────────────────────┘
 *
 * A small screen drops the air first, then the columns from the right, then the glance.
 */
#include "face/console_layout.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "face/console_text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	ROWS_ROOMY = 16, /* from here on there is air between the parts */
	ROWS_GLANCE = 9, /* and from here on room for the glance */
	NAME_COLUMN = 5, /* after the mark of the choice and the number */
	READABLE = 76,   /* longer lines are hard to read */
	LIST_ROWS = 12,  /* so many phones fit before the glance moves down a tall screen */
};

/* Rows that are left for the body, [first, end). */
struct console_space {
	unsigned first, end, columns;
};

static void head_put(const struct console_model *model, const char *version,
		     struct screen_page *page)
{
	unsigned columns = screen_page_columns(page), end = columns > 1 ? columns - 1 : columns;
	_cleanup_free_ char *title = NULL, *count = NULL;
	char number[24];

	screen_page_fill(page, 0, SCREEN_ROLE_BAR);
	if (console_model_is_test(model)) {
		end = screen_page_put_right(page, 0, end, SCREEN_ROLE_ALERT,
					    console_text("console-test"));
		end = end > 2 ? end - 2 : 0;
	}
	snprintf(number, sizeof(number), "%zu", console_model_count(model));
	count = message_format(console_model_count(model) == 1 ? "console-one-phone"
							       : "console-many-phones",
			       "count", number, NULL);
	if (count && console_model_link(model) == CONSOLE_LINK_UP)
		end = screen_page_put_right(page, 0, end, SCREEN_ROLE_TEXT, count);
	title = message_format("console-title", "version", version, NULL);
	if (title && end > 3)
		screen_page_put(page, 0, 1, end - 3, SCREEN_ROLE_TEXT, title);
}

/* The keys that work here, the important first, as many as fit. */
static void foot_put(const char *const ids[], size_t count, struct screen_page *page)
{
	unsigned row = screen_page_rows(page) - 1, column = 1;

	screen_page_fill(page, row, SCREEN_ROLE_BAR);
	for (size_t i = 0; i < count; i++) {
		const char *text = console_text(ids[i]);
		unsigned width = (unsigned)text_columns(text);

		if (column + width > screen_page_columns(page))
			return;
		screen_page_put(page, row, column, width, SCREEN_ROLE_TEXT, text);
		column += width + 3;
	}
}

static void keys_put(const struct console_model *model, const struct console_view *view,
		     struct screen_page *page)
{
	const char *ids[4];
	size_t count = 0;

	if (view->details) {
		ids[count++] = "console-keys-back";
		ids[count++] = "console-keys-scroll";
	} else if (console_model_count(model) > 0) {
		ids[count++] = "console-keys-choose";
		ids[count++] = "console-keys-open";
	}
	if (!view->resident)
		ids[count++] = "console-keys-leave";
	if (!view->details && console_model_count(model) > 1)
		ids[count++] = "console-keys-number";
	foot_put(ids, count, page);
}

/* What must be seen wherever one is; takes its rows from the end of the space. */
static int notice_put(const struct console_model *model, struct screen_page *page,
		      struct console_space *space)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	const unsigned most = 2;
	unsigned rows;
	int r;

	if (console_model_link(model) != CONSOLE_LINK_UP || console_model_has_mux(model))
		return 0;
	r = screen_prose_new(space->columns, screen_page_charset(page), &prose);
	if (r < 0)
		return r;
	screen_prose_add(prose, SCREEN_ROLE_WARN, console_text("console-mux-down"));
	rows = screen_prose_lines(prose) < most ? screen_prose_lines(prose) : most;
	if (space->end - space->first < rows + 2)
		return screen_prose_error(prose);
	space->end -= rows;
	screen_prose_put(prose, 0, page, space->end, 1, rows);
	return screen_prose_error(prose);
}

/* A line across the page that tells which part of the whole is shown, if it is not all. */
static void part_rule_put(struct screen_page *page, unsigned row, unsigned first, unsigned shown,
			  unsigned count)
{
	unsigned columns = screen_page_columns(page), end = columns;
	_cleanup_free_ char *text = NULL;
	char from[12], to[12], all[12];

	if (shown < count && columns > 2) {
		snprintf(from, sizeof(from), "%u", first + 1);
		snprintf(to, sizeof(to), "%u", first + shown);
		snprintf(all, sizeof(all), "%u", count);
		text = message_format("console-part", "from", from, "to", to, "count", all, NULL);
		if (text)
			end = screen_page_put_right(page, row, columns - 1, SCREEN_ROLE_DIM, text);
		end = end > 0 ? end - 1 : 0;
	}
	screen_page_rule(page, row, 0, end);
}

/* Columns of the list; a width of 0 is not shown. Between two columns there is one space. */
struct list_columns {
	unsigned name, model, mode, port, last;
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
	rest = columns - plan.mode - plan.port - plan.last;
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
		{ plan->mode, "console-column-mode" }, { plan->port, "console-column-port" },
		{ plan->last, "console-column-last" },
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

static void phone_put(const struct console_phone *phone, size_t index, bool chosen,
		      const struct list_columns *plan, struct screen_page *page, unsigned row)
{
	const struct mode_fact *fact = mode_fact(console_phone_mode(phone));
	unsigned column = NAME_COLUMN;
	char number[24];

	if (chosen) {
		screen_page_fill(page, row, SCREEN_ROLE_SELECTED);
		screen_page_put(page, row, 0, 1, SCREEN_ROLE_TEXT, ">");
	}
	snprintf(number, sizeof(number), "%2zu", index + 1);
	screen_page_put(page, row, 2, NAME_COLUMN - 3, SCREEN_ROLE_TEXT, number);
	column =
	    cell_put(page, row, column, plan->name, SCREEN_ROLE_TEXT, console_phone_label(phone));
	column = cell_put(page, row, column, plan->model, SCREEN_ROLE_TEXT, model_cell(phone));
	column = cell_put(page, row, column, plan->mode, SCREEN_ROLE_TEXT, fact->label);
	column = cell_put(page, row, column, plan->port, SCREEN_ROLE_TEXT,
			  console_phone_text(phone, "port"));
	cell_put(page, row, column, plan->last, SCREEN_ROLE_TEXT, console_phone_last4(phone));
}

/* The chosen phone under the list; the rest of the space belongs to the list. */
static int glance_put(const struct console_phone *phone, struct screen_page *page, unsigned row,
		      struct console_space space)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	int r = screen_prose_new(space.columns, screen_page_charset(page), &prose);

	if (r < 0)
		return r;
	console_glance(phone, prose);
	screen_prose_put(prose, 0, page, row, 1, space.end - row);
	return screen_prose_error(prose);
}

static unsigned top_within(unsigned top, unsigned index, unsigned room, unsigned count)
{
	if (index < top)
		top = index;
	if (index >= top + room)
		top = index - room + 1;
	if (top + room > count)
		top = count > room ? count - room : 0;
	return top;
}

static int list_put(const struct console_model *model, struct console_view *view,
		    struct screen_page *page, struct console_space space)
{
	unsigned rows = space.end - space.first, count = (unsigned)console_model_count(model);
	const struct console_phone *chosen = console_model_find(model, view->chosen);
	unsigned glance = rows >= ROWS_ROOMY ? 6 : rows >= ROWS_GLANCE ? 4 : 0, room, row;
	struct list_columns plan = list_plan(screen_page_columns(page));

	row = space.first;
	if (rows >= ROWS_ROOMY)
		headings_put(page, ++row, &plan);
	row += rows >= ROWS_ROOMY;
	room = space.end - row > glance + 1 ? space.end - row - glance - 1 : 0;
	if (room > LIST_ROWS && room > count)
		room = count > LIST_ROWS ? count : LIST_ROWS;
	view->visible = room;
	view->top = top_within(view->top, (unsigned)view->index, room, count);
	for (unsigned i = view->top; i < count && i - view->top < room; i++)
		phone_put(console_model_at(model, i), i,
			  console_model_at(model, i)->tag == view->chosen, &plan, page,
			  row + i - view->top);
	row += room;
	part_rule_put(page, row, view->top, room < count ? room : count, count);
	return glance && chosen ? glance_put(chosen, page, row + 1, space) : 0;
}

static void details_warn(const struct console_model *model, const struct console_phone *phone,
			 struct screen_prose *prose)
{
	if (console_model_link(model) != CONSOLE_LINK_UP)
		screen_prose_add(prose, SCREEN_ROLE_ALERT, console_text("console-lost"));
	else if (phone->left)
		screen_prose_add(prose, SCREEN_ROLE_WARN, console_text("console-left"));
}

static int details_put(const struct console_model *model, struct console_view *view,
		       struct screen_page *page, struct console_space space)
{
	const struct console_phone *phone = console_model_find(model, view->chosen);
	unsigned width = space.columns < READABLE ? space.columns : READABLE, lines;
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	int r = screen_prose_new(width, screen_page_charset(page), &prose);

	if (r < 0)
		return r;
	details_warn(model, phone, prose);
	r = console_details(phone, prose);
	if (r < 0)
		return r;
	lines = screen_prose_lines(prose);
	if (space.end - space.first >= ROWS_ROOMY)
		space.first++;
	view->visible = space.end - space.first - 1;
	if (view->scroll + view->visible > lines)
		view->scroll = lines > view->visible ? lines - view->visible : 0;
	screen_prose_put(prose, view->scroll, page, space.first, 1, view->visible);
	part_rule_put(page, space.end - 1, view->scroll,
		      lines < view->visible ? lines : view->visible, lines);
	return screen_prose_error(prose);
}

/* Words for the whole screen: a headline, then steps with numbers or plain paragraphs. */
struct console_words {
	const char *headline;                         /* message ids */
	const char *const *steps, *const *paragraphs; /* NULL at the end; NULL none */
	const char *reason;                           /* of foreign origin, "" none */
};

static void words_add(struct screen_prose *prose, const struct console_words *words, bool roomy)
{
	const unsigned step_column = 3;

	screen_prose_add(prose, SCREEN_ROLE_STRONG, console_text(words->headline));
	for (unsigned i = 0; words->steps && words->steps[i]; i++) {
		char number[12];

		snprintf(number, sizeof(number), "%u.", i + 1);
		if (roomy)
			screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
		screen_prose_add_labelled(prose, step_column, number,
					  console_text(words->steps[i]));
	}
	for (unsigned i = 0; words->paragraphs && words->paragraphs[i]; i++) {
		if (roomy)
			screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
		screen_prose_add(prose, SCREEN_ROLE_TEXT, console_text(words->paragraphs[i]));
	}
	if (roomy)
		screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	if (*words->reason)
		screen_prose_add(prose, SCREEN_ROLE_DIM, words->reason);
}

static int words_put(const struct console_words *words, struct screen_page *page,
		     struct console_space space)
{
	bool roomy = space.end - space.first >= ROWS_ROOMY && space.columns >= 50;
	unsigned width = space.columns < READABLE ? space.columns : READABLE;
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	int r = screen_prose_new(roomy ? width - 6 : width, screen_page_charset(page), &prose);

	if (r < 0)
		return r;
	words_add(prose, words, roomy);
	space.first += roomy ? 2 : 0;
	screen_prose_put(prose, 0, page, space.first, roomy ? 4 : 1, space.end - space.first);
	return screen_prose_error(prose);
}

static int body_put(const struct console_model *model, struct console_view *view,
		    struct screen_page *page, struct console_space space)
{
	static const char *const steps[] = { "console-empty-cable", "console-empty-other-cable",
					     "console-empty-other-port", "console-empty-battery",
					     NULL };
	static const char *const remedies[] = { "console-lost-again", "console-lost-restart",
						NULL };
	const struct console_words waiting = { .headline = "console-waiting", .reason = "" },
				   empty = { .headline = "console-empty",
					     .steps = steps,
					     .reason = "" },
				   lost = { .headline = "console-lost",
					    .paragraphs = remedies,
					    .reason = console_model_reason(model) };

	if (view->details && console_model_find(model, view->chosen))
		return details_put(model, view, page, space);
	switch (console_model_link(model)) {
	case CONSOLE_LINK_WAITING:
		return words_put(&waiting, page, space);
	case CONSOLE_LINK_LOST:
		return words_put(&lost, page, space);
	case CONSOLE_LINK_UP:
	case CONSOLE_LINK_MAX:
		break;
	}
	if (console_model_count(model) == 0)
		return words_put(&empty, page, space);
	return list_put(model, view, page, space);
}

int console_layout(const struct console_model *model, struct console_view *view,
		   const char *version, struct screen_page *page)
{
	unsigned rows = screen_page_rows(page), columns = screen_page_columns(page);
	struct console_space space = {
		.first = 1,
		.end = rows - 1,
		.columns = columns > 2 ? columns - 2 : 1,
	};
	int r;

	if (rows >= 3) {
		head_put(model, version, page);
		keys_put(model, view, page);
	} else {
		space.first = 0;
		space.end = rows;
	}
	r = notice_put(model, page, &space);
	if (r == 0)
		r = body_put(model, view, page, space);
	return r < 0 ? r : screen_page_error(page);
}
