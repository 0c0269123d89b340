/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *   local header 30 | name | extra | data | (trailer) | … | entry 46 | name | extra | comment | …
 *
 * A name is moved to the begin of its entry, which has been read by then, so that it can end with a
 * NUL: 46 bytes and the name are always more than the name and one.
 */
#include "worker/archive_directory.h"
#include "base/cleanup.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

enum {
	ENTRY_BYTES = 46,
	EXTRA_HEAD_BYTES = 4,
	EXTRA_ZIP64 = 1,
	HOST_UNIX = 3, /* who made it; tells what the attributes mean */
	HOST_DARWIN = 19,
	METHOD_STORED = 0,
	METHOD_DEFLATED = 8,
	FLAG_ENCRYPTED = 1 << 0,
	FLAG_TRAILER = 1 << 3,
	FLAG_STRONG = 1 << 6,
	FLAG_MASKED = 1 << 13, /* the directory is encrypted */
	FLAGS_REFUSED = FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED,
	FULL_16 = 0xffff,
};
static const uint32_t FULL_32 = 0xffffffff;
static const char entry_magic[] = "PK\1\2";
static const char local_magic[] = "PK\3\4";
static const char trailer_magic[] = "PK\7\x08";

static uint64_t number(const void *at, size_t n)
{
	const uint8_t *bytes = at;
	uint64_t value = 0;

	for (size_t i = n; i > 0; i--)
		value = value << 8 | bytes[i - 1];
	return value;
}

static int damaged(struct error *err, const char *how)
{
	return error_set(err, ERROR_BAD_FILE, "worker", 0,
			 "The directory of the firmware file is damaged (%s). Download it again",
			 how);
}

static int trap(struct error *err, const struct archive_entry *entry, const char *how)
{
	return error_set(err, ERROR_BAD_FILE, "worker", 0,
			 "The firmware file is a trap: its part %.80s %s. Do not use it",
			 entry->name, how);
}

/* --- one entry */

/* Large values stand in an extra field, those whose place says so, in this order. */
struct wide {
	uint64_t *bytes, *packed, *offset; /* NULL: not there */
};

static bool wide_read(const char *extra, size_t n, const struct wide *wide)
{
	uint64_t *values[] = { wide->bytes, wide->packed, wide->offset };

	while (n >= EXTRA_HEAD_BYTES) {
		size_t kind = number(extra, 2), have = number(extra + 2, 2);
		const char *at = extra + EXTRA_HEAD_BYTES;

		if (have > n - EXTRA_HEAD_BYTES)
			return false;
		extra += EXTRA_HEAD_BYTES + have;
		n -= EXTRA_HEAD_BYTES + have;
		if (kind != EXTRA_ZIP64)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(values); i++) {
			if (!values[i] || *values[i] != FULL_32)
				continue;
			if (have < sizeof(uint64_t))
				return false;
			*values[i] = number(at, sizeof(uint64_t));
			at += sizeof(uint64_t);
			have -= sizeof(uint64_t);
		}
		return true;
	}
	/* 0xffffffff without a wide value is no size */
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (values[i] && *values[i] == FULL_32)
			return false;
	return true;
}

/* Names that lead out of a folder into which somebody unpacks, or hide what they are. */
static bool name_is_safe(const char *name)
{
	const char *part = name;

	if (name[0] == '/' || name[0] == '\0' || strchr(name, '\\'))
		return false;
	for (const char *at = name; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return false;
	while (part) {
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
			return false;
		part = strchr(part, '/');
		part = part ? part + 1 : NULL;
	}
	return true;
}

/* A plain file or a folder, or of a maker who has no modes. */
static bool is_plain(unsigned host, uint32_t attributes)
{
	mode_t mode = attributes >> 16;

	if ((host != HOST_UNIX && host != HOST_DARWIN) || (mode & S_IFMT) == 0)
		return true;
	return S_ISREG(mode) || S_ISDIR(mode);
}

static int sizes_check(const struct archive_entry *entry, uint64_t directory_offset,
		       struct error *err)
{
	uint64_t room;

	if (entry->method == METHOD_STORED && entry->packed != entry->bytes)
		return trap(err, entry, "is not packed and has two sizes");
	if (entry->bytes > ARCHIVE_MEMBER_BYTES_MAX)
		return trap(err, entry, "would unpack to more than any real one");
	if (entry->bytes > ARCHIVE_RATIO_FREE_BYTES &&
	    entry->bytes / ARCHIVE_RATIO_MAX > entry->packed)
		return trap(err, entry, "would unpack to hundreds of times its size");
	if (entry->offset > directory_offset)
		return trap(err, entry, "lies outside of the file");
	room = directory_offset - entry->offset;
	if (room < ARCHIVE_LOCAL_BYTES + strlen(entry->name) ||
	    room - ARCHIVE_LOCAL_BYTES - strlen(entry->name) < entry->packed)
		return trap(err, entry, "lies outside of the file");
	return 0;
}

static int entry_check(const struct archive_entry *entry, size_t name_bytes, unsigned host,
		       uint32_t attributes, struct error *err)
{
	if (strlen(entry->name) != name_bytes || !name_is_safe(entry->name))
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "The firmware file is a trap: it has a part that would be "
				 "written outside of its folder. Do not use it");
	if (!is_plain(host, attributes))
		return trap(err, entry, "is a link or a device");
	if (entry->flags & FLAGS_REFUSED)
		return trap(err, entry, "is encrypted, which no real one is");
	if (entry->method != METHOD_STORED && entry->method != METHOD_DEFLATED)
		return trap(err, entry, "is packed in a way that no real one is");
	return 0;
}

