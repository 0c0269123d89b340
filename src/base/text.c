/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/text.h"
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/*
 * Reads the UTF-8 character at s, of which n > 0 bytes are there. Returns its bytes and the code
 * point, 0 if it is torn, overlong or beyond four bytes.
 */
static size_t utf8_decode(const unsigned char *s, size_t n, uint32_t *ret)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length;
	uint32_t code;

	if (s[0] < 0x80) {
		*ret = s[0];
		return 1;
	}
	length = s[0] >= 0xf8 ? 0 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;
	if (length == 0 || length > n)
		return 0;
	code = s[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3fU);
	}
	if (code < smallest[length])
		return 0;
	*ret = code;
	return length;
}

/* Characters that may stand in a line of text and that sd-json takes: no C0, DEL and C1 control
 * characters, no surrogates, no noncharacters (U+FDD0 to U+FDEF and the last two of each plane). */
static bool is_text(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code < 0xa0))
		return false;
	if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff)
		return false;
	return !(code >= 0xfdd0 && code <= 0xfdef) && (code & 0xfffe) != 0xfffe;
}

/* Bytes of the good character at s, 0 if there is none. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
	uint32_t code = 0;
	size_t length = utf8_decode(s, n, &code);

	return is_text(code) ? length : 0;
}

size_t text_to_utf8(char *dst, size_t dst_bytes, const char *src, size_t src_bytes)
{
	size_t used = 0, at = 0;

	while (src && at < src_bytes && src[at] != '\0') {
		size_t length = utf8_length((const unsigned char *)src + at, src_bytes - at);
		const char *from = length ? src + at : replacement;
		size_t copied = length ? length : sizeof(replacement) - 1;

		if (used + copied >= dst_bytes)
			break;
		memcpy(dst + used, from, copied);
		used += copied;
		at += length ? length : 1;
	}
	dst[used] = '\0';
	return used;
}

size_t text_copy(char *dst, size_t dst_bytes, const char *src)
{
	return text_to_utf8(dst, dst_bytes, src, src ? strlen(src) : 0);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int text_parse_hex(const char *s, size_t n, uint64_t *ret)
{
	uint64_t value = 0;

	if (n == 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int digit = hex_digit(s[i]);

		if (digit < 0)
			return -EINVAL;
		if (value >> 60)
			return -ERANGE;
		value = value << 4 | (uint64_t)digit;
	}
	*ret = value;
	return 0;
}

bool text_equal_fold(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

size_t text_columns(const char *s)
{
	size_t left = strlen(s), columns = 0;
	mbstate_t state = { 0 };

	while (left > 0) {
		wchar_t c;
		size_t used = mbrtowc(&c, s, left, &state);
		int width;

		if (used == 0 || used == (size_t)-1 || used == (size_t)-2)
			break;
		width = wcwidth(c);
		columns += width > 0 ? (size_t)width : 0;
		s += used;
		left -= used;
	}
	return columns;
}
