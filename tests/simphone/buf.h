/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A growing run of bytes with a ceiling. Whoever declares it owns it; buf_done() empties it. Memory
 * exhaustion ends the program: a simulator has nothing to rescue.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *bytes;
	size_t len;
	size_t room;
};

void buf_done(struct buf *b);
void buf_clear(struct buf *b);
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_text(struct buf *b, const char *text);
[[gnu::format(printf, 2, 3)]] void buf_addf(struct buf *b, const char *format, ...);

/* Drops the first @len bytes; @len is at most b->len. */
void buf_drop(struct buf *b, size_t len);

/* The bytes as text: a NUL is kept behind the last byte. Valid until the next change. */
const char *buf_text(struct buf *b);

/* One JSON string with its quotes. Bytes that are no valid UTF-8 are written as U+FFFD. */
void buf_add_json(struct buf *b, const char *text);

/* Lower-case hex digits of @bytes. */
void buf_add_hex(struct buf *b, const uint8_t *bytes, size_t len);

#define BUF_AUTO [[gnu::cleanup(buf_done)]] struct buf

static inline void put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, (uint16_t)v);
	put_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, (uint16_t)(v >> 16));
	put_be16(p + 2, (uint16_t)v);
}

static inline uint16_t get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_le32(const uint8_t *p)
{
	return get_le16(p) | (uint32_t)get_le16(p + 2) << 16;
}

static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
}
