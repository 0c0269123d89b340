/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Paragraphs broken into lines of a width, of which a window is shown: what people scroll through.
 */
#include "face/screen_page.h"

struct screen_prose;

/* columns: width of the lines, at least 1. Returns 0 or -ENOMEM. */
int screen_prose_new(unsigned columns, enum screen_charset charset, struct screen_prose **ret);
struct screen_prose *screen_prose_free(struct screen_prose *prose); /* NULL is fine; returns NULL */
static inline void screen_prose_freep(struct screen_prose **p)
{
	screen_prose_free(*p);
}

/* Adds a paragraph. An empty text adds an empty line. Without memory the prose remembers it:
 * screen_prose_error(). */
void screen_prose_add(struct screen_prose *prose, enum screen_role role, const char *text);

/* Adds a paragraph that begins at text_column, with a label before its first line; where the label
 * and the text do not fit side by side, the text follows in lines of its own. */
void screen_prose_add_labelled(struct screen_prose *prose, unsigned text_column, const char *label,
			       const char *text);

/* Lines so far. */
unsigned screen_prose_lines(const struct screen_prose *prose);

int screen_prose_error(const struct screen_prose *prose);

/*
 * Puts the lines from `first` on into `rows` rows of the page, from its row and column on. Returns
 * the number of lines below that are not shown.
 */
unsigned screen_prose_put(const struct screen_prose *prose, unsigned first,
			  struct screen_page *page, unsigned row, unsigned column, unsigned rows);
