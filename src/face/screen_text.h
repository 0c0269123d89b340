/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Text as a given terminal can show it. Widths are the C library's (wcwidth), so LC_CTYPE must be
 * a UTF-8 locale unless the charset is ASCII.
 */
#include <stddef.h>

/* What characters the terminal has. */
enum screen_charset {
	SCREEN_CHARSET_ASCII,   /* serial terminals, other locales */
	SCREEN_CHARSET_CONSOLE, /* Linux's own console: UTF-8, but a font of 256 glyphs (CP437) and
				   no agreement about wide characters */
	SCREEN_CHARSET_UNICODE, /* terminal emulators */
	SCREEN_CHARSET_MAX,
};

/* Signs that screens draw with, one set a charset. */
struct screen_glyphs {
	const char *rule;     /* horizontal line, one column */
	const char *ellipsis; /* end of a text that was cut */
	const char *dot;      /* between parts of a line, one column */
};
const struct screen_glyphs *screen_glyphs(enum screen_charset charset);

/*
 * A copy of text in which every character takes the same room on every terminal of this charset:
 * marks of direction, joiners and variants are dropped (they reorder or merge what follows), flags
 * become letters, what cannot be shown becomes "?" or a plain letter. Cleaning twice changes
 * nothing. NULL only without memory; the caller frees.
 */
char *screen_text_clean(const char *text, enum screen_charset charset);

/* Bytes of the longest beginning of text that takes at most so many columns; never splits a
 * character, and keeps marks with the letter they sit on. */
size_t screen_text_fit(const char *text, size_t columns);

/*
 * A copy of a cleaned text, cut to so many columns; what was cut ends in the ellipsis. NULL only
 * without memory; the caller frees.
 */
char *screen_text_cut(const char *text, size_t columns, enum screen_charset charset);

/*
 * Length in bytes of the next line when text is broken at spaces into lines of at most so many
 * columns (> 0); *ret_rest is where the line after it begins. A word wider than a line is broken.
 * At least one character is taken, even if it is wider than the line.
 */
size_t screen_text_wrap(const char *text, size_t columns, const char **ret_rest);
