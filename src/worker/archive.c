/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An archive owns the bytes, our own view of the directory, and libzip's, which unpacks:
 *
 *   libzip ─▶ source (zip_source_function) ─▶ archive_bytes ─▶ window ─▶ file descriptor
 *      ▲                                            ▲                └─▶ ranges of a server
 *      └── both must tell the same ── directory ────┘
 *
 * Two views, since libzip does not tell where members lie, and the engine reads by libzip: a file
 * that they read differently is refused.
 *
 * Invariants: entry number i of the directory is member number i of libzip; the first error of a
 * disk or server is kept in bytes.error, because libzip only says "read error".
 */
#include "worker/archive.h"
#include "base/cleanup.h"
#include "worker/archive_directory.h"
#include "worker/archive_end.h"
#include <errno.h>
#include <string.h>
#include <zip.h>

/* What local headers have behind the name: Unix times and ids, wide sizes. */
enum { EXTRA_BYTES_USUAL = 128 };

struct archive {
	struct archive_bytes bytes;
	struct archive_directory directory;
	zip_t *zip;
	uint64_t at; /* libzip's position */
	zip_error_t zip_error;
};

/* --- libzip's source */

static zip_int64_t source_read(struct archive *archive, uint8_t *to, uint64_t n)
{
	uint64_t left = archive->bytes.size - archive->at;

	if (n > left)
		n = left;
	if (archive_bytes_get(&archive->bytes, archive->at, to, n) < 0)
		return -1;
	archive->at += n;
	return (zip_int64_t)n;
}

static zip_int64_t source_seek(struct archive *archive, void *data, uint64_t n)
{
	zip_int64_t at = zip_source_seek_compute_offset(archive->at, archive->bytes.size, data, n,
							&archive->zip_error);

	if (at < 0)
		return -1;
	archive->at = (uint64_t)at;
	return 0;
}

static zip_int64_t source_stat(const struct archive *archive, zip_stat_t *stat)
{
	zip_stat_init(stat);
	stat->size = archive->bytes.size;
	stat->valid = ZIP_STAT_SIZE;
	return sizeof(*stat);
}

static zip_int64_t source_call(void *context, void *data, zip_uint64_t n, zip_source_cmd_t command)
{
	struct archive *archive = context;
	zip_int64_t r;

	/* libzip's list of commands is longer than what a readable source gets */
	if (command == ZIP_SOURCE_OPEN) {
		archive->at = 0;
		return 0;
	}
	if (command == ZIP_SOURCE_READ) {
		r = source_read(archive, data, n);
		if (r < 0)
			zip_error_set(&archive->zip_error, ZIP_ER_READ, EIO);
		return r;
	}
	if (command == ZIP_SOURCE_SEEK)
		return source_seek(archive, data, n);
	if (command == ZIP_SOURCE_TELL)
		return (zip_int64_t)archive->at;
	if (command == ZIP_SOURCE_STAT)
		return source_stat(archive, data);
	if (command == ZIP_SOURCE_ERROR)
		return zip_error_to_data(&archive->zip_error, data, n);
	if (command == ZIP_SOURCE_SUPPORTS)
		return zip_source_make_command_bitmap(
		    ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT,
		    ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, -1);
	if (command == ZIP_SOURCE_CLOSE || command == ZIP_SOURCE_FREE)
		return 0;
	zip_error_set(&archive->zip_error, ZIP_ER_OPNOTSUPP, 0);
	return -1;
}

/* --- opening */

static int failed_read(const struct archive *archive, struct error *err, int r)
{
	if (err)
		*err = archive->bytes.error;
	return r;
}

static int end_refuse(enum archive_state state, struct error *err)
{
	switch (state) {
	case ARCHIVE_WHOLE:
		return 0;
	case ARCHIVE_CUT:
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "The firmware file is not whole: its end is missing. Download or "
				 "copy it again");
	case ARCHIVE_HOSTILE:
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "The firmware file claims more parts than any real one has. "
				 "Download it again");
	case ARCHIVE_NO_ZIP:
		break;
	}
	return error_set(err, ERROR_BAD_FILE, "worker", 0,
			 "This is not a firmware file (IPSW). Choose another one");
}

