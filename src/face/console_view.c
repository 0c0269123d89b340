/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *            Enter                 i
 *     list ─────────▶ phone ─────────────▶ facts
 *      │ j              │ │ j
 *      │                │ └──────────────────────────▶ job ◀──┐
 *      │                │ an action   Enter, consent    ▲ │ y  │
 *      │                ├───────▶ card ─────────────────┘ └──▶ card
 *      │                ├── h ─▶ hints
 *      │                └── s ─▶ says
 *      └──▶ jobs ───────────────────────────────────────▶ job
 *
 * Esc goes back along the arrow. While something is typed, letters and digits are what they are;
 * elsewhere q leaves.
 */
#include "face/console_view.h"
#include "base/text.h"

void console_card_done(struct console_card *card)
{
	sd_json_variant_unref(card->plan);
	*card = (struct console_card){ .goal = GOAL_MAX };
}

void console_view_done(struct console_view *view)
{
	console_card_done(&view->card);
}

void console_view_choose(struct console_view *view, const struct console_model *model, size_t index)
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

void console_view_open(struct console_view *view, enum console_page page)
{
	view->page = page;
	view->scroll = 0;
	view->top = 0;
	view->item = 0;
	view->stopping = false;
	view->ask = CONSOLE_ASK_NONE;
	view->notice[0] = '\0';
}

void console_view_open_job(struct console_view *view, sd_json_variant *job, bool from_jobs)
{
	console_view_open(view, CONSOLE_PAGE_JOB);
	text_copy(view->job, sizeof(view->job), console_job_id(job));
	view->from_jobs = from_jobs;
}

enum console_reaction console_view_ask(struct console_view *view, enum console_ask ask)
{
	view->ask = ask;
	view->notice[0] = '\0';
	return CONSOLE_ASK;
}

enum said console_view_said(const struct console_view *view, unsigned tag)
{
	return view->said_of == tag ? view->said : SAID_NOTHING;
}

bool console_view_needs_phone(const struct console_view *view)
{
	switch (view->page) {
	case CONSOLE_PAGE_PHONE:
	case CONSOLE_PAGE_FACTS:
	case CONSOLE_PAGE_HINTS:
	case CONSOLE_PAGE_SAYS:
		return true;
	case CONSOLE_PAGE_CARD:
		return view->card.job[0] == '\0';
	case CONSOLE_PAGE_JOB:
		return !view->from_jobs;
	case CONSOLE_PAGE_LIST:
	case CONSOLE_PAGE_JOBS:
	case CONSOLE_PAGE_MAX:
		break;
	}
	return false;
}

/* The phone is nowhere any more: its pages go. A job and its question have pages of their own. */
static void view_phone_lost(struct console_view *view)
{
	switch (view->page) {
	case CONSOLE_PAGE_PHONE:
	case CONSOLE_PAGE_FACTS:
	case CONSOLE_PAGE_HINTS:
	case CONSOLE_PAGE_SAYS:
		console_view_open(view, CONSOLE_PAGE_LIST);
		break;
	case CONSOLE_PAGE_CARD:
		if (view->card.job[0] == '\0') {
			console_card_done(&view->card);
			console_view_open(view, CONSOLE_PAGE_LIST);
		}
		break;
	case CONSOLE_PAGE_JOB:
		view->from_jobs = true;
		break;
	case CONSOLE_PAGE_LIST:
	case CONSOLE_PAGE_JOBS:
	case CONSOLE_PAGE_MAX:
		break;
	}
}

void console_view_follow(struct console_view *view, const struct console_model *model)
{
	size_t index = console_model_index(model, view->chosen);

	if (index != SIZE_MAX) {
		view->index = index;
		return;
	}
	/* what was typed about a phone does not outlast its leaving */
	if (view->page == CONSOLE_PAGE_CARD && view->card.job[0] == '\0')
		view->card.typed[0] = '\0';
	if (console_view_needs_phone(view) && console_model_find(model, view->chosen))
		return;
	view_phone_lost(view);
	/* a lost link empties the list for a while: the choice waits for the phone to come back */
	if (console_model_link(model) == CONSOLE_LINK_UP)
		console_view_choose(view, model, view->index);
}

static bool number_move(unsigned *number, long by, unsigned most)
{
	long target = (long)*number + by;

	*number = target<0 ? 0 : target>(long) most ? most : (unsigned)target;
	return true;
}

bool console_view_move(const struct console_view *view, enum screen_key key, unsigned most,
		       unsigned *number)
{
	const long page = view->visible > 1 ? (long)view->visible - 1 : 1, all = UINT16_MAX;

	switch (key) {
	case SCREEN_KEY_UP:
		return number_move(number, -1, most);
	case SCREEN_KEY_DOWN:
		return number_move(number, 1, most);
	case SCREEN_KEY_PAGE_UP:
		return number_move(number, -page, most);
	case SCREEN_KEY_PAGE_DOWN:
		return number_move(number, page, most);
	case SCREEN_KEY_HOME:
		return number_move(number, -all, most);
	case SCREEN_KEY_END:
		return number_move(number, all, most);
	case SCREEN_KEY_ENTER:
	case SCREEN_KEY_RIGHT:
	case SCREEN_KEY_BACK:
	case SCREEN_KEY_ERASE:
	case SCREEN_KEY_DIGIT:
	case SCREEN_KEY_QUIT:
	case SCREEN_KEY_CHARACTER:
	case SCREEN_KEY_OTHER:
	case SCREEN_KEY_NONE:
	case SCREEN_KEY_MAX:
		break;
	}
	return false;
}

static enum console_reaction facts_input(struct console_view *view, struct screen_input input)
{
	if (input.key == SCREEN_KEY_BACK || input.key == SCREEN_KEY_ERASE) {
		console_view_open(view, CONSOLE_PAGE_PHONE);
		return CONSOLE_CHANGED;
	}
	return console_view_move(view, input.key, UINT16_MAX, &view->scroll) ? CONSOLE_CHANGED
									     : CONSOLE_NOTHING;
}

static enum console_reaction page_input(struct console_view *view,
					const struct console_model *model,
					struct screen_input input)
{
	switch (view->page) {
	case CONSOLE_PAGE_LIST:
		return console_page_list_input(view, model, input);
	case CONSOLE_PAGE_PHONE:
		return console_page_phone_input(view, model, input);
	case CONSOLE_PAGE_FACTS:
		return facts_input(view, input);
	case CONSOLE_PAGE_CARD:
		return console_page_card_input(view, model, input);
	case CONSOLE_PAGE_JOB:
		return console_page_job_input(view, model, input);
	case CONSOLE_PAGE_JOBS:
		return console_page_jobs_input(view, model, input);
	case CONSOLE_PAGE_HINTS:
		return console_page_hints_input(view, model, input);
	case CONSOLE_PAGE_SAYS:
		return console_page_says_input(view, model, input);
	case CONSOLE_PAGE_MAX:
		break;
	}
	return CONSOLE_NOTHING;
}

enum console_reaction console_view_input(struct console_view *view,
					 const struct console_model *model,
					 struct screen_input input)
{
	enum console_reaction reaction = page_input(view, model, input);

	if (reaction != CONSOLE_NOTHING)
		return reaction;
	if (input.key == SCREEN_KEY_QUIT)
		return view->resident ? CONSOLE_NOTHING : CONSOLE_LEAVE;
	return input.key == SCREEN_KEY_OTHER || input.key == SCREEN_KEY_CHARACTER ? CONSOLE_REPAINT
										  : CONSOLE_NOTHING;
}
