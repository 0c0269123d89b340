/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Hints (facts/hints.tsv) in words, shared by the command line and the console. Pure. */
#include "face/screen_prose.h"
#include "facts/facts.h"

/* Adds one hint: a line with its rung and place (and its number, unless 0), what to do, where in
 * the menus of the phone's system, what that keeps and loses, what it needs. major: version of the
 * system of the place if it is known, else 0. named: the id is shown too. */
void hint_text_add(const struct hint_fact *hint, unsigned number, unsigned major, bool named,
		   struct screen_prose *prose);

/* The major number of a version: 17 of "17.5.1", 0 of "" and of what is none. */
unsigned hint_text_major(const char *version);
