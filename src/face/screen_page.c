/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/screen_page.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct screen_row {
	enum screen_role fill;
	struct screen_span *spans; /* owned, with their texts */
	size_t count;
};

struct screen_page {
	unsigned rows, columns;
	enum screen_charset charset;
	int error;
	struct screen_row row[]; /* rows of them */
};

int screen_page_new(unsigned rows, unsigned columns, enum screen_charset charset,
		    struct screen_page **ret)
{
	struct screen_page *page = calloc(1, sizeof(*page) + rows * sizeof(page->row[0]));

	if (!page)
		return -ENOMEM;
	page->rows = rows;
	page->columns = columns;
	page->charset = charset;
	*ret = page;
	return 0;
}

struct screen_page *screen_page_free(struct screen_page *page)
{
	for (unsigned row = 0; page && row < page->rows; row++) {
		for (size_t i = 0; i < page->row[row].count; i++)
			free(page->row[row].spans[i].text);
		free(page->row[row].spans);
	}
	free(page);
	return NULL;
}

unsigned screen_page_rows(const struct screen_page *page)
{
	return page->rows;
}

unsigned screen_page_columns(const struct screen_page *page)
{
	return page->columns;
}

enum screen_charset screen_page_charset(const struct screen_page *page)
{
	return page->charset;
}

/* Takes the text, which must fit. */
static int row_add(struct screen_row *row, unsigned column, enum screen_role role, char *text)
{
	struct screen_span *spans = reallocarray(row->spans, row->count + 1, sizeof(*spans));

	if (!spans)
		return -ENOMEM;
	row->spans = spans;
	spans[row->count++] = (struct screen_span){ .column = column, .role = role, .text = text };
	return 0;
}

void screen_page_put(struct screen_page *page, unsigned row, unsigned column, unsigned width,
		     enum screen_role role, const char *text)
{
	_cleanup_free_ char *clean = NULL, *cut = NULL;

	if (row >= page->rows || column >= page->columns || *text == '\0')
		return;
	if (width > page->columns - column)
		width = page->columns - column;
	clean = screen_text_clean(text, page->charset);
	if (clean)
		cut = screen_text_cut(clean, width, page->charset);
	if (!cut || row_add(&page->row[row], column, role, cut) < 0) {
		page->error = -ENOMEM;
		return;
	}
	cut = NULL;
}

unsigned screen_page_put_right(struct screen_page *page, unsigned row, unsigned end,
			       enum screen_role role, const char *text)
{
	_cleanup_free_ char *clean = screen_text_clean(text, page->charset);
	size_t columns = clean ? text_columns(clean) : 0;
	unsigned column = columns < end ? end - (unsigned)columns : 0;

	if (!clean) {
		page->error = -ENOMEM;
		return end;
	}
	screen_page_put(page, row, column, end - column, role, clean);
	return column;
}

void screen_page_fill(struct screen_page *page, unsigned row, enum screen_role role)
{
	if (row < page->rows)
		page->row[row].fill = role;
}

void screen_page_rule(struct screen_page *page, unsigned row, unsigned column, unsigned width)
{
	const char *glyph = screen_glyphs(page->charset)->rule;
	_cleanup_free_ char *line = NULL;
	size_t bytes = strlen(glyph);

	if (row >= page->rows || column >= page->columns)
		return;
	if (width > page->columns - column)
		width = page->columns - column;
	line = calloc(width + 1, bytes);
	if (!line) {
		page->error = -ENOMEM;
		return;
	}
	for (unsigned i = 0; i < width; i++)
		memcpy(line + i * bytes, glyph, bytes);
	screen_page_put(page, row, column, width, SCREEN_ROLE_DIM, line);
}

int screen_page_error(const struct screen_page *page)
{
	return page->error;
}

const struct screen_span *screen_page_row(const struct screen_page *page, unsigned row,
					  size_t *ret_count, enum screen_role *ret_fill)
{
	*ret_count = page->row[row].count;
	*ret_fill = page->row[row].fill;
	return page->row[row].spans;
}

static int span_compare(const void *a, const void *b)
{
	const struct screen_span *left = a, *right = b;

	return (left->column > right->column) - (left->column < right->column);
}

static int row_print(const struct screen_row *row, FILE *out)
{
	_cleanup_free_ struct screen_span *sorted = calloc(row->count + 1, sizeof(*sorted));
	unsigned column = 0;

	if (!sorted)
		return -ENOMEM;
	if (row->count)
		memcpy(sorted, row->spans, row->count * sizeof(*sorted));
	qsort(sorted, row->count, sizeof(*sorted), span_compare);
	for (size_t i = 0; i < row->count; i++) {
		for (; column < sorted[i].column; column++)
			fputc(' ', out);
		fputs(sorted[i].text, out);
		column += (unsigned)text_columns(sorted[i].text);
	}
	fputc('\n', out);
	return 0;
}

int screen_page_print(const struct screen_page *page, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	int error = 0;

	if (!out)
		return -ENOMEM;
	for (unsigned row = 0; row < page->rows && error == 0; row++)
		error = row_print(&page->row[row], out);
	if (fclose(out) != 0 || error != 0)
		return -ENOMEM;
	*ret = TAKE(text);
	return 0;
}
