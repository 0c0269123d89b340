/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The terminal: shows pages, reads keys. One at a time in a process (ncurses keeps its terminal in
 * globals of its own).
 */
#include "base/error.h"
#include "face/screen_page.h"

enum screen_key {
	SCREEN_KEY_NONE, /* nothing (more) to read */
	SCREEN_KEY_UP,
	SCREEN_KEY_DOWN,
	SCREEN_KEY_PAGE_UP,
	SCREEN_KEY_PAGE_DOWN,
	SCREEN_KEY_HOME,
	SCREEN_KEY_END,
	SCREEN_KEY_ENTER,
	SCREEN_KEY_RIGHT, /* opens what Enter opens, but agrees to nothing */
	SCREEN_KEY_BACK,  /* Esc, Left */
	SCREEN_KEY_ERASE, /* Backspace: back, but where something is typed */
	SCREEN_KEY_DIGIT,
	SCREEN_KEY_QUIT,      /* q, Ctrl-C */
	SCREEN_KEY_CHARACTER, /* a character without a meaning everywhere */
	SCREEN_KEY_OTHER,     /* without a meaning, Ctrl-L among them */
	SCREEN_KEY_MAX,
};

struct screen_input {
	enum screen_key key;
	unsigned digit; /* of SCREEN_KEY_DIGIT, 0…9 */
	char character; /* that was typed: printable ASCII without the space, also of a digit and
			   of q; 0 none */
};

struct screen;

/*
 * Takes over the terminal on standard input and output, and sets LC_CTYPE. Until screen_free(), a
 * signal that ends the program by a mistake of ours gives the terminal back first. Returns 0;
 * -EOPNOTSUPP (ERROR_UNSUPPORTED) if there is no terminal or it cannot move its cursor; -ENOMEM.
 */
int screen_new(struct screen **ret, struct error *err);
struct screen *screen_free(struct screen *screen); /* gives the terminal back; NULL is fine */
static inline void screen_freep(struct screen **p)
{
	screen_free(*p);
}

/* An empty page of the terminal's present size. Returns 0 or -ENOMEM. */
int screen_page(const struct screen *screen, struct screen_page **ret);

/* Shows the page; only what differs is sent. With all == true everything is sent again. */
void screen_show(struct screen *screen, const struct screen_page *page, bool all);

/* The next key, without waiting for it (but an Esc alone takes ESCDELAY to be told from the
 * beginning of a longer key). */
struct screen_input screen_read(struct screen *screen);

/* After SIGWINCH: asks the terminal for its size. */
void screen_resize(struct screen *screen);
