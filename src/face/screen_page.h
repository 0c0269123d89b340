/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A page is what a screen shall show: rows of texts with roles, no terminal involved. Layouts fill
 * pages, the painter (screen.h) shows them, tests print them.
 */
#include "face/screen_text.h"
#include <stddef.h>

/* What a text is for; the painter's table says how that looks on this terminal. */
enum screen_role {
	SCREEN_ROLE_TEXT,
	SCREEN_ROLE_DIM,      /* labels, headings of columns */
	SCREEN_ROLE_STRONG,   /* what to read first */
	SCREEN_ROLE_BAR,      /* first and last row */
	SCREEN_ROLE_SELECTED, /* the row that Enter opens */
	SCREEN_ROLE_WARN,     /* worth attention */
	SCREEN_ROLE_ALERT,    /* must not be overlooked */
	SCREEN_ROLE_MAX,
};

struct screen_span {
	unsigned column;
	enum screen_role role;
	char *text; /* cleaned and cut: fits the row */
};

struct screen_page;

/* Both sizes at least 1. Returns 0 or -ENOMEM. */
int screen_page_new(unsigned rows, unsigned columns, enum screen_charset charset,
		    struct screen_page **ret);
struct screen_page *screen_page_free(struct screen_page *page); /* NULL is fine; returns NULL */
static inline void screen_page_freep(struct screen_page **p)
{
	screen_page_free(*p);
}

unsigned screen_page_rows(const struct screen_page *page);
unsigned screen_page_columns(const struct screen_page *page);
enum screen_charset screen_page_charset(const struct screen_page *page);

/*
 * Puts text at a place, cut to width columns and to the page; outside the page nothing happens.
 * Texts of one row must not overlap. Without memory the page remembers it: screen_page_error().
 */
void screen_page_put(struct screen_page *page, unsigned row, unsigned column, unsigned width,
		     enum screen_role role, const char *text);

/* The same, ending at the column before `end`. Returns the column at which the text begins. */
unsigned screen_page_put_right(struct screen_page *page, unsigned row, unsigned end,
			       enum screen_role role, const char *text);

/* The whole row, also where no text is, takes this role. */
void screen_page_fill(struct screen_page *page, unsigned row, enum screen_role role);

/* A line across the columns from column on. */
void screen_page_rule(struct screen_page *page, unsigned row, unsigned column, unsigned width);

/* 0, or -ENOMEM if anything was lost. */
int screen_page_error(const struct screen_page *page);

/* The row's texts, in the order in which they were put; *ret_fill is the whole row's role. */
const struct screen_span *screen_page_row(const struct screen_page *page, unsigned row,
					  size_t *ret_count, enum screen_role *ret_fill);

/* The page as plain text, a line a row, without spaces at the end of lines. Returns 0 or -ENOMEM;
 * the caller frees. */
int screen_page_print(const struct screen_page *page, char **ret);