/* Reads the end, and has the whole directory in memory: one read of most files, two of others. */
static int end_find(struct archive *archive, struct archive_end *ret, struct error *err)
{
	struct archive_bytes *bytes = &archive->bytes;
	uint8_t head[ARCHIVE_HEAD_BYTES];
	enum archive_state state;
	uint64_t from = 0;
	int r;

	if (bytes->size < sizeof(head))
		return end_refuse(ARCHIVE_NO_ZIP, err);
	if (bytes->size > ARCHIVE_WINDOW_BYTES)
		from = bytes->size - ARCHIVE_WINDOW_BYTES;
	r = archive_bytes_head(bytes, head);
	if (r == 0)
		r = archive_bytes_hold(bytes, from);
	if (r < 0)
		return failed_read(archive, err, r);
	state = archive_end_read(head, bytes->end, bytes->size - from, bytes->size, ret);
	if (state != ARCHIVE_WHOLE)
		return end_refuse(state, err);
	r = archive_bytes_hold(bytes, ret->directory_offset);
	return r < 0 ? failed_read(archive, err, r) : 0;
}

static int zip_start(struct archive *archive, struct error *err)
{
	zip_error_t error;
	zip_source_t *source;
	int r = 0;

	zip_error_init(&error);
	source = zip_source_function_create(source_call, archive, &error);
	if (source)
		archive->zip = zip_open_from_source(source, ZIP_RDONLY, &error);
	if (!archive->zip) {
		zip_source_free(source);
		if (archive->bytes.error.kind != ERROR_NONE)
			r = failed_read(archive, err, -EIO);
		else
			r = error_set(err, ERROR_BAD_FILE, "libzip", zip_error_code_zip(&error),
				      "The directory of the firmware file is damaged (%s). "
				      "Download it again",
				      zip_error_strerror(&error));
	}
	zip_error_fini(&error);
	return r;
}

static int directory_start(struct archive *archive, const struct archive_end *end,
			   struct error *err)
{
	const uint8_t *from =
	    archive->bytes.end + (end->directory_offset - archive->bytes.end_offset);
	char *bytes = malloc(end->directory_bytes + 1);

	if (!bytes)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "A directory");
	memcpy(bytes, from, end->directory_bytes);
	return archive_directory_read(bytes, end, &archive->directory, err);
}

static bool views_are_equal(const struct archive *archive)
{
	const struct archive_directory *directory = &archive->directory;
	zip_int64_t count = zip_get_num_entries(archive->zip, 0);

	if (count < 0 || (uint64_t)count != directory->count)
		return false;
	for (size_t i = 0; i < directory->count; i++) {
		const struct archive_entry *entry = &directory->entries[i];
		const char *name = zip_get_name(archive->zip, i, ZIP_FL_ENC_RAW);
		zip_stat_t stat;

		if (!name || strcmp(name, entry->name) != 0 ||
		    zip_stat_index(archive->zip, i, 0, &stat) < 0 || stat.size != entry->bytes ||
		    stat.comp_size != entry->packed || stat.crc != entry->crc ||
		    stat.comp_method != entry->method)
			return false;
	}
	return true;
}

int archive_open(const char *path, struct http *http, const char *url, struct archive **ret,
		 struct error *err)
{
	_cleanup_(archive_freep) struct archive *archive = calloc(1, sizeof(*archive));
	struct archive_end end = {};
	int r;

	if (!archive)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "An archive");
	zip_error_init(&archive->zip_error);
	r = archive_bytes_open(&archive->bytes, path, http, url, err);
	if (r == 0)
		r = end_find(archive, &end, err);
	if (r == 0)
		r = directory_start(archive, &end, err);
	if (r == 0)
		r = zip_start(archive, err);
	if (r < 0)
		return r;
	if (!views_are_equal(archive))
		return error_set(err, ERROR_BAD_FILE, "libzip", 0,
				 "The directory of the firmware file can be read in two ways. Do "
				 "not use it");
	archive_bytes_let_go(&archive->bytes);
	*ret = TAKE(archive);
	return 0;
}

