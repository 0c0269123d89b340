/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *   … | directory | zip64 record 56 | zip64 locator 20 | end record 22 | comment |
 *                   └──── only where 16 or 32 bits do not do ──┘
 */
#include "worker/archive_end.h"
#include <stdbool.h>
#include <string.h>

enum {
	END_BYTES = 22,
	LOCATOR_BYTES = 20,
	RECORD_BYTES = 56,
	RECORD_HEAD_BYTES = 12, /* not counted in the size that it tells */
	FULL_16 = 0xffff,
};
static const uint32_t FULL_32 = 0xffffffff;
static const char member_magic[] = "PK\3\4";
static const char end_magic[] = "PK\5\6";
static const char locator_magic[] = "PK\6\7";
static const char record_magic[] = "PK\6\6";

static uint64_t number(const uint8_t *bytes, size_t n)
{
	uint64_t value = 0;

	for (size_t i = n; i > 0; i--)
		value = value << 8 | bytes[i - 1];
	return value;
}

static bool is_magic(const uint8_t *bytes, const char *magic)
{
	return memcmp(bytes, magic, 4) == 0;
}

/* The zip64 record in front of the end record at `at`; false if there is none that fits. */
static bool record_read(const uint8_t *tail, size_t at, uint64_t tail_offset, uint64_t *ret_start,
			struct archive_end *ret)
{
	const uint8_t *locator, *record;
	uint64_t start;

	if (at < LOCATOR_BYTES + RECORD_BYTES)
		return false;
	locator = tail + at - LOCATOR_BYTES;
	if (!is_magic(locator, locator_magic))
		return false;
	start = number(locator + 8, 8);
	if (start < tail_offset || start - tail_offset > at - LOCATOR_BYTES - RECORD_BYTES)
		return false;
	record = tail + (start - tail_offset);
	if (!is_magic(record, record_magic) ||
	    number(record + 4, 8) != at - LOCATOR_BYTES - (start - tail_offset) - RECORD_HEAD_BYTES)
		return false;
	ret->members = number(record + 32, 8);
	ret->directory_bytes = number(record + 40, 8);
	ret->directory_offset = number(record + 48, 8);
	*ret_start = start;
	return true;
}

/* Whether a whole end stands at tail[at]. */
static bool end_read(const uint8_t *tail, size_t tail_bytes, size_t at, uint64_t tail_offset,
		     struct archive_end *ret)
{
	const uint8_t *end = tail + at;
	uint64_t start = tail_offset + at; /* where the directory must end */

	if (!is_magic(end, end_magic) || number(end + 20, 2) != tail_bytes - at - END_BYTES)
		return false;
	ret->members = number(end + 10, 2);
	ret->directory_bytes = number(end + 12, 4);
	ret->directory_offset = number(end + 16, 4);
	if ((ret->members == FULL_16 || ret->directory_bytes == FULL_32 ||
	     ret->directory_offset == FULL_32) &&
	    !record_read(tail, at, tail_offset, &start, ret))
		return false;
	return ret->directory_offset <= start &&
	       ret->directory_bytes == start - ret->directory_offset;
}

enum archive_state archive_end_read(const uint8_t head[static 4], const uint8_t *tail,
				    size_t tail_bytes, uint64_t size, struct archive_end *ret)
{
	struct archive_end found;

	if (!is_magic(head, member_magic))
		return ARCHIVE_NO_ZIP;
	for (size_t at = tail_bytes >= END_BYTES ? tail_bytes - END_BYTES + 1 : 0; at > 0; at--) {
		if (!end_read(tail, tail_bytes, at - 1, size - tail_bytes, &found))
			continue;
		if (found.members > ARCHIVE_MEMBERS_MAX ||
		    found.directory_bytes > ARCHIVE_DIRECTORY_BYTES_MAX)
			return ARCHIVE_HOSTILE;
		*ret = found;
		return ARCHIVE_WHOLE;
	}
	return ARCHIVE_CUT;
}
