/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/screen_prose.h"
#include "base/cleanup.h"
#include <errno.h>
#include <string.h>

/* Columns that a text beside a label needs at least. */
enum { BESIDE_MIN = 20 };

struct prose_line {
	char *label; /* owned, NULL none; at column 0 */
	char *text;  /* owned */
	unsigned text_column;
	enum screen_role role; /* of the text */
};

struct screen_prose {
	unsigned columns;
	enum screen_charset charset;
	int error;
	struct prose_line *lines; /* owned, with their texts */
	unsigned count;
};

int screen_prose_new(unsigned columns, enum screen_charset charset, struct screen_prose **ret)
{
	struct screen_prose *prose = calloc(1, sizeof(*prose));

	if (!prose)
		return -ENOMEM;
	prose->columns = columns;
	prose->charset = charset;
	*ret = prose;
	return 0;
}

struct screen_prose *screen_prose_free(struct screen_prose *prose)
{
	for (unsigned i = 0; prose && i < prose->count; i++) {
		free(prose->lines[i].label);
		free(prose->lines[i].text);
	}
	if (prose)
		free(prose->lines);
	free(prose);
	return NULL;
}

static int line_add(struct screen_prose *prose, const char *label, unsigned text_column,
		    enum screen_role role, const char *text, size_t text_bytes)
{
	_cleanup_free_ char *own_label = label ? strdup(label) : NULL;
	_cleanup_free_ char *own_text = strndup(text, text_bytes);
	struct prose_line *lines;

	if (!own_text || (label && !own_label))
		return -ENOMEM;
	lines = reallocarray(prose->lines, prose->count + 1, sizeof(*lines));
	if (!lines)
		return -ENOMEM;
	prose->lines = lines;
	lines[prose->count++] = (struct prose_line){ .label = TAKE(own_label),
						     .text = TAKE(own_text),
						     .text_column = text_column,
						     .role = role };
	return 0;
}

static int paragraph_add(struct screen_prose *prose, const char *label, unsigned text_column,
			 enum screen_role role, const char *text)
{
	_cleanup_free_ char *clean = screen_text_clean(text, prose->charset);
	const char *at = clean;

	if (!clean)
		return -ENOMEM;
	do {
		const char *line = at;
		size_t bytes = screen_text_wrap(line, prose->columns - text_column, &at);
		int r = line_add(prose, label, text_column, role, line, bytes);

		if (r < 0)
			return r;
		label = NULL;
	} while (*at);
	return 0;
}

void screen_prose_add(struct screen_prose *prose, enum screen_role role, const char *text)
{
	int r = paragraph_add(prose, NULL, 0, role, text);

	if (r < 0)
		prose->error = r;
}

void screen_prose_add_labelled(struct screen_prose *prose, unsigned text_column, const char *label,
			       const char *text)
{
	const unsigned indent = 2;
	int r;

	if (prose->columns >= text_column + BESIDE_MIN) {
		r = paragraph_add(prose, label, text_column, SCREEN_ROLE_TEXT, text);
	} else {
		r = paragraph_add(prose, NULL, 0, SCREEN_ROLE_DIM, label);
		if (r == 0)
			r = paragraph_add(prose, NULL, prose->columns > indent ? indent : 0,
					  SCREEN_ROLE_TEXT, text);
	}
	if (r < 0)
		prose->error = r;
}

unsigned screen_prose_lines(const struct screen_prose *prose)
{
	return prose->count;
}

int screen_prose_error(const struct screen_prose *prose)
{
	return prose->error;
}

unsigned screen_prose_put(const struct screen_prose *prose, unsigned first,
			  struct screen_page *page, unsigned row, unsigned column, unsigned rows)
{
	unsigned i;

	for (i = first; i < prose->count && i - first < rows; i++) {
		const struct prose_line *line = &prose->lines[i];
		unsigned at = row + (i - first);

		if (line->label)
			screen_page_put(page, at, column, line->text_column - 1, SCREEN_ROLE_DIM,
					line->label);
		screen_page_put(page, at, column + line->text_column,
				prose->columns - line->text_column, line->role, line->text);
	}
	return i < prose->count ? prose->count - i : 0;
}