struct archive *archive_free(struct archive *archive)
{
	if (!archive)
		return NULL;
	if (archive->zip)
		zip_discard(archive->zip);
	zip_error_fini(&archive->zip_error);
	archive_directory_done(&archive->directory);
	archive_bytes_done(&archive->bytes);
	free(archive);
	return NULL;
}

/* --- members */

uint64_t archive_size(const struct archive *archive)
{
	return archive->bytes.size;
}

uint64_t archive_members(const struct archive *archive)
{
	return archive->directory.count;
}

struct remote_cost archive_cost(const struct archive *archive)
{
	const struct remote *remote = archive->bytes.remote;

	return remote ? remote_cost(remote) : (struct remote_cost){};
}

bool archive_find(const struct archive *archive, const char *name, struct archive_member *ret)
{
	const struct archive_entry *entry = archive_directory_find(&archive->directory, name);

	if (!entry)
		return false;
	ret->bytes = entry->bytes;
	ret->packed = entry->method != ZIP_CM_STORE;
	return true;
}

static int member_damaged(const struct archive *archive, const char *name, struct error *err)
{
	if (archive->bytes.error.kind != ERROR_NONE)
		return failed_read(archive, err, -EIO);
	return error_set(err, ERROR_BAD_FILE, "libzip", 0,
			 "%.120s in the firmware file is damaged. Download it again, and if that "
			 "happens twice, to another disk",
			 name);
}

/* Reads the local header, and on a server the member with it. */
static int header_check(struct archive *archive, const struct archive_entry *entry, uint64_t ahead,
			uint64_t *ret_bytes, struct error *err)
{
	size_t have, n = ARCHIVE_LOCAL_BYTES + strlen(entry->name);
	const uint8_t *header = archive_bytes_peek(
	    &archive->bytes, entry->offset,
	    n + (ahead < ARCHIVE_WINDOW_BYTES ? (size_t)ahead : ARCHIVE_WINDOW_BYTES), &have);

	if (header && have >= ARCHIVE_LOCAL_BYTES) {
		n = ARCHIVE_LOCAL_BYTES + (header[26] | (size_t)header[27] << 8) +
		    (header[28] | (size_t)header[29] << 8);
		if (n > have)
			header = archive_bytes_peek(&archive->bytes, entry->offset, n, &have);
	}
	if (!header)
		return failed_read(archive, err, -EIO);
	return archive_local_check(entry, header, have, ret_bytes, err);
}

static int member_read(zip_file_t *file, char *to, size_t n)
{
	char more;

	for (size_t done = 0; done < n;) {
		zip_int64_t got = zip_fread(file, to + done, n - done);

		if (got <= 0)
			return -EBADMSG;
		done += (size_t)got;
	}
	/* the checksum is compared at the end, and not before */
	return zip_fread(file, &more, sizeof(more)) == 0 ? 0 : -EBADMSG;
}

static zip_file_t *member_open(struct archive *archive, const struct archive_entry *entry)
{
	archive->bytes.error = (struct error){};
	return zip_fopen_index(archive->zip, (uint64_t)(entry - archive->directory.entries), 0);
}

int archive_read(struct archive *archive, const char *name, size_t bytes_max, char **ret,
		 size_t *ret_bytes, struct error *err)
{
	const struct archive_entry *entry = archive_directory_find(&archive->directory, name);
	_cleanup_free_ char *bytes = NULL;
	uint64_t before;
	zip_file_t *file;
	int r;

	if (!entry)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "The file has no %s: it is a zip, but no firmware file (IPSW)",
				 name);
	if (entry->bytes > bytes_max)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "%s in the firmware file is larger than any real one", name);
	r = header_check(archive, entry, entry->packed + EXTRA_BYTES_USUAL, &before, err);
	if (r < 0)
		return r;
	bytes = malloc(entry->bytes + 1);
	if (!bytes)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "A member");
	file = member_open(archive, entry);
	r = file ? member_read(file, bytes, entry->bytes) : -EBADMSG;
	if (file)
		zip_fclose(file);
	if (r < 0)
		return member_damaged(archive, name, err);
	bytes[entry->bytes] = '\0';
	*ret = TAKE(bytes);
	*ret_bytes = entry->bytes;
	return 0;
}

