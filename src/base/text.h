/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Copies at most src_bytes of foreign text into dst as valid UTF-8, always terminated: bad
 * sequences, control characters and noncharacters (DEL and U+FDD0, say, which sd-json refuses)
 * become U+FFFD, byte by byte; the copy ends at the first NUL or before a character that does not
 * fit. dst_bytes must be > 0. Returns the bytes written without the NUL. src may be NULL (gives
 * "").
 */
size_t text_to_utf8(char *dst, size_t dst_bytes, const char *src, size_t src_bytes);

/* The same for a C string. */
size_t text_copy(char *dst, size_t dst_bytes, const char *src);

/*
 * Reads exactly the n bytes at s as an unsigned hexadecimal number; no sign, no prefix, no spaces.
 * Returns 0, -EINVAL for another character or n == 0, -ERANGE if it does not fit 64 bits.
 */
int text_parse_hex(const char *s, size_t n, uint64_t *ret);

/* True if both are equal but for the case of ASCII letters. */
bool text_equal_fold(const char *a, const char *b);

/* Columns that the text takes on a terminal (wcwidth; unprintable counts 0). */
size_t text_columns(const char *s);
