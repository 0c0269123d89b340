/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *   ┌ bar: product, version ······························ count, TEST ┐
 *   │ body: the page (console_page_*.c), or what to do where there is  │
 *   │ no phone                                                         │
 *   │ notice (only if there is one)                                    │
 *   └ bar: keys ───────────────────────────────────────────────────────┘
 */
#include "face/console_layout.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "face/console_text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

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

static size_t page_keys(const struct console_model *model, const struct console_view *view,
			const char *ret[static CONSOLE_KEYS_MAX])
{
	switch (view->page) {
	case CONSOLE_PAGE_LIST:
		return console_page_list_keys(model, view, ret);
	case CONSOLE_PAGE_CARD:
		return console_page_card_keys(model, view, ret);
	case CONSOLE_PAGE_JOB:
		return console_page_job_keys(model, view, ret);
	case CONSOLE_PAGE_FACTS:
		ret[0] = "console-keys-back";
		ret[1] = "console-keys-scroll";
		return 2;
	case CONSOLE_PAGE_PHONE:
		ret[0] = "console-keys-back";
		ret[1] = "console-keys-do";
		ret[2] = "console-keys-hints";
		ret[3] = "console-keys-says";
		ret[4] = "console-keys-pages";
		return 5;
	case CONSOLE_PAGE_HINTS:
		return console_page_hints_keys(model, view, ret);
	case CONSOLE_PAGE_SAYS:
		ret[0] = "console-keys-back";
		ret[1] = "console-keys-choose";
		ret[2] = "console-keys-tell";
		return 3;
	case CONSOLE_PAGE_JOBS:
	case CONSOLE_PAGE_MAX:
		break;
	}
	ret[0] = "console-keys-back";
	ret[1] = "console-keys-open";
	return 2;
}

static void keys_put(const struct console_model *model, const struct console_view *view,
		     struct screen_page *page)
{
	const char *ids[CONSOLE_KEYS_MAX + 2];
	size_t count = page_keys(model, view, ids);

	/* where something may be typed, q is a letter */
	if (!view->resident && view->page != CONSOLE_PAGE_CARD)
		ids[count++] = "console-keys-leave";
	if (view->page == CONSOLE_PAGE_LIST && console_model_count(model) > 1)
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

void console_rule_put(struct screen_page *page, unsigned row, unsigned first, unsigned shown,
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

void console_mark_put(struct screen_page *page, unsigned row, bool chosen)
{
	if (!chosen)
		return;
	screen_page_fill(page, row, SCREEN_ROLE_SELECTED);
	screen_page_put(page, row, 0, 1, SCREEN_ROLE_TEXT, ">");
}

unsigned console_top_within(unsigned top, unsigned index, unsigned room, unsigned count)
{
	if (index < top)
		top = index;
	if (index >= top + room)
		top = index - room + 1;
	if (top + room > count)
		top = count > room ? count - room : 0;
	return top;
}

int console_prose_new(const struct screen_page *page, struct console_space space,
		      struct screen_prose **ret)
{
	unsigned width = space.columns < CONSOLE_READABLE ? space.columns : CONSOLE_READABLE;

	return screen_prose_new(width, screen_page_charset(page), ret);
}

int console_prose_put(const struct screen_prose *prose, struct console_view *view,
		      struct screen_page *page, struct console_space space)
{
	unsigned lines = screen_prose_lines(prose), rows = space.end - space.first;

	view->visible = rows > 0 ? rows - 1 : 0;
	if (view->scroll + view->visible > lines)
		view->scroll = lines > view->visible ? lines - view->visible : 0;
	screen_prose_put(prose, view->scroll, page, space.first, 1, view->visible);
	if (rows > 0)
		console_rule_put(page, space.end - 1, view->scroll,
				 lines < view->visible ? lines : view->visible, lines);
	return screen_prose_error(prose);
}

void console_warn(const struct console_model *model, const struct console_phone *phone,
		  struct screen_prose *prose)
{
	if (console_model_link(model) != CONSOLE_LINK_UP)
		screen_prose_add(prose, SCREEN_ROLE_ALERT, console_text("console-lost"));
	else if (phone && phone->left)
		screen_prose_add(prose, SCREEN_ROLE_WARN, console_text("console-left"));
}

int console_page_facts_put(const struct console_model *model, struct console_view *view,
			   struct screen_page *page, struct console_space space)
{
	const struct console_phone *phone = console_model_find(model, view->chosen);
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	int r = console_prose_new(page, space, &prose);

	if (r < 0)
		return r;
	console_warn(model, phone, prose);
	r = console_details(phone, prose);
	if (r < 0)
		return r;
	if (space.end - space.first >= CONSOLE_ROWS_ROOMY)
		space.first++;
	return console_prose_put(prose, view, page, space);
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
	bool roomy = space.end - space.first >= CONSOLE_ROWS_ROOMY && space.columns >= 50;
	unsigned width = space.columns < CONSOLE_READABLE ? space.columns : CONSOLE_READABLE;
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	int r = screen_prose_new(roomy ? width - 6 : width, screen_page_charset(page), &prose);

	if (r < 0)
		return r;
	words_add(prose, words, roomy);
	space.first += roomy ? 2 : 0;
	screen_prose_put(prose, 0, page, space.first, roomy ? 4 : 1, space.end - space.first);
	return screen_prose_error(prose);
}

/* There is no phone to list: why, and what to do. */
static int empty_put(const struct console_model *model, struct screen_page *page,
		     struct console_space space)
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

	switch (console_model_link(model)) {
	case CONSOLE_LINK_WAITING:
		return words_put(&waiting, page, space);
	case CONSOLE_LINK_LOST:
		return words_put(&lost, page, space);
	case CONSOLE_LINK_UP:
	case CONSOLE_LINK_MAX:
		break;
	}
	return words_put(&empty, page, space);
}

static int body_put(const struct console_model *model, struct console_view *view,
		    struct screen_page *page, struct console_space space)
{
	switch (view->page) {
	case CONSOLE_PAGE_PHONE:
		return console_page_phone_put(model, view, page, space);
	case CONSOLE_PAGE_FACTS:
		return console_page_facts_put(model, view, page, space);
	case CONSOLE_PAGE_CARD:
		return console_page_card_put(model, view, page, space);
	case CONSOLE_PAGE_JOB:
		return console_page_job_put(model, view, page, space);
	case CONSOLE_PAGE_JOBS:
		return console_page_jobs_put(model, view, page, space);
	case CONSOLE_PAGE_HINTS:
		return console_page_hints_put(model, view, page, space);
	case CONSOLE_PAGE_SAYS:
		return console_page_says_put(model, view, page, space);
	case CONSOLE_PAGE_LIST:
	case CONSOLE_PAGE_MAX:
		break;
	}
	if (console_model_link(model) == CONSOLE_LINK_UP && console_model_count(model) > 0)
		return console_page_list_put(model, view, page, space);
	return empty_put(model, page, space);
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
