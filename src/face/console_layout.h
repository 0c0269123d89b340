/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * From what is known to what is shown. Pure: the same model, view and size give the same page.
 */
#include "face/console_model.h"
#include "face/console_view.h"
#include "face/screen_page.h"
#include "face/screen_prose.h"

/*
 * Fills an empty page of any size. version: the program's. Keeps view->top and view->scroll within
 * what there is and writes view->visible. Returns 0 or -ENOMEM.
 */
int console_layout(const struct console_model *model, struct console_view *view,
		   const char *version, struct screen_page *page);

/* --- parts, each in a file of its own */

/* The mode's sentence and what else to know at a glance: presence, hubs, speed. */
void console_glance(const struct console_phone *phone, struct screen_prose *prose);

/* Everything about one phone, and which buttons it has. Returns 0 or -ENOMEM. */
int console_details(const struct console_phone *phone, struct screen_prose *prose);

/* Port, speed and hubs in one line: "Port 1-2.3, 480 Mbit/s, behind 1 hub". NULL without memory;
 * the caller frees. */
char *console_link_text(const struct console_phone *phone);
