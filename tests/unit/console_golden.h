/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Screens against the files in tests/unit/golden/console. UPDATE_GOLDEN=1 in the environment writes
 * them anew; then read the difference.
 */
#include "base/text.h"
#include "console_fixture.h"
#include "face/console_layout.h"
#include <stdlib.h>
#include <string.h>

enum { GOLDEN_BYTES = 64 * 1024 };

static inline void golden_check(const char *name, const char *text)
{
	static char expected[GOLDEN_BYTES];
	char path[160];
	const char *update = getenv("UPDATE_GOLDEN");
	size_t bytes;
	FILE *file;

	snprintf(path, sizeof(path), "tests/unit/golden/console/%s.txt", name);
	if (update && *update) {
		file = fopen(path, "w");
		assert_non_null(file);
		assert_true(fputs(text, file) >= 0);
		assert_int_equal(fclose(file), 0);
	}
	file = fopen(path, "r");
	if (!file)
		fail_msg("there is no %s", path);
	bytes = fread(expected, 1, sizeof(expected) - 1, file);
	fclose(file);
	expected[bytes] = '\0';
	if (strcmp(expected, text) != 0)
		print_error("%s differs; the screen is now:\n%s", path, text);
	assert_string_equal(text, expected);
}

/* Every row fits the page. */
static inline void rows_check(const char *text, unsigned rows, unsigned columns)
{
	unsigned count = 0;

	while (*text) {
		const char *end = strchr(text, '\n');
		char line[2048] = "";

		assert_non_null(end);
		assert_true((size_t)(end - text) < sizeof(line));
		memcpy(line, text, (size_t)(end - text));
		if (text_columns(line) > columns)
			fail_msg("row %u takes more than %u columns: %s", count, columns, line);
		count++;
		text = end + 1;
	}
	assert_int_equal(count, rows);
}

/* The caller frees. */
static inline char *screen_of(const struct console_model *model, struct console_view *view,
			      unsigned rows, unsigned columns, enum screen_charset charset)
{
	struct screen_page *page = NULL;
	char *text = NULL;

	console_view_follow(view, model);
	assert_int_equal(screen_page_new(rows, columns, charset, &page), 0);
	assert_int_equal(console_layout(model, view, "1.0", page), 0);
	assert_int_equal(screen_page_print(page, &text), 0);
	rows_check(text, rows, columns);
	screen_page_free(page);
	return text;
}

static inline void screen_check(const char *name, const struct console_model *model,
				struct console_view *view, unsigned rows, unsigned columns,
				enum screen_charset charset)
{
	char *text = screen_of(model, view, rows, columns, charset);

	golden_check(name, text);
	free(text);
}

/* The same at the sizes that are promised. */
static inline void sizes_check(const char *name, const struct console_model *model,
			       struct console_view view)
{
	static const struct {
		unsigned rows, columns;
		enum screen_charset charset;
		const char *suffix;
	} sizes[] = {
		{ 24, 80, SCREEN_CHARSET_UNICODE, "80x24" },
		{ 24, 80, SCREEN_CHARSET_ASCII, "80x24-ascii" },
		{ 12, 40, SCREEN_CHARSET_CONSOLE, "40x12" },
		{ 60, 200, SCREEN_CHARSET_UNICODE, "200x60" },
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct console_view own = view;
		char full[80];

		snprintf(full, sizeof(full), "%s-%s", name, sizes[i].suffix);
		screen_check(full, model, &own, sizes[i].rows, sizes[i].columns, sizes[i].charset);
	}
}
