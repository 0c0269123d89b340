/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/journal.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/line.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int format_line(sd_json_variant *line, char **ret, size_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r;

	r = sd_json_variant_format(line, SD_JSON_FORMAT_NEWLINE, &text);
	if (r < 0)
		return r;
	size = strlen(text);
	if (size > LINE_BYTES_MAX)
		return -EMSGSIZE;
	*ret = TAKE(text);
	*ret_size = size;
	return 0;
}

int journal_create(int folder_fd, sd_json_variant *first, struct journal *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int fd, r;

	r = format_line(first, &text, &size);
	if (r < 0)
		return r;
	r = file_write_whole(folder_fd, JOURNAL_NAME, text, size);
	if (r < 0)
		return r;
	fd = openat(folder_fd, JOURNAL_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	*ret = (struct journal){ .fd = fd, .end = size };
	return 0;
}

/*
 * One line of `size` bytes at `text`, its newline replaced by a NUL. Returns 0, or -EBADMSG for one
 * that is no object.
 */
static int parse_line(const char *text, size_t size, sd_json_variant **ret)
{
	if (size >= LINE_BYTES_MAX || memchr(text, '\0', size))
		return -EBADMSG;
	if (sd_json_parse(text, SD_JSON_PARSE_MUST_BE_OBJECT, ret, NULL, NULL) < 0)
		return -EBADMSG;
	return 0;
}

/*
 * Hands out the lines of the n bytes; *ret_end is where the last good one ends. After a power cut a
 * last line may be there in length but not in content: it is dropped like one that was cut off.
 */
static int read_lines(char *bytes, size_t n, journal_line_fn fn, void *user, size_t *ret_end)
{
	size_t at = 0;

	while (at < n) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
		char *newline = memchr(bytes + at, '\n', n - at);
		size_t next;
		int r;

		if (!newline)
			break;
		next = (size_t)(newline - bytes) + 1;
		*newline = '\0';
		r = parse_line(bytes + at, next - 1 - at, &line);
		if (r < 0 && next == n)
			break;
		if (r >= 0)
			r = fn(line, user);
		if (r < 0)
			return r;
		at = next;
	}
	*ret_end = at;
	return at == 0 ? -EBADMSG : 0;
}

int journal_open(int folder_fd, journal_line_fn fn, void *user, struct journal *ret)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *bytes = NULL;
	size_t n, end;
	int r;

	fd = openat(folder_fd, JOURNAL_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && (errno == EROFS || errno == EACCES))
		fd = openat(folder_fd, JOURNAL_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	r = file_read_whole(fd, JOURNAL_BYTES_MAX, &bytes, &n);
	if (r < 0)
		return r;
	r = read_lines(bytes, n, fn, user, &end);
	if (r < 0)
		return r;
	*ret = (struct journal){ .fd = TAKE_FD(fd), .end = end, .rest = end < n };
	return 0;
}

int journal_append(struct journal *journal, sd_json_variant *line)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r;

	r = format_line(line, &text, &size);
	if (r < 0)
		return r;
	if (journal->end + size > JOURNAL_BYTES_MAX)
		return -EFBIG;
	if (journal->rest && ftruncate(journal->fd, (off_t)journal->end) < 0)
		return -errno;
	journal->rest = true;
	r = file_write_at(journal->fd, text, size, journal->end);
	if (r >= 0 && fdatasync(journal->fd) < 0)
		r = -errno;
	if (r < 0) {
		if (ftruncate(journal->fd, (off_t)journal->end) == 0)
			journal->rest = false;
		return r;
	}
	journal->rest = false;
	journal->end += size;
	return 0;
}

void journal_close(struct journal *journal)
{
	closep(&journal->fd);
	journal->fd = -1;
}
