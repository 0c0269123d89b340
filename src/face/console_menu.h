/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What a person can do with a phone now, mildest first. Pure. */
#include "face/console_model.h"

enum console_deed {
	CONSOLE_DEED_TRUST, /* look whether it trusts this computer; no job */
	CONSOLE_DEED_GOAL,
	CONSOLE_DEED_JOB,   /* show its job */
	CONSOLE_DEED_FACTS, /* show all that is known of it */
	CONSOLE_DEED_MAX,
};

/* Most that a phone can have: a job's page, trust, the goals, the facts. */
enum { CONSOLE_MENU_MAX = GOAL_MAX + 3 };

struct console_item {
	enum console_deed deed;
	enum goal goal;    /* of CONSOLE_DEED_GOAL */
	char key;          /* that chooses it: a digit or a letter */
	const char *label; /* constant */
	const char *cost;  /* what becomes of the data, message id; NULL: nothing could */
	const char *brief; /* the same for a narrow screen */
	enum data data;
};

/*
 * Writes the items and returns how many. What the phone's mode, its trust or a job that has it do
 * not allow is not offered; whether everything else is as it must be, the plan finds out.
 */
size_t console_menu(const struct console_model *model, const struct console_phone *phone,
		    struct console_item ret[static CONSOLE_MENU_MAX]);
