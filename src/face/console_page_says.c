/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the phone's screen shows, as the person says: no computer can see it.
 *
 *   │ the question                                 │
 *   │ the answers                                  │
 */
#include "base/cleanup.h"
#include "face/console_layout.h"
#include "face/console_text.h"

enum { LABEL_COLUMN = 5 };

static const struct {
	enum said said;
	const char *text; /* message id */
} answers[] = {
	{ SAID_FORGOTTEN_PASSCODE, "console-says-forgotten" },
	{ SAID_DISABLED, "console-says-disabled" },
	{ SAID_SCREEN_TIME, "console-says-screen-time" },
	{ SAID_NOTHING, "console-says-nothing" },
};

int console_page_says_put(const struct console_model *model, struct console_view *view,
			  struct screen_page *page, struct console_space space)
{
	const struct console_phone *phone = console_model_find(model, view->chosen);
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	_cleanup_free_ char *question = NULL;
	unsigned row = space.first, rows = space.end - space.first, lines;
	/* a long name must not push the answers off a small screen */
	unsigned most = rows > ARRAY_LEN(answers) ? rows - (unsigned)ARRAY_LEN(answers) : 0;
	int r = console_prose_new(page, space, &prose);

	if (r < 0)
		return r;
	console_warn(model, phone, prose);
	question = message_format("console-says-title", "phone", console_phone_label(phone), NULL);
	screen_prose_add(prose, SCREEN_ROLE_STRONG, question ? question : "");
	lines = screen_prose_lines(prose);
	screen_prose_put(prose, 0, page, row, 1, most);
	row += lines < most ? lines : most;
	row += rows >= CONSOLE_ROWS_ROOMY;
	for (unsigned i = 0; i < ARRAY_LEN(answers) && row < space.end; i++, row++) {
		const char key[] = { (char)('1' + i), '\0' };

		console_mark_put(page, row, i == view->item);
		screen_page_put(page, row, 2, 1, SCREEN_ROLE_STRONG, key);
		screen_page_put(page, row, LABEL_COLUMN, screen_page_columns(page),
				SCREEN_ROLE_TEXT, console_text(answers[i].text));
	}
	return screen_prose_error(prose);
}

static enum console_reaction says_tell(struct console_view *view, unsigned item)
{
	view->said = answers[item].said;
	view->said_of = view->chosen;
	console_view_open(view, CONSOLE_PAGE_PHONE);
	return console_view_ask(view, CONSOLE_ASK_SAYS);
}

enum console_reaction console_page_says_input(struct console_view *view,
					      const struct console_model *model,
					      struct screen_input input)
{
	unsigned count = ARRAY_LEN(answers);

	if (input.key == SCREEN_KEY_BACK || input.key == SCREEN_KEY_ERASE) {
		console_view_open(view, CONSOLE_PAGE_PHONE);
		return CONSOLE_CHANGED;
	}
	if (input.key == SCREEN_KEY_ENTER || input.key == SCREEN_KEY_RIGHT)
		return says_tell(view, view->item < count ? view->item : count - 1);
	if (input.key == SCREEN_KEY_DIGIT)
		return input.digit >= 1 && (unsigned)input.digit <= count
			   ? says_tell(view, (unsigned)input.digit - 1)
			   : CONSOLE_NOTHING;
	return console_view_move(view, input.key, count - 1, &view->item) ? CONSOLE_CHANGED
									  : CONSOLE_NOTHING;
}
