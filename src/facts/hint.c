/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lookups in the table of hints: what a person can do, by finding, by computer, by version. */
#include "base/text.h"
#include "facts/facts.h"
#include "facts/tables.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Between the ways through the menus of one hint. */
#define WAYS_BETWEEN " | "

const char *rung_name(enum rung rung)
{
	return tables_rung_names[rung];
}

const char *place_name(enum place place)
{
	return tables_place_names[place];
}

enum place place_from_name(const char *name)
{
	for (size_t i = 0; i < PLACE_MAX; i++)
		if (name && strcmp(tables_place_names[i], name) == 0)
			return (enum place)i;
	return PLACE_MAX;
}

const struct hint_fact *hint_find(const char *id)
{
	for (size_t i = 0; i < tables_hints_count; i++)
		if (id && strcmp(tables_hints[i].id, id) == 0)
			return &tables_hints[i];
	return NULL;
}

const struct hint_fact *hint_all(size_t *ret_count)
{
	*ret_count = tables_hints_count;
	return tables_hints;
}

/* Is `id` one of the words of `list`? */
static bool list_has(const char *list, const char *id)
{
	size_t length = strlen(id);

	while (*list) {
		size_t word = strcspn(list, " ");

		if (word == length && memcmp(list, id, length) == 0)
			return true;
		list += word;
		list += strspn(list, " ");
	}
	return false;
}

const struct hint_fact *hint_of_finding(const char *finding, size_t at)
{
	if (!finding || strcmp(finding, "-") == 0) /* the mark of a list that is empty */
		return NULL;
	for (size_t i = 0; i < tables_hints_count; i++)
		if (list_has(tables_hints[i].finds, finding) && at-- == 0)
			return &tables_hints[i];
	return NULL;
}

const struct hint_fact *hint_of_place(enum place place, size_t at)
{
	for (size_t i = 0; i < tables_hints_count; i++)
		if (tables_hints[i].system == place && at-- == 0)
			return &tables_hints[i];
	return NULL;
}

/* The first number in the `length` bytes at text; 0 if there is none. */
static unsigned major_in(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] >= '0' && text[i] <= '9')
			return (unsigned)strtoul(text + i, NULL, 10);
	return 0;
}

/* Is the way for this major version? ret_path: where its path begins, behind "iOS 15 and later: ",
 * "before iOS 15: " or at once. */
static bool way_fits(const char *way, size_t length, unsigned major, const char **ret_path)
{
	const char *colon = memmem(way, length, ": ", 2);
	size_t condition = colon ? (size_t)(colon - way) : 0;

	*ret_path = colon ? colon + 2 : way;
	if (!colon)
		return true;
	if (strncmp(way, "before ", 7) == 0)
		return major < major_in(way, condition);
	return major >= major_in(way, condition);
}

bool hint_menu(const struct hint_fact *hint, unsigned major, char *ret_path, size_t size)
{
	const char *way = hint->menu;

	ret_path[0] = '\0';
	if (strcmp(way, "-") == 0)
		return false;
	if (major == 0) {
		text_copy(ret_path, size, way);
		return true;
	}
	while (way) {
		const char *next = strstr(way, WAYS_BETWEEN);
		const char *path = NULL;
		size_t length = next ? (size_t)(next - way) : strlen(way);

		if (way_fits(way, length, major, &path)) {
			snprintf(ret_path, size, "%.*s", (int)(way + length - path), path);
			return true;
		}
		way = next ? next + strlen(WAYS_BETWEEN) : NULL;
	}
	return false;
}