/* Reads the entry at `at`, n bytes left. Returns its length, or a negative errno. */
static ssize_t entry_read(char *at, size_t n, uint64_t directory_offset, struct archive_entry *ret,
			  struct error *err)
{
	struct archive_entry entry = { .name = at };
	size_t name_bytes, extra_bytes, all;
	uint32_t attributes;
	unsigned host;
	int r;

	if (n < ENTRY_BYTES || memcmp(at, entry_magic, 4) != 0)
		return damaged(err, "it ends early");
	name_bytes = number(at + 28, 2);
	extra_bytes = number(at + 30, 2);
	all = ENTRY_BYTES + name_bytes + extra_bytes + number(at + 32, 2);
	if (n < all || name_bytes > ARCHIVE_NAME_BYTES_MAX)
		return damaged(err, "a name is longer than it");
	host = (unsigned)number(at + 5, 1);
	entry.flags = (uint16_t)number(at + 8, 2);
	entry.method = (uint16_t)number(at + 10, 2);
	entry.crc = (uint32_t)number(at + 16, 4);
	entry.packed = number(at + 20, 4);
	entry.bytes = number(at + 24, 4);
	attributes = (uint32_t)number(at + 38, 4);
	entry.offset = number(at + 42, 4);
	if (number(at + 34, 2) != 0)
		return damaged(err, "it speaks of other disks");
	if (!wide_read(at + ENTRY_BYTES + name_bytes, extra_bytes,
		       &(struct wide){ &entry.bytes, &entry.packed, &entry.offset }))
		return damaged(err, "a size of more than 4 GB is missing");
	memmove(at, at + ENTRY_BYTES, name_bytes);
	at[name_bytes] = '\0';
	r = entry_check(&entry, name_bytes, host, attributes, err);
	if (r == 0)
		r = sizes_check(&entry, directory_offset, err);
	if (r < 0)
		return r;
	*ret = entry;
	return (ssize_t)all;
}

/* --- all entries */

static int entries_read(struct archive_directory *directory, const struct archive_end *end,
			struct error *err)
{
	uint64_t at = 0, unpacked = 0;

	while (at < end->directory_bytes && directory->count < end->members) {
		struct archive_entry *entry = &directory->entries[directory->count];
		ssize_t n = entry_read(directory->bytes + at, end->directory_bytes - at,
				       end->directory_offset, entry, err);

		if (n < 0)
			return (int)n;
		at += (uint64_t)n;
		directory->count++;
		unpacked += entry->bytes;
		if (unpacked > ARCHIVE_UNPACKED_BYTES_MAX)
			return trap(err, entry,
				    "and those before it would unpack to more than any "
				    "real ones");
	}
	if (directory->count != end->members || at != end->directory_bytes)
		return damaged(err, "it has another number of parts than it says");
	return 0;
}

static int offset_compare(const void *a, const void *b, void *context)
{
	const struct archive_entry *entries = context;
	uint64_t left = entries[*(const uint32_t *)a].offset;
	uint64_t right = entries[*(const uint32_t *)b].offset;

	return (left > right) - (left < right);
}

static int name_compare(const void *a, const void *b, void *context)
{
	const struct archive_entry *entries = context;

	return strcmp(entries[*(const uint32_t *)a].name, entries[*(const uint32_t *)b].name);
}

/* Sorted they are, and each begins in front of the directory (sizes_check()). */
static void rooms_set(const struct archive_directory *directory, uint64_t directory_offset)
{
	uint64_t next = directory_offset;

	for (size_t i = directory->count; i > 0; i--) {
		struct archive_entry *entry = &directory->entries[directory->by_offset[i - 1]];

		entry->room = next - entry->offset;
		next = entry->offset;
	}
}

static int together_check(const struct archive_directory *directory, struct error *err)
{
	const struct archive_entry *entries = directory->entries;

	for (size_t i = 1; i < directory->count; i++) {
		const struct archive_entry *left = &entries[directory->by_offset[i - 1]];
		const struct archive_entry *right = &entries[directory->by_offset[i]];

		/* no overflow: each ends in front of the directory */
		if (ARCHIVE_LOCAL_BYTES + strlen(left->name) + left->packed > left->room)
			return trap(err, right, "shares bytes with another one");
		left = &entries[directory->by_name[i - 1]];
		right = &entries[directory->by_name[i]];
		if (strcmp(left->name, right->name) == 0)
			return trap(err, right, "stands in it twice");
	}
	return 0;
}

