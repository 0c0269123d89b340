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

enum {
	CONSOLE_ROWS_ROOMY = 16, /* from here on there is air between the parts */
	CONSOLE_READABLE = 76,   /* longer lines are hard to read */
};

/* Rows that are left for the body, [first, end); columns of a text in it, which begins at 1. */
struct console_space {
	unsigned first, end, columns;
};

/* The bodies of the pages. Return 0 or -ENOMEM. */
int console_page_list_put(const struct console_model *model, struct console_view *view,
			  struct screen_page *page, struct console_space space);
int console_page_phone_put(const struct console_model *model, struct console_view *view,
			   struct screen_page *page, struct console_space space);
int console_page_facts_put(const struct console_model *model, struct console_view *view,
			   struct screen_page *page, struct console_space space);
int console_page_card_put(const struct console_model *model, struct console_view *view,
			  struct screen_page *page, struct console_space space);
int console_page_job_put(const struct console_model *model, struct console_view *view,
			 struct screen_page *page, struct console_space space);
int console_page_jobs_put(const struct console_model *model, struct console_view *view,
			  struct screen_page *page, struct console_space space);
int console_page_hints_put(const struct console_model *model, struct console_view *view,
			   struct screen_page *page, struct console_space space);
int console_page_says_put(const struct console_model *model, struct console_view *view,
			  struct screen_page *page, struct console_space space);

/* The keys that work on the page, the important first: message ids. Return how many. */
enum { CONSOLE_KEYS_MAX = 7 };
size_t console_page_list_keys(const struct console_model *model, const struct console_view *view,
			      const char *ret[static CONSOLE_KEYS_MAX]);
size_t console_page_card_keys(const struct console_model *model, const struct console_view *view,
			      const char *ret[static CONSOLE_KEYS_MAX]);
size_t console_page_job_keys(const struct console_model *model, const struct console_view *view,
			     const char *ret[static CONSOLE_KEYS_MAX]);

size_t console_page_hints_keys(const struct console_model *model, const struct console_view *view,
			       const char *ret[static CONSOLE_KEYS_MAX]);

/* An empty prose that fits the space. */
int console_prose_new(const struct screen_page *page, struct console_space space,
		      struct screen_prose **ret);
/* Shows the part of the prose that view->scroll says, and a rule under it that tells which part
 * that is; keeps the scroll within it. Returns 0 or -ENOMEM. */
int console_prose_put(const struct screen_prose *prose, struct console_view *view,
		      struct screen_page *page, struct console_space space);
/* A line across the page that tells which part of the whole is shown, if it is not all. */
void console_rule_put(struct screen_page *page, unsigned row, unsigned first, unsigned shown,
		      unsigned count);
/* A row of a list: filled and marked if it is the chosen one. */
void console_mark_put(struct screen_page *page, unsigned row, bool chosen);
/* The first row of a list to show, so that the row `index` is among the `room` that are. */
unsigned console_top_within(unsigned top, unsigned index, unsigned room, unsigned count);

/* The service does not answer, the phone is not plugged in: what must be read first. */
void console_warn(const struct console_model *model, const struct console_phone *phone,
		  struct screen_prose *prose);

/* The three lights: false if the service told none; their marks in CONSOLE_LIGHTS_COLUMNS; a line
 * in words; a row with its evidence for each. */
enum { CONSOLE_LIGHTS_COLUMNS = 6 };
bool console_lights_known(const struct console_phone *phone);
void console_lights_put(const struct console_phone *phone, bool chosen, struct screen_page *page,
			unsigned row, unsigned column);
void console_lights_line(const struct console_phone *phone, struct screen_prose *prose);
void console_lights_add(const struct console_phone *phone, struct screen_prose *prose);

/* How many hints there are for the finding, and which key shows them; nothing if there are none. */
void console_hints_count_add(sd_json_variant *finding, struct screen_prose *prose);

/* A job or a finding, the mode's sentence and what else to know at a glance: presence, hubs,
 * speed. */
void console_glance(const struct console_model *model, const struct console_phone *phone,
		    struct screen_prose *prose);

/* What to read of a phone before one decides: mode, trust, capacity, battery, job, findings. */
int console_summary(const struct console_model *model, const struct console_phone *phone,
		    struct screen_prose *prose);

/* Everything about one phone, and which buttons it has. Returns 0 or -ENOMEM. */
int console_details(const struct console_phone *phone, struct screen_prose *prose);

/* Port, speed and hubs in one line: "Port 1-2.3, 480 Mbit/s, behind 1 hub". NULL without memory;
 * the caller frees. */
char *console_link_text(const struct console_phone *phone);
