/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Where the person is: which phone is chosen, list or details, how far it is scrolled; and what a
 * key does to that.
 */
#include "face/console_model.h"
#include "face/screen.h"

struct console_view {
	bool details;     /* the page of one phone is open, else the list */
	bool resident;    /* a console that starts again: there is nothing to leave to */
	unsigned chosen;  /* tag of the chosen phone, 0 none */
	size_t index;     /* where it last stood in the list */
	unsigned top;     /* first phone of the list that is shown */
	unsigned scroll;  /* first line of the details that is shown */
	unsigned visible; /* phones or lines that the layout had room for; it fills this in */
};

enum console_reaction {
	CONSOLE_NOTHING, /* the screen stays as it is */
	CONSOLE_CHANGED, /* draw again */
	CONSOLE_REPAINT, /* draw all of it again: something else wrote on the terminal */
	CONSOLE_LEAVE,
};

/* After the model changed: keeps the choice on the same phone, or its neighbour when it left.
 * While its details are open a phone stays chosen though it left. */
void console_view_follow(struct console_view *view, const struct console_model *model);

enum console_reaction console_view_input(struct console_view *view,
					 const struct console_model *model,
					 struct screen_input input);
