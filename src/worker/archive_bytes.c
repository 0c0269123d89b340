/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *   … | window | …………… | end, held │        looking: the window goes where it is wanted
 *
 *   followed ▶│ window │ not yet read …     following: it only goes forward, its end is how far
 *                                           the file was read
 *
 * Invariants: window_bytes bytes at window_offset are the file's; following, no byte is read
 * twice, and none was left out before the window's end if there is somebody who gets them.
 */
#include "worker/archive_bytes.h"
#include "base/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is asked of a server at least: a local header and then some. */
enum { REMOTE_BYTES_MIN = 4096 };

/* --- opening */

static int file_open(struct archive_bytes *bytes, const char *path, struct error *err)
{
	struct stat st;

	bytes->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (bytes->fd < 0)
		return error_set_errno(err, ERROR_BAD_FILE, "kernel", errno,
				       "Cannot open the firmware file");
	if (fstat(bytes->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "This is a folder or a device, not a firmware file");
	/* who makes room asks for the lock of his own first; not every file system has locks */
	if (flock(bytes->fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return error_set(err, ERROR_BUSY, "kernel", EWOULDBLOCK,
				 "The firmware file is being written or removed right now");
	bytes->size = (uint64_t)st.st_size;
	return 0;
}

int archive_bytes_open(struct archive_bytes *bytes, const char *path, struct http *http,
		       const char *url, struct error *err)
{
	int r;

	*bytes = (struct archive_bytes){ .fd = -1 };
	bytes->window = malloc(ARCHIVE_WINDOW_BYTES);
	if (!bytes->window)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "An archive");
	if (path)
		return file_open(bytes, path, err);
	r = remote_open(http, url, &bytes->remote, err);
	if (r == 0)
		bytes->size = remote_size(bytes->remote);
	return r;
}

void archive_bytes_done(struct archive_bytes *bytes)
{
	remote_free(bytes->remote);
	if (bytes->fd >= 0)
		close(bytes->fd);
	free(bytes->window);
	free(bytes->end);
	*bytes = (struct archive_bytes){ .fd = -1 };
}

/* --- reading */

static int file_read(struct archive_bytes *bytes, uint64_t offset, uint8_t *to, size_t n)
{
	while (n > 0) {
		ssize_t got = pread(bytes->fd, to, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_errno(&bytes->error, ERROR_BAD_FILE, "kernel", errno,
					       "The disk cannot read the firmware file");
		if (got == 0)
			return error_set(&bytes->error, ERROR_BAD_FILE, "worker", 0,
					 "The firmware file became shorter while it was read");
		to += got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int source_read(struct archive_bytes *bytes, uint64_t offset, uint8_t *to, size_t n)
{
	if (offset > bytes->size || n > bytes->size - offset)
		return error_set(&bytes->error, ERROR_BAD_FILE, "worker", 0,
				 "The firmware file points behind its own end");
	if (bytes->remote)
		return remote_read(bytes->remote, offset, to, n, &bytes->error);
	return file_read(bytes, offset, to, n);
}

int archive_bytes_head(struct archive_bytes *bytes, uint8_t ret[static ARCHIVE_HEAD_BYTES])
{
	size_t n = bytes->size < ARCHIVE_HEAD_BYTES ? (size_t)bytes->size : ARCHIVE_HEAD_BYTES;

	memset(ret, 0, ARCHIVE_HEAD_BYTES);
	if (!bytes->remote)
		return source_read(bytes, 0, ret, n);
	memcpy(ret, remote_head(bytes->remote), n);
	return 0;
}

int archive_bytes_hold(struct archive_bytes *bytes, uint64_t offset)
{
	uint64_t from = bytes->end ? bytes->end_offset : bytes->size;
	_cleanup_free_ uint8_t *end = NULL;
	int r;

	if (offset >= from)
		return 0;
	end = malloc(bytes->size - offset);
	if (!end)
		return error_set_errno(&bytes->error, ERROR_BUG, "worker", ENOMEM, "An archive");
	r = source_read(bytes, offset, end, from - offset);
	if (r < 0)
		return r;
	if (bytes->end)
		memcpy(end + (from - offset), bytes->end, bytes->size - from);
	free(bytes->end);
	bytes->end = TAKE(end);
	bytes->end_offset = offset;
	return 0;
}

void archive_bytes_let_go(struct archive_bytes *bytes)
{
	free(bytes->end);
	bytes->end = NULL;
}

/* Following: reads n more bytes behind the window's end, which the window has room for. */
static int window_more(struct archive_bytes *bytes, size_t n)
{
	uint8_t *to = bytes->window + bytes->window_bytes;
	int r = source_read(bytes, bytes->window_offset + bytes->window_bytes, to, n);

	if (r < 0)
		return r;
	r = bytes->follow ? bytes->follow(bytes->context, to, n) : 0;
	if (r < 0)
		return error_set_errno(&bytes->error, ERROR_BUG, "worker", -r, "A digest");
	bytes->window_bytes += n;
	return 0;
}

static size_t smaller(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

/* Following: slides the window until it begins at offset, and fills it. */
static int window_slide(struct archive_bytes *bytes, uint64_t offset)
{
	uint64_t end = bytes->window_offset + bytes->window_bytes;
	int r = 0;

	if (offset < bytes->window_offset)
		return error_set(&bytes->error, ERROR_BUG, "worker", 0,
				 "The firmware file was to be read backwards");
	while (r == 0 && bytes->follow && end < offset) {
		bytes->window_offset = end;
		bytes->window_bytes = 0;
		r = window_more(bytes, smaller(offset - end, ARCHIVE_WINDOW_BYTES));
		end = bytes->window_offset + bytes->window_bytes;
	}
	if (r < 0)
		return r;
	bytes->window_bytes = end > offset ? (size_t)(end - offset) : 0;
	if (bytes->window_bytes > 0)
		memmove(bytes->window, bytes->window + (offset - bytes->window_offset),
			bytes->window_bytes);
	bytes->window_offset = offset;
	return window_more(bytes, smaller(bytes->size - offset, ARCHIVE_WINDOW_BYTES) -
				      bytes->window_bytes);
}

/* Moves the window to offset, n bytes of it wanted. */
static int window_move(struct archive_bytes *bytes, uint64_t offset, size_t n)
{
	int r;

	if (bytes->following)
		return window_slide(bytes, offset);
	if (n < REMOTE_BYTES_MIN)
		n = REMOTE_BYTES_MIN;
	if (!bytes->remote || n > ARCHIVE_WINDOW_BYTES)
		n = ARCHIVE_WINDOW_BYTES;
	n = smaller(bytes->size - offset, n);
	bytes->window_bytes = 0;
	r = source_read(bytes, offset, bytes->window, n);
	if (r < 0)
		return r;
	bytes->window_offset = offset;
	bytes->window_bytes = n;
	return 0;
}

/* How many bytes at offset are in memory, and where. */
static size_t held(const struct archive_bytes *bytes, uint64_t offset, const uint8_t **ret)
{
	if (bytes->end && offset >= bytes->end_offset) {
		*ret = bytes->end + (offset - bytes->end_offset);
		return (size_t)(bytes->size - offset);
	}
	if (offset < bytes->window_offset || offset - bytes->window_offset >= bytes->window_bytes)
		return 0;
	*ret = bytes->window + (offset - bytes->window_offset);
	return bytes->window_bytes - (size_t)(offset - bytes->window_offset);
}

int archive_bytes_get(struct archive_bytes *bytes, uint64_t offset, void *ret, size_t n)
{
	uint8_t *to = ret;

	while (n > 0) {
		const uint8_t *from = NULL;
		size_t have = held(bytes, offset, &from);

		if (have == 0) {
			int r = offset < bytes->size ? window_move(bytes, offset, n)
						     : source_read(bytes, offset, to, n);

			if (r < 0)
				return r;
			continue;
		}
		have = smaller(have, n);
		memcpy(to, from, have);
		to += have;
		offset += have;
		n -= have;
	}
	return 0;
}

const uint8_t *archive_bytes_peek(struct archive_bytes *bytes, uint64_t offset, size_t n,
				  size_t *ret_bytes)
{
	const uint8_t *from = bytes->window;

	if (offset >= bytes->size) {
		*ret_bytes = 0;
		return from;
	}
	n = smaller(bytes->size - offset, n);
	*ret_bytes = held(bytes, offset, &from);
	if (*ret_bytes >= n)
		return from;
	if (window_move(bytes, offset, n) < 0)
		return NULL;
	*ret_bytes = bytes->window_bytes;
	return bytes->window;
}

/* --- once from begin to end */

void archive_bytes_follow(struct archive_bytes *bytes, archive_follow_fn follow, void *context)
{
	archive_bytes_let_go(bytes);
	bytes->window_offset = 0;
	bytes->window_bytes = 0;
	bytes->following = true;
	bytes->follow = follow;
	bytes->context = context;
	if (bytes->fd < 0)
		return;
	/* what was just written is still in memory: a bad stick would not show. Mere advice */
	(void)posix_fadvise(bytes->fd, 0, 0, POSIX_FADV_DONTNEED);
	(void)posix_fadvise(bytes->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
}

int archive_bytes_follow_end(struct archive_bytes *bytes)
{
	return bytes->follow ? window_slide(bytes, bytes->size) : 0;
}
