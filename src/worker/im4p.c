/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/im4p.h"
#include <string.h>

enum { TAG_SEQUENCE = 0x30, LENGTH_LONG = 0x80, LENGTH_BYTES_MAX = 4 };

bool im4p_find_type(const uint8_t *bytes, size_t n, size_t *ret)
{
	static const uint8_t head[] = { 0x16, 4, 'I', 'M', '4', 'P', 0x16, IM4P_TYPE_BYTES };
	size_t at = 2;

	if (n < at || bytes[0] != TAG_SEQUENCE)
		return false;
	if (bytes[1] & LENGTH_LONG) {
		size_t width = bytes[1] & ~LENGTH_LONG;

		if (width == 0 || width > LENGTH_BYTES_MAX)
			return false;
		at += width;
	}
	if (n < at + sizeof(head) + IM4P_TYPE_BYTES || memcmp(bytes + at, head, sizeof(head)) != 0)
		return false;
	*ret = at + sizeof(head);
	return true;
}
