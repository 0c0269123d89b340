/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* The largest of all, iBoot's load buffer, is smaller (UPLOAD_CEILING); beyond it the simulator
 * itself is wrong. */
enum { BUF_CEILING = 320 * 1024 * 1024 };

void buf_done(struct buf *b)
{
	free(b->bytes);
	*b = (struct buf){};
}

void buf_clear(struct buf *b)
{
	b->len = 0;
}

/* Room for @more bytes and a NUL behind them. */
static void buf_grow(struct buf *b, size_t more)
{
	size_t need = b->len + more + 1;

	if (need > BUF_CEILING)
		die("a buffer would grow beyond %d bytes", BUF_CEILING);
	if (need <= b->room)
		return;
	b->room = need < 256 ? 256 : need < BUF_CEILING / 2 ? need * 2 : BUF_CEILING;
	b->bytes = realloc(b->bytes, b->room);
	if (!b->bytes)
		die("out of memory");
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
	buf_grow(b, len);
	if (len > 0)
		memcpy(b->bytes + b->len, bytes, len);
	b->len += len;
}

void buf_add_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_addf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(nullptr, 0, format, args);
	va_end(args);
	if (len > 0) {
		buf_grow(b, (size_t)len);
		vsnprintf((char *)b->bytes + b->len, (size_t)len + 1, format, again);
		b->len += (size_t)len;
	}
	va_end(again);
}

void buf_drop(struct buf *b, size_t len)
{
	memmove(b->bytes, b->bytes + len, b->len - len);
	b->len -= len;
}

const char *buf_text(struct buf *b)
{
	buf_grow(b, 0);
	b->bytes[b->len] = '\0';
	return (const char *)b->bytes;
}

void buf_add_json(struct buf *b, const char *text)
{
	buf_add_text(b, "\"");
	while (*text) {
		uint32_t rune = text_next_rune(&text);

		if (rune == '"' || rune == '\\')
			buf_addf(b, "\\%c", (int)rune);
		else if (rune >= 0x20 && rune < 0x7f)
			buf_addf(b, "%c", (int)rune);
		else if (rune < 0x10000)
			buf_addf(b, "\\u%04x", rune);
		else
			buf_addf(b, "\\u%04x\\u%04x", 0xd800 + ((rune - 0x10000) >> 10),
				 0xdc00 + ((rune - 0x10000) & 0x3ff));
	}
	buf_add_text(b, "\"");
}

void buf_add_hex(struct buf *b, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		buf_addf(b, "%02x", bytes[i]);
}
