/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The end of a zip, looked at before libzip sees the file: whether it is whole, and how large a
 * directory it claims (PKWARE APPNOTE 4.3.14 to 4.3.16). A firmware has nothing in front and no
 * comment worth of note, so the directory must end exactly where its end record begins; that also
 * tells a cut file from a whole one when another zip inside of it happens to end near the cut.
 */
#include <stddef.h>
#include <stdint.h>

enum {
	ARCHIVE_MEMBERS_MAX = 100000,
	ARCHIVE_DIRECTORY_BYTES_MAX = 32 * 1024 * 1024,
	/* end record, comment, zip64 locator and record */
	ARCHIVE_TAIL_BYTES_MAX = 22 + 65535 + 20 + 56,
};

enum archive_state {
	ARCHIVE_WHOLE,
	ARCHIVE_CUT,     /* begins as a zip, and has no end */
	ARCHIVE_NO_ZIP,  /* never was one */
	ARCHIVE_HOSTILE, /* numbers that no firmware has */
};

struct archive_end {
	uint64_t members;
	uint64_t directory_offset, directory_bytes;
};

/*
 * head: the first bytes of the file; tail: its last tail_bytes bytes (all of it, or at least
 * ARCHIVE_TAIL_BYTES_MAX); size: of the file in bytes. Fills *ret for ARCHIVE_WHOLE.
 */
enum archive_state archive_end_read(const uint8_t head[static 4], const uint8_t *tail,
				    size_t tail_bytes, uint64_t size, struct archive_end *ret);
