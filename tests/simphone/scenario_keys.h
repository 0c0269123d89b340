/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The keys of scenario files as a table: part of scenario.c. */
#pragma once

#include <stddef.h>

#include "scenario.h"

enum key_type { KEY_TEXT, KEY_NUMBER, KEY_CHOICE, KEY_MODEL, KEY_YES_NO, KEY_FAULT, KEY_ENV };

struct key {
	const char *name;
	enum key_type type;
	size_t offset;
	size_t bytes;               /* of the member; a choice is written as an int */
	const char *const *choices; /* NULL-ended, in the order of the enum */
	const char *help;
};

/* NULL: there is no such key. */
const struct key *key_find(const char *name);
/* Index of @value in @choices, or -EINVAL. */
int choice_find(const char *const *choices, const char *value);
