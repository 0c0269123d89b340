/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The directory of a zip as we read it ourselves (PKWARE APPNOTE 4.3.7 to 4.3.12, 4.5.3), beside
 * libzip: where each member lies, so that members that share bytes, names that stand twice, links
 * and sizes that no firmware has are refused before anything is unpacked. What is in it was
 * checked: every member lies in front of the directory and shares no byte with another; names are
 * different, lead nowhere else, and are no links; what is packed is deflated; nothing is encrypted.
 */
#include "base/error.h"
#include "worker/archive_end.h"
#include <stdbool.h>

/*
 * More than any real firmware has: its system unpacks to less than 20 GB. Deflate itself reaches
 * 1:1032; lists reach 1:25, and system images next to nothing.
 */
static const uint64_t ARCHIVE_MEMBER_BYTES_MAX = 32ULL << 30;
static const uint64_t ARCHIVE_UNPACKED_BYTES_MAX = 64ULL << 30;
enum {
	ARCHIVE_RATIO_MAX = 200,
	ARCHIVE_RATIO_FREE_BYTES = 16 * 1024 * 1024, /* less than this may be packed as it likes */
	ARCHIVE_NAME_BYTES_MAX = 1024,
	ARCHIVE_LOCAL_BYTES = 30, /* the fixed part of a local header */
	ARCHIVE_LOCAL_BYTES_MAX = ARCHIVE_LOCAL_BYTES + 2 * 65535,
	ARCHIVE_TRAILER_BYTES_MAX = 24, /* a data descriptor */
};

struct archive_entry {
	const char *name;       /* in the directory's bytes */
	uint64_t offset;        /* of its local header in the file */
	uint64_t packed, bytes; /* in the file; unpacked */
	uint64_t room;          /* from offset to the next member or the directory */
	uint32_t crc;
	uint16_t method; /* 0 stored, 8 deflated */
	uint16_t flags;
};

struct archive_directory {
	char *bytes;                   /* owned; the names are in it */
	struct archive_entry *entries; /* owned; in the order of the directory, as libzip counts */
	uint32_t *by_offset, *by_name; /* owned; numbers of entries */
	size_t count;
};

/*
 * Takes bytes over (allocated; end->directory_bytes of them, also when it fails) and writes into
 * them. Returns 0, or a negative errno with err set (ERROR_BAD_FILE) that says what is wrong.
 */
int archive_directory_read(char *bytes, const struct archive_end *end,
			   struct archive_directory *ret, struct error *err);
void archive_directory_done(struct archive_directory *directory);

/* NULL if there is none of exactly this name. */
const struct archive_entry *archive_directory_find(const struct archive_directory *directory,
						   const char *name);

/*
 * Whether the local header tells the same as the directory, and leaves the data room: its extra
 * field is its own. header: n bytes from entry->offset on, all of the header that the file has.
 * Returns 0 and how many bytes stand before the data, or a negative errno with err set.
 */
int archive_local_check(const struct archive_entry *entry, const uint8_t *header, size_t n,
			uint64_t *ret_bytes, struct error *err);
/* True if the entry says that sizes follow its data, too. */
bool archive_has_trailer(const struct archive_entry *entry);
/* Whether they are the directory's. trailer: the n bytes behind the data. */
bool archive_trailer_fits(const struct archive_entry *entry, const uint8_t *trailer, size_t n);
