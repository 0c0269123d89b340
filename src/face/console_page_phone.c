/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *   │ what is wrong with the phone (scrolls)       │
 *   │ ── rule ── part that is shown ──             │
 *   │ what can be done, and what it costs          │
 *   │ what the chosen one loses (if there is room) │
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "face/console_layout.h"
#include "face/console_menu.h"
#include "face/console_text.h"

enum {
	LABEL_COLUMN = 5,  /* after the mark of the choice and the key */
	COLUMNS_WIDE = 66, /* from here on there is room to say what an item costs in full */
	ROWS_TEXT_MIN = 4, /* what is wrong has at least so many rows, with the rule */
};

/* --- layout */

static void item_put(const struct console_item *item, bool chosen, struct screen_page *page,
		     unsigned row)
{
	unsigned columns = screen_page_columns(page), end = columns > 1 ? columns - 1 : columns;
	const char key[] = { item->key, '\0' };

	console_mark_put(page, row, chosen);
	screen_page_put(page, row, 2, 1, SCREEN_ROLE_STRONG, key);
	if (item->cost)
		end = screen_page_put_right(
		    page, row, end,
		    item->data == DATA_ERASED && !chosen ? SCREEN_ROLE_ALERT : SCREEN_ROLE_TEXT,
		    console_text(columns >= COLUMNS_WIDE ? item->cost : item->brief));
	if (end > LABEL_COLUMN + 1)
		screen_page_put(page, row, LABEL_COLUMN, end - LABEL_COLUMN - 1, SCREEN_ROLE_TEXT,
				item->label);
}

static int cost_put(const struct console_item *item, struct screen_page *page, unsigned row,
		    struct console_space space)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	int r = console_prose_new(page, space, &prose);

	if (r < 0)
		return r;
	if (item->deed == CONSOLE_DEED_GOAL)
		screen_prose_add(prose,
				 item->data == DATA_ERASED ? SCREEN_ROLE_ALERT : SCREEN_ROLE_TEXT,
				 goal_fact(item->goal)->lost);
	else if (item->deed == CONSOLE_DEED_TRUST)
		screen_prose_add(prose, SCREEN_ROLE_TEXT, console_text("console-item-trust-cost"));
	screen_prose_put(prose, 0, page, row, 1, space.end - row);
	return screen_prose_error(prose);
}

/* What the service said last, or that it is being asked; then the phone. */
static int text_add(const struct console_model *model, const struct console_view *view,
		    struct screen_prose *prose)
{
	const struct console_phone *phone = console_model_find(model, view->chosen);

	console_warn(model, phone, prose);
	if (view->ask == CONSOLE_ASK_TRUST)
		screen_prose_add(prose, SCREEN_ROLE_STRONG, console_text("console-asking-trust"));
	else if (view->ask == CONSOLE_ASK_SAYS)
		screen_prose_add(prose, SCREEN_ROLE_STRONG, console_text("console-asking-says"));
	else if (view->notice[0])
		screen_prose_add(prose, SCREEN_ROLE_WARN, view->notice);
	return console_summary(model, phone, prose);
}

/* Rows for the menu: on a small screen at most half of them, the text has the rest. */
static unsigned menu_room(unsigned rows, unsigned cost, unsigned count)
{
	unsigned room = rows > ROWS_TEXT_MIN + cost ? rows - ROWS_TEXT_MIN - cost : 0;
	unsigned most = (rows - cost) / 2;

	room = room < most ? room : most;
	return room < count ? room : count;
}

int console_page_phone_put(const struct console_model *model, struct console_view *view,
			   struct screen_page *page, struct console_space space)
{
	const struct console_phone *phone = console_model_find(model, view->chosen);
	unsigned rows = space.end - space.first, room, row, cost = 0;
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	struct console_item items[CONSOLE_MENU_MAX];
	struct console_space text = space;
	unsigned count = (unsigned)console_menu(model, phone, items);
	int r = console_prose_new(page, space, &prose);

	if (r == 0)
		r = text_add(model, view, prose);
	if (r < 0)
		return r;
	if (rows >= CONSOLE_ROWS_ROOMY)
		cost = 3; /* an empty row, and two of text */
	room = menu_room(rows, cost, count);
	if (view->item >= count)
		view->item = count - 1;
	view->top = room ? console_top_within(view->top, view->item, room, count) : 0;
	text.end = space.end - room - cost;
	r = console_prose_put(prose, view, page, text);
	row = text.end;
	for (unsigned i = view->top; i < count && i - view->top < room; i++)
		item_put(&items[i], i == view->item, page, row + i - view->top);
	if (cost && room < count)
		console_rule_put(page, row + room, view->top, room, count);
	if (r == 0 && cost)
		r = cost_put(&items[view->item], page, row + room + 1, space);
	return r;
}

/* --- keys */

static enum console_reaction item_do(struct console_view *view, const struct console_model *model,
				     const struct console_phone *phone,
				     const struct console_item *item)
{
	switch (item->deed) {
	case CONSOLE_DEED_TRUST:
		view->scroll = 0;
		return console_view_ask(view, CONSOLE_ASK_TRUST);
	case CONSOLE_DEED_GOAL:
		console_card_done(&view->card);
		console_view_open(view, CONSOLE_PAGE_CARD);
		view->card.goal = item->goal;
		text_copy(view->card.phone, sizeof(view->card.phone),
			  console_phone_text(phone, "key"));
		return console_view_ask(view, CONSOLE_ASK_PLAN);
	case CONSOLE_DEED_JOB:
		console_view_open_job(view, console_model_job_of(model, phone), false);
		return CONSOLE_CHANGED;
	case CONSOLE_DEED_FACTS:
	case CONSOLE_DEED_MAX:
		break;
	}
	console_view_open(view, CONSOLE_PAGE_FACTS);
	return CONSOLE_CHANGED;
}

static enum console_reaction phone_back(struct console_view *view,
					const struct console_model *model)
{
	console_view_open(view, CONSOLE_PAGE_LIST);
	console_view_follow(view, model);
	return CONSOLE_CHANGED;
}

enum console_reaction console_page_phone_input(struct console_view *view,
					       const struct console_model *model,
					       struct screen_input input)
{
	const struct console_phone *phone = console_model_find(model, view->chosen);
	struct console_item items[CONSOLE_MENU_MAX];
	unsigned count, item;

	if (!phone || input.key == SCREEN_KEY_BACK || input.key == SCREEN_KEY_ERASE)
		return phone_back(view, model);
	count = (unsigned)console_menu(model, phone, items);
	item = view->item < count ? view->item : count - 1;
	if (input.character == 'h' || input.character == 's') {
		console_view_open(view,
				  input.character == 'h' ? CONSOLE_PAGE_HINTS : CONSOLE_PAGE_SAYS);
		return CONSOLE_CHANGED;
	}
	if (input.key == SCREEN_KEY_ENTER || input.key == SCREEN_KEY_RIGHT)
		return item_do(view, model, phone, &items[item]);
	for (unsigned i = 0; i < count && input.character; i++)
		if (items[i].key == input.character) {
			view->item = i;
			return item_do(view, model, phone, &items[i]);
		}
	if (input.key == SCREEN_KEY_PAGE_UP || input.key == SCREEN_KEY_PAGE_DOWN) {
		console_view_move(view, input.key, UINT16_MAX, &view->scroll);
		return CONSOLE_CHANGED;
	}
	if (!console_view_move(view, input.key, count - 1, &item))
		return CONSOLE_NOTHING;
	view->item = item;
	return CONSOLE_CHANGED;
}