int archive_directory_read(char *bytes, const struct archive_end *end,
			   struct archive_directory *ret, struct error *err)
{
	_cleanup_(archive_directory_done) struct archive_directory directory = { .bytes = bytes };
	size_t count = end->members;
	int r;

	if (count > ARCHIVE_MEMBERS_MAX || count > end->directory_bytes / ENTRY_BYTES)
		return damaged(err, "it is too short for its parts");
	directory.entries = calloc(count + 1, sizeof(*directory.entries));
	directory.by_offset = calloc(count + 1, sizeof(*directory.by_offset));
	directory.by_name = calloc(count + 1, sizeof(*directory.by_name));
	if (!directory.entries || !directory.by_offset || !directory.by_name)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "A directory");
	r = entries_read(&directory, end, err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < count; i++)
		directory.by_offset[i] = directory.by_name[i] = i;
	qsort_r(directory.by_offset, count, sizeof(uint32_t), offset_compare, directory.entries);
	qsort_r(directory.by_name, count, sizeof(uint32_t), name_compare, directory.entries);
	rooms_set(&directory, end->directory_offset);
	r = together_check(&directory, err);
	if (r < 0)
		return r;
	*ret = TAKE_STRUCT(directory);
	return 0;
}

void archive_directory_done(struct archive_directory *directory)
{
	free(directory->bytes);
	free(directory->entries);
	free(directory->by_offset);
	free(directory->by_name);
	*directory = (struct archive_directory){};
}

const struct archive_entry *archive_directory_find(const struct archive_directory *directory,
						   const char *name)
{
	size_t low = 0, high = directory->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct archive_entry *entry = &directory->entries[directory->by_name[middle]];
		int order = strcmp(name, entry->name);

		if (order == 0)
			return entry;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* --- what stands beside the data */

bool archive_has_trailer(const struct archive_entry *entry)
{
	return entry->flags & FLAG_TRAILER;
}

/* With a trailer the local header may leave sizes and checksum to it. */
static bool value_fits(const struct archive_entry *entry, uint64_t local, uint64_t value)
{
	return local == value || (local == 0 && archive_has_trailer(entry));
}

int archive_local_check(const struct archive_entry *entry, const uint8_t *header, size_t n,
			uint64_t *ret_bytes, struct error *err)
{
	const char *name = (const char *)header + ARCHIVE_LOCAL_BYTES;
	size_t name_bytes = strlen(entry->name), extra_bytes;
	uint64_t packed, bytes;

	if (n < ARCHIVE_LOCAL_BYTES || memcmp(header, local_magic, 4) != 0)
		return trap(err, entry, "is not where the directory says");
	extra_bytes = number(header + 28, 2);
	if (number(header + 26, 2) != name_bytes ||
	    n < ARCHIVE_LOCAL_BYTES + name_bytes + extra_bytes ||
	    memcmp(name, entry->name, name_bytes) != 0)
		return trap(err, entry, "has another name in another place");
	packed = number(header + 18, 4);
	bytes = number(header + 22, 4);
	if (!wide_read(name + name_bytes, extra_bytes, &(struct wide){ &bytes, &packed, NULL }) ||
	    number(header + 8, 2) != entry->method ||
	    ((number(header + 6, 2) ^ entry->flags) & (FLAGS_REFUSED | FLAG_TRAILER)) != 0 ||
	    !value_fits(entry, number(header + 14, 4), entry->crc) ||
	    !value_fits(entry, packed, entry->packed) || !value_fits(entry, bytes, entry->bytes))
		return trap(err, entry, "has another size or checksum in another place");
	if (ARCHIVE_LOCAL_BYTES + name_bytes + extra_bytes + entry->packed > entry->room)
		return trap(err, entry, "shares bytes with another one");
	*ret_bytes = ARCHIVE_LOCAL_BYTES + name_bytes + extra_bytes;
	return 0;
}

/* With or without a magic in front, with sizes of 4 or 8 bytes: writers differ, and some put the
 * lower half of a large size into 4. */
bool archive_trailer_fits(const struct archive_entry *entry, const uint8_t *trailer, size_t n)
{
	for (size_t skip = 0; skip <= 4; skip += 4) {
		for (size_t wide = 4; wide <= 8; wide += 4) {
			uint64_t mask = wide == 4 ? FULL_32 : UINT64_MAX;
			const uint8_t *at = trailer + skip;

			if (n < skip + 4 + 2 * wide ||
			    (skip && memcmp(trailer, trailer_magic, 4) != 0))
				continue;
			if (number(at, 4) == entry->crc &&
			    number(at + 4, wide) == (entry->packed & mask) &&
			    number(at + 4 + wide, wide) == (entry->bytes & mask))
				return true;
		}
	}
	return false;
}
