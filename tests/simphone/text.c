/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *format, ...)
{
	va_list args;

	fputs("simphone: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

uint32_t text_next_rune(const char **text)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = (const uint8_t *)*text;
	uint32_t rune = p[0];
	int more = 0;

	if (p[0] >= 0xf0 && p[0] < 0xf8) {
		more = 3;
		rune = p[0] & 0x07;
	} else if (p[0] >= 0xe0) {
		more = 2;
		rune = p[0] & 0x0f;
	} else if (p[0] >= 0xc0) {
		more = 1;
		rune = p[0] & 0x1f;
	}
	for (int i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			*text += 1;
			return 0xfffd;
		}
		rune = rune << 6 | (p[i] & 0x3f);
	}
	if ((p[0] >= 0x80 && more == 0) || p[0] >= 0xf8 || rune < least[more] || rune > 0x10ffff ||
	    (rune >= 0xd800 && rune < 0xe000)) {
		*text += 1;
		return 0xfffd;
	}
	*text += more + 1;
	return rune;
}

/* Writes @rune (below U+10000) as UTF-8 to @to; returns the length, at most 3. */
static size_t rune_put(char *to, uint32_t rune)
{
	if (rune < 0x80) {
		to[0] = (char)rune;
		return 1;
	}
	if (rune < 0x800) {
		to[0] = (char)(0xc0 | rune >> 6);
		to[1] = (char)(0x80 | (rune & 0x3f));
		return 2;
	}
	to[0] = (char)(0xe0 | rune >> 12);
	to[1] = (char)(0x80 | (rune >> 6 & 0x3f));
	to[2] = (char)(0x80 | (rune & 0x3f));
	return 3;
}

/* Reads exactly @digits hex digits; returns the value or -EINVAL. */
static long hex_take(const char *p, int digits)
{
	char copy[5] = {};
	char *end;
	long value;

	if (strlen(p) < (size_t)digits)
		return -EINVAL;
	memcpy(copy, p, (size_t)digits);
	value = strtol(copy, &end, 16);
	return end == copy + digits && copy[0] != '-' && copy[0] != '+' && value > 0 ? value
										     : -EINVAL;
}

int text_unescape(char *text)
{
	char *to = text;

	for (char *p = text; *p; p++) {
		int digits = p[0] == '\\' && p[1] == 'x' ? 2 : p[0] == '\\' && p[1] == 'u' ? 4 : 0;
		long value;

		if (*p != '\\') {
			*to++ = *p;
			continue;
		}
		if (digits > 0) {
			value = hex_take(p + 2, digits);
			if (value < 0)
				return -EINVAL;
			if (digits == 2)
				*to++ = (char)value;
			else
				to += rune_put(to, (uint32_t)value);
			p += digits + 1;
			continue;
		}
		p++;
		switch (*p) {
		case '\\':
			*to++ = '\\';
			break;
		case 'n':
			*to++ = '\n';
			break;
		case 'r':
			*to++ = '\r';
			break;
		case 't':
			*to++ = '\t';
			break;
		default:
			return -EINVAL;
		}
	}
	*to = '\0';
	return 0;
}

void text_copy(char *to, size_t room, const char *from)
{
	size_t len = strlen(from);

	if (len >= room)
		len = room - 1;
	memcpy(to, from, len);
	to[len] = '\0';
}
