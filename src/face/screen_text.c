/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/screen_text.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

/* Marks on one letter that are kept: scripts of living languages need no more. */
enum { MARKS_MAX = 3 };

static const struct screen_glyphs glyphs[SCREEN_CHARSET_MAX] = {
	[SCREEN_CHARSET_ASCII] = { .rule = "-", .ellipsis = "..", .dot = "-" },
	[SCREEN_CHARSET_CONSOLE] = { .rule = "─", .ellipsis = "..", .dot = "·" },
	[SCREEN_CHARSET_UNICODE] = { .rule = "─", .ellipsis = "…", .dot = "·" },
};

const struct screen_glyphs *screen_glyphs(enum screen_charset charset)
{
	return &glyphs[charset];
}

/* Bytes of the UTF-8 character at s by its first byte; never past the terminating NUL. */
static size_t utf8_bytes(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t want = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return strnlen(s, want);
}

static uint32_t utf8_value(const char *s, size_t bytes)
{
	static const unsigned char lead_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t value = (unsigned char)s[0] & lead_mask[bytes];

	for (size_t i = 1; i < bytes; i++)
		value = value << 6 | ((unsigned char)s[i] & 0x3f);
	return value;
}

static int character_columns(uint32_t c)
{
	int columns = c < 0x80 ? 1 : wcwidth((wchar_t)c);

	return columns > 0 ? columns : 0;
}

/*
 * Characters without a look of their own that change the look of others, on some terminals only:
 * joiners and marks of direction, variation selectors, skin colours, tags.
 */
static bool is_invisible(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0x00ad, 0x00ad }, { 0x061c, 0x061c },   { 0x180b, 0x180f },   { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f },   { 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },
		{ 0xfff9, 0xfffb }, { 0x1f3fb, 0x1f3ff }, { 0xe0000, 0xe0fff },
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

/* Signs that phones put into names by themselves ("Zoë’s iPhone"), as a typewriter writes them. */
static const char *typewriter(uint32_t c)
{
	switch (c) {
	case 0x00a0:
		return " ";
	case 0x2010 ... 0x2015:
		return "-";
	case 0x2018 ... 0x201b:
		return "'";
	case 0x201c ... 0x201f:
		return "\"";
	case 0x2022:
		return "*";
	case 0x2026:
		return "...";
	default:
		return NULL;
	}
}

/* The plain letter of U+00C0 … U+00FF; 0 for others. */
static char plain_letter(uint32_t c)
{
	static const char letters[] = "AAAAAAACEEEEIIIIDNOOOOOxOUUUUYTs"
				      "aaaaaaaceeeeiiiidnooooo/ouuuuyty";

	return c >= 0xc0 && c <= 0xff ? letters[c - 0xc0] : '\0';
}

/* What stands for c in ASCII: *text for a few signs, else one character in buffer. */
static const char *ascii_of(uint32_t c, char buffer[static 2])
{
	const char *text = typewriter(c);
	char letter = plain_letter(c);

	if (text)
		return text;
	buffer[0] = letter ? letter : '?';
	buffer[1] = '\0';
	return buffer;
}

/* What stands for the character c, whose own bytes are `same`; buffer holds short answers. */
static const char *character_shown(uint32_t c, const char *same, enum screen_charset charset,
				   char buffer[static 2])
{
	if (c == '\n' || c == '\t')
		return " ";
	if (c < ' ' || c == 0x7f) /* would move the cursor, or do worse */
		return "?";
	if (c < 0x80)
		return same;
	if (is_invisible(c))
		return "";
	if (c >= 0x1f1e6 && c <= 0x1f1ff) { /* half of a flag */
		buffer[0] = (char)('A' + (c - 0x1f1e6));
		buffer[1] = '\0';
		return buffer;
	}
	switch (charset) {
	case SCREEN_CHARSET_ASCII:
		return c >= 0x300 && c <= 0x36f ? "" : ascii_of(c, buffer);
	case SCREEN_CHARSET_CONSOLE:
		if (typewriter(c))
			return typewriter(c);
		if (wcwidth((wchar_t)c) == 0)
			return "";
		return wcwidth((wchar_t)c) == 1 && c < 0x2e80 ? same : "?";
	case SCREEN_CHARSET_UNICODE:
	case SCREEN_CHARSET_MAX:
		break;
	}
	return wcwidth((wchar_t)c) < 0 ? "?" : same;
}

char *screen_text_clean(const char *text, enum screen_charset charset)
{
	/* the longest stand-in has three bytes for a character of three ("…") */
	char *clean = malloc(strlen(text) + 1), *end = clean;
	unsigned marks = 0;

	if (!clean)
		return NULL;
	while (*text) {
		size_t bytes = utf8_bytes(text);
		char same[5] = "", buffer[2];
		uint32_t c = utf8_value(text, bytes);
		const char *shown;

		memcpy(same, text, bytes);
		text += bytes;
		shown = character_shown(c, same, charset, buffer);
		marks = c >= 0x80 && character_columns(c) == 0 ? marks + 1 : 0;
		if (shown == same && marks > MARKS_MAX)
			continue;
		end = mempcpy(end, shown, strlen(shown));
	}
	*end = '\0';
	return clean;
}

size_t screen_text_fit(const char *text, size_t columns)
{
	size_t at = 0, used = 0;

	while (text[at]) {
		size_t bytes = utf8_bytes(text + at);
		size_t width = (size_t)character_columns(utf8_value(text + at, bytes));

		if (used + width > columns)
			break;
		used += width;
		at += bytes;
	}
	return at;
}

char *screen_text_cut(const char *text, size_t columns, enum screen_charset charset)
{
	const char *ellipsis = glyphs[charset].ellipsis;
	size_t fit = screen_text_fit(text, columns), tail = screen_text_fit(ellipsis, SIZE_MAX);
	size_t tail_columns = charset == SCREEN_CHARSET_UNICODE ? 1 : tail;
	char *cut = NULL;

	if (!text[fit])
		return strdup(text);
	if (columns < tail_columns)
		return strndup(text, fit);
	fit = screen_text_fit(text, columns - tail_columns);
	while (fit > 0 && text[fit - 1] == ' ')
		fit--;
	if (asprintf(&cut, "%.*s%s", (int)fit, text, ellipsis) < 0)
		return NULL;
	return cut;
}

size_t screen_text_wrap(const char *text, size_t columns, const char **ret_rest)
{
	size_t fit = screen_text_fit(text, columns), end = fit;

	if (text[fit]) {
		while (end > 0 && text[end] != ' ')
			end--;
		if (end == 0)
			end = fit > 0 ? fit : utf8_bytes(text);
	}
	*ret_rest = text + end;
	while (**ret_rest == ' ')
		(*ret_rest)++;
	while (end > 0 && text[end - 1] == ' ')
		end--;
	return end;
}