/* --- all of it */

/* Fills the block but at the end of the member, where its checksum is compared. */
static zip_int64_t block_read(zip_file_t *file, uint8_t block[static ARCHIVE_BLOCK_BYTES])
{
	zip_int64_t n = 0, got = 1;

	while (got > 0 && n < ARCHIVE_BLOCK_BYTES) {
		got = zip_fread(file, block + n, (zip_uint64_t)(ARCHIVE_BLOCK_BYTES - n));
		n += got > 0 ? got : 0;
	}
	return got < 0 ? got : n;
}

static int data_sweep(struct archive *archive, const struct archive_entry *entry, zip_file_t *file,
		      const struct archive_sink *sink, struct error *err)
{
	uint8_t block[ARCHIVE_BLOCK_BYTES];
	uint64_t bytes = 0;
	zip_int64_t got;
	int r = 0;

	do {
		got = block_read(file, block);
		if (got < 0 || (uint64_t)got > entry->bytes - bytes)
			return member_damaged(archive, entry->name, err);
		bytes += (uint64_t)got;
		if (got > 0)
			r = sink->data(sink->context, block, (size_t)got, err);
		sink->progress(sink->context, archive->at);
	} while (r == 0 && got == ARCHIVE_BLOCK_BYTES);
	if (r == 0 && bytes != entry->bytes)
		return member_damaged(archive, entry->name, err);
	return r;
}

static int trailer_check(struct archive *archive, const struct archive_entry *entry,
			 uint64_t header_bytes, struct error *err)
{
	size_t n;
	const uint8_t *trailer;

	if (!archive_has_trailer(entry))
		return 0;
	trailer = archive_bytes_peek(&archive->bytes, entry->offset + header_bytes + entry->packed,
				     ARCHIVE_TRAILER_BYTES_MAX, &n);
	if (!trailer)
		return failed_read(archive, err, -EIO);
	if (!archive_trailer_fits(entry, trailer, n))
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "The firmware file is a trap: its part %.80s has another size or "
				 "checksum in another place. Do not use it",
				 entry->name);
	return 0;
}

static int entry_sweep(struct archive *archive, const struct archive_entry *entry,
		       const struct archive_sink *sink, struct error *err)
{
	uint64_t header_bytes;
	zip_file_t *file;
	int r = header_check(archive, entry, 0, &header_bytes, err);

	if (r == 0)
		r = sink->begin(sink->context, entry->name, entry->bytes, err);
	if (r < 0)
		return r;
	file = member_open(archive, entry);
	if (!file)
		return member_damaged(archive, entry->name, err);
	r = data_sweep(archive, entry, file, sink, err);
	zip_fclose(file);
	if (r == 0)
		r = trailer_check(archive, entry, header_bytes, err);
	return r < 0 ? r : sink->end(sink->context, err);
}

int archive_sweep(struct archive *archive, const struct archive_sink *sink, struct error *err)
{
	const struct archive_directory *directory = &archive->directory;
	int r = 0;

	archive->bytes.error = (struct error){};
	archive_bytes_follow(&archive->bytes, sink->file, sink->context);
	for (size_t i = 0; sink->begin && r == 0 && i < directory->count; i++)
		r = entry_sweep(archive, &directory->entries[directory->by_offset[i]], sink, err);
	if (r < 0)
		return r;
	r = archive_bytes_follow_end(&archive->bytes);
	return r < 0 ? failed_read(archive, err, r) : 0;
}
