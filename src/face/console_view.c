/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *                Enter, Right, digit of a phone
 *        list ───────────────────────────────────▶ details
 *         │   ◀───────────────────────────────────     │ digit: another phone
 *         q          Esc, Left, Backspace               q
 */
#include "face/console_view.h"

static void view_choose(struct console_view *view, const struct console_model *model, size_t index)
{
	size_t count = console_model_count(model);

	if (count == 0) {
		view->chosen = 0;
		view->index = 0;
		return;
	}
	view->index = index < count ? index : count - 1;
	view->chosen = console_model_at(model, view->index)->tag;
}

void console_view_follow(struct console_view *view, const struct console_model *model)
{
	size_t index = console_model_index(model, view->chosen);

	if (index != SIZE_MAX) {
		view->index = index;
		return;
	}
	if (view->details && console_model_find(model, view->chosen))
		return;
	view->details = false;
	/* a lost link empties the list for a while: the choice waits for the phone to come back */
	if (console_model_link(model) == CONSOLE_LINK_UP)
		view_choose(view, model, view->index);
}

static enum console_reaction view_open(struct console_view *view, const struct console_model *model,
				       size_t index)
{
	if (index >= console_model_count(model))
		return CONSOLE_NOTHING;
	view_choose(view, model, index);
	view->details = true;
	view->scroll = 0;
	return CONSOLE_CHANGED;
}

static enum console_reaction view_close(struct console_view *view,
					const struct console_model *model)
{
	if (!view->details)
		return CONSOLE_NOTHING;
	view->details = false;
	console_view_follow(view, model);
	return CONSOLE_CHANGED;
}

/* Lines or phones down (up if negative). The layout keeps the scroll within the text. */
static enum console_reaction view_move(struct console_view *view, const struct console_model *model,
				       long by)
{
	unsigned *scroll = &view->scroll;
	long target;

	if (view->details) {
		target = (long)*scroll + by;
		*scroll = target < 0 ? 0 : target > UINT16_MAX ? UINT16_MAX : (unsigned)target;
		return CONSOLE_CHANGED;
	}
	target = (long)view->index + by;
	view_choose(view, model, target < 0 ? 0 : (size_t)target);
	return CONSOLE_CHANGED;
}

static enum console_reaction view_key(struct console_view *view, const struct console_model *model,
				      enum screen_key key)
{
	const long page = view->visible > 1 ? (long)view->visible - 1 : 1, all = UINT16_MAX;

	switch (key) {
	case SCREEN_KEY_UP:
		return view_move(view, model, -1);
	case SCREEN_KEY_DOWN:
		return view_move(view, model, 1);
	case SCREEN_KEY_PAGE_UP:
		return view_move(view, model, -page);
	case SCREEN_KEY_PAGE_DOWN:
		return view_move(view, model, page);
	case SCREEN_KEY_HOME:
		return view_move(view, model, -all);
	case SCREEN_KEY_END:
		return view_move(view, model, all);
	case SCREEN_KEY_ENTER:
		return view->details ? CONSOLE_NOTHING : view_open(view, model, view->index);
	case SCREEN_KEY_BACK:
		return view_close(view, model);
	case SCREEN_KEY_QUIT:
		return view->resident ? CONSOLE_NOTHING : CONSOLE_LEAVE;
	case SCREEN_KEY_OTHER:
		return CONSOLE_REPAINT;
	case SCREEN_KEY_DIGIT:
	case SCREEN_KEY_NONE:
	case SCREEN_KEY_MAX:
		break;
	}
	return CONSOLE_NOTHING;
}

enum console_reaction console_view_input(struct console_view *view,
					 const struct console_model *model,
					 struct screen_input input)
{
	if (input.key != SCREEN_KEY_DIGIT)
		return view_key(view, model, input.key);
	return input.digit == 0 ? CONSOLE_NOTHING : view_open(view, model, input.digit - 1);
}
