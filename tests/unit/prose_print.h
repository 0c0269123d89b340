/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Prose as text, for tests that know every line; and JSON of their own. */
#include "face/screen_prose.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-json.h>

/* Its lines; the caller frees. */
static inline char *prose_print(const struct screen_prose *prose)
{
	struct screen_page *page = NULL;
	unsigned rows = screen_prose_lines(prose);
	char *text = NULL;

	assert_int_equal(screen_prose_error(prose), 0);
	assert_int_equal(screen_page_new(rows ? rows : 1, 4096, SCREEN_CHARSET_UNICODE, &page), 0);
	assert_uint_equal(screen_prose_put(prose, 0, page, 0, 0, rows), 0);
	assert_int_equal(screen_page_print(page, &text), 0);
	screen_page_free(page);
	return text;
}

/* The role of the last text in the row. */
static inline enum screen_role prose_role(const struct screen_prose *prose, unsigned row)
{
	struct screen_page *page = NULL;
	const struct screen_span *spans;
	enum screen_role fill, role;
	size_t count;

	assert_int_equal(screen_page_new(row + 1, 4096, SCREEN_CHARSET_UNICODE, &page), 0);
	(void)screen_prose_put(prose, 0, page, 0, 0, row + 1);
	spans = screen_page_row(page, row, &count, &fill);
	assert_true(count > 0);
	role = spans[count - 1].role;
	screen_page_free(page);
	return role;
}

static inline struct screen_prose *prose_make(void)
{
	struct screen_prose *prose = NULL;

	assert_int_equal(screen_prose_new(4096, SCREEN_CHARSET_UNICODE, &prose), 0);
	return prose;
}

/* The test's own JSON, written with ' for ". */
static inline sd_json_variant *json_of(const char *text)
{
	char *copy = strdup(text);
	sd_json_variant *value = NULL;
	unsigned line, column;

	assert_non_null(copy);
	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	if (sd_json_parse(copy, 0, &value, &line, &column) < 0)
		fail_msg("test's own JSON is bad at %u:%u: %s", line, column, copy);
	free(copy);
	return value;
}
