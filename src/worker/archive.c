/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * An archive owns one source of bytes and libzip's view of it:
 *
 *   libzip ─▶ source (zip_source_function) ─▶ window of 256 KiB ─▶ file descriptor
 *                                                              └─▶ ranges of a server (remote.h)
 *
 * One way for both, so that a file here and the same one there give the same answers. libzip asks
 * for some bytes at a time; the window makes few requests of them.
 *
 * Invariants: window_bytes bytes at window_offset are true; the first error of a server is kept,
 * because libzip only says "read error".
 */
#include "worker/archive.h"
#include "base/cleanup.h"
#include "worker/archive_end.h"
#include "worker/remote.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

enum { WINDOW_BYTES = 256 * 1024, BEGIN_BYTES = 4 };

struct archive {
	int fd;                /* -1: remote */
	struct remote *remote; /* NULL: fd */
	uint64_t size;
	zip_t *zip;
	uint64_t at; /* libzip's position */
	uint8_t *window;
	uint64_t window_offset;
	size_t window_bytes;
	struct error error; /* of the last read that failed */
	zip_error_t zip_error;
};

/* --- bytes */

static int file_read(struct archive *archive, uint64_t offset, uint8_t *to, size_t n)
{
	while (n > 0) {
		ssize_t got = pread(archive->fd, to, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_errno(&archive->error, ERROR_BAD_FILE, "kernel", errno,
					       "Cannot read the firmware file");
		if (got == 0)
			return error_set(&archive->error, ERROR_BAD_FILE, "worker", 0,
					 "The firmware file became shorter while it was read");
		to += got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int bytes_read(struct archive *archive, uint64_t offset, uint8_t *to, size_t n)
{
	if (archive->remote)
		return remote_read(archive->remote, offset, to, n, &archive->error);
	return file_read(archive, offset, to, n);
}

/* Moves the window so that it has the byte at offset; near the end it covers the end. */
static int window_move(struct archive *archive, uint64_t offset)
{
	uint64_t left = archive->size - offset;
	size_t n = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
	int r;

	archive->window_bytes = 0;
	r = bytes_read(archive, offset, archive->window, n);
	if (r < 0)
		return r;
	archive->window_offset = offset;
	archive->window_bytes = n;
	return 0;
}

/* The end is looked at first: one read for it and for the directory of most files. */
static int window_end(struct archive *archive)
{
	return window_move(archive,
			   archive->size > WINDOW_BYTES ? archive->size - WINDOW_BYTES : 0);
}

static zip_int64_t source_read(struct archive *archive, uint8_t *to, uint64_t n)
{
	uint64_t done = 0;

	if (n > archive->size - archive->at)
		n = archive->size - archive->at;
	while (done < n) {
		uint64_t at = archive->at + done, have;

		if (at < archive->window_offset ||
		    at >= archive->window_offset + archive->window_bytes) {
			if (window_move(archive, at) < 0)
				return -1;
		}
		have = archive->window_offset + archive->window_bytes - at;
		if (have > n - done)
			have = n - done;
		memcpy(to + done, archive->window + (at - archive->window_offset), have);
		done += have;
	}
	archive->at += done;
	return (zip_int64_t)done;
}

static zip_int64_t source_seek(struct archive *archive, void *data, uint64_t n)
{
	zip_int64_t at = zip_source_seek_compute_offset(archive->at, archive->size, data, n,
							&archive->zip_error);

	if (at < 0)
		return -1;
	archive->at = (uint64_t)at;
	return 0;
}

static zip_int64_t source_stat(const struct archive *archive, zip_stat_t *stat)
{
	zip_stat_init(stat);
	stat->size = archive->size;
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

static int file_open(struct archive *archive, const char *path, struct error *err)
{
	struct stat st;

	archive->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (archive->fd < 0)
		return error_set_errno(err, ERROR_BAD_FILE, "kernel", errno,
				       "Cannot open the firmware file");
	if (fstat(archive->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "This is a folder or a device, not a firmware file");
	archive->size = (uint64_t)st.st_size;
	return 0;
}

static int url_open(struct archive *archive, struct http *http, const char *url, struct error *err)
{
	int r = remote_open(http, url, &archive->remote, err);

	if (r == 0)
		archive->size = remote_size(archive->remote);
	return r;
}

static int failed_read(const struct archive *archive, struct error *err, int r)
{
	if (err)
		*err = archive->error;
	return r;
}

static int end_check(struct archive *archive, struct error *err)
{
	struct archive_end end;
	uint8_t head[BEGIN_BYTES] = {};
	enum archive_state state = ARCHIVE_NO_ZIP;
	int r = 0;

	if (archive->size >= sizeof(head)) {
		r = bytes_read(archive, 0, head, sizeof(head));
		if (r == 0)
			r = window_end(archive);
		if (r < 0)
			return failed_read(archive, err, r);
		state = archive_end_read(head, archive->window, archive->window_bytes,
					 archive->size, &end);
	}
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
		if (archive->error.kind != ERROR_NONE)
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

/* Names that lead out of a folder into which somebody unpacks. */
static bool name_is_safe(const char *name)
{
	const char *part = name;

	if (name[0] == '/' || name[0] == '\0' || strchr(name, '\\'))
		return false;
	while (part) {
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
			return false;
		part = strchr(part, '/');
		part = part ? part + 1 : NULL;
	}
	return true;
}

static int names_check(const struct archive *archive, struct error *err)
{
	zip_int64_t count = zip_get_num_entries(archive->zip, 0);

	if (count > ARCHIVE_MEMBERS_MAX)
		return error_set(err, ERROR_BAD_FILE, "worker", count,
				 "The firmware file claims more parts than any real one has");
	for (zip_int64_t i = 0; i < count; i++) {
		const char *name = zip_get_name(archive->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);

		if (!name || !name_is_safe(name))
			return error_set(err, ERROR_BAD_FILE, "worker", i,
					 "The firmware file is a trap: it has a part that would be "
					 "written outside of its folder. Do not use it");
	}
	return 0;
}

int archive_open(const char *path, struct http *http, const char *url, struct archive **ret,
		 struct error *err)
{
	_cleanup_(archive_freep) struct archive *archive = calloc(1, sizeof(*archive));
	int r;

	if (!archive)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "An archive");
	archive->fd = -1;
	zip_error_init(&archive->zip_error);
	archive->window = malloc(WINDOW_BYTES);
	if (!archive->window)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "An archive");
	r = path ? file_open(archive, path, err) : url_open(archive, http, url, err);
	if (r == 0)
		r = end_check(archive, err);
	if (r == 0)
		r = zip_start(archive, err);
	if (r == 0)
		r = names_check(archive, err);
	if (r < 0)
		return r;
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
	remote_free(archive->remote);
	if (archive->fd >= 0)
		close(archive->fd);
	free(archive->window);
	free(archive);
	return NULL;
}

/* --- members */

uint64_t archive_size(const struct archive *archive)
{
	return archive->size;
}

uint64_t archive_members(const struct archive *archive)
{
	return (uint64_t)zip_get_num_entries(archive->zip, 0);
}

bool archive_find(const struct archive *archive, const char *name, struct archive_member *ret)
{
	zip_stat_t stat;

	if (zip_stat(archive->zip, name, ZIP_FL_ENC_RAW, &stat) < 0 ||
	    !(stat.valid & ZIP_STAT_SIZE) || !(stat.valid & ZIP_STAT_COMP_METHOD))
		return false;
	ret->bytes = stat.size;
	ret->packed = stat.comp_method != ZIP_CM_STORE;
	return true;
}

static int member_damaged(const struct archive *archive, const char *name, struct error *err)
{
	if (archive->error.kind != ERROR_NONE)
		return failed_read(archive, err, -EIO);
	return error_set(err, ERROR_BAD_FILE, "libzip", 0,
			 "%s in the firmware file is damaged. Download it again", name);
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

int archive_read(struct archive *archive, const char *name, size_t bytes_max, char **ret,
		 size_t *ret_bytes, struct error *err)
{
	_cleanup_free_ char *bytes = NULL;
	struct archive_member member;
	zip_file_t *file;
	int r;

	if (!archive_find(archive, name, &member))
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "The file has no %s: it is a zip, but no firmware file (IPSW)",
				 name);
	if (member.bytes > bytes_max)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "%s in the firmware file is larger than any real one", name);
	bytes = malloc(member.bytes + 1);
	if (!bytes)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "A member");
	archive->error = (struct error){};
	file = zip_fopen(archive->zip, name, ZIP_FL_ENC_RAW);
	r = file ? member_read(file, bytes, member.bytes) : -EBADMSG;
	if (file)
		zip_fclose(file);
	if (r < 0)
		return member_damaged(archive, name, err);
	bytes[member.bytes] = '\0';
	*ret = TAKE(bytes);
	*ret_bytes = member.bytes;
	return 0;
}
