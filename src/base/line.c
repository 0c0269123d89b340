/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A reader owns one buffer of LINE_BYTES_MAX:
 *
 *   buffer   | taken | whole lines …\n … | unfinished |  free  |
 *            0     start                             end     LINE_BYTES_MAX
 *
 * Invariants: start <= end; bytes before start were handed out. While `skipping`, the rest of a
 * line that was too long is being thrown away up to its newline.
 */
#include "base/line.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

struct line_reader {
	size_t start, end;
	bool skipping;
	char buffer[LINE_BYTES_MAX + 1]; /* one more for the NUL that sd-json wants */
};

int line_reader_new(struct line_reader **ret)
{
	struct line_reader *reader = malloc(sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	reader->start = reader->end = 0;
	reader->skipping = false;
	*ret = reader;
	return 0;
}

struct line_reader *line_reader_free(struct line_reader *reader)
{
	free(reader);
	return NULL;
}

int line_reader_fill(struct line_reader *reader, int fd)
{
	ssize_t n;

	if (reader->start > 0) {
		memmove(reader->buffer, reader->buffer + reader->start,
			reader->end - reader->start);
		reader->end -= reader->start;
		reader->start = 0;
	}
	if (reader->end == LINE_BYTES_MAX)
		return -ENOBUFS; /* the caller did not take what is there */
	do
		n = read(fd, reader->buffer + reader->end, LINE_BYTES_MAX - reader->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	reader->end += (size_t)n;
	return (int)n;
}

/* Parses the n bytes of one line, its newline already replaced by a NUL. */
static int line_parse(const char *line, size_t n, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

	if (memchr(line, '\0', n))
		return -EBADMSG; /* sd-json would silently stop there */
	if (sd_json_parse(line, SD_JSON_PARSE_MUST_BE_OBJECT, &object, NULL, NULL) < 0)
		return -EBADMSG;
	*ret = TAKE(object);
	return 1;
}

int line_reader_next(struct line_reader *reader, sd_json_variant **ret)
{
	for (;;) {
		char *line = reader->buffer + reader->start;
		size_t left = reader->end - reader->start;
		char *newline = memchr(line, '\n', left);

		if (!newline) {
			if (left < LINE_BYTES_MAX)
				return 0;
			/* full without a newline: the line is over the ceiling */
			reader->start = reader->end = 0;
			if (reader->skipping)
				return 0;
			reader->skipping = true;
			return -EMSGSIZE;
		}
		reader->start += (size_t)(newline - line) + 1;
		if (reader->skipping) {
			reader->skipping = false;
			continue;
		}
		*newline = '\0';
		return line_parse(line, (size_t)(newline - line), ret);
	}
}

bool line_reader_has_rest(const struct line_reader *reader)
{
	return reader->end > reader->start || reader->skipping;
}

/* Waits until fd takes bytes again; 0, -ETIMEDOUT or a negative errno. */
static int wait_writable(int fd, uint64_t deadline_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	uint64_t now = clock_now_ms();
	int r;

	if (now >= deadline_ms)
		return -ETIMEDOUT;
	r = poll(&poll_fd, 1, (int)(deadline_ms - now));
	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	return r == 0 ? -ETIMEDOUT : 0;
}

/*
 * Writes what fd takes now, whether or not it is in blocking mode: a worker's standard output is.
 * On a pipe that is at most PIPE_BUF bytes after a poll. -1 with EAGAIN: wait.
 */
static ssize_t write_now(int fd, const char *bytes, size_t n)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	ssize_t written = send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (written >= 0 || errno != ENOTSOCK)
		return written;
	if (poll(&poll_fd, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(fd, bytes, n < PIPE_BUF ? n : PIPE_BUF);
}

int line_write(int fd, sd_json_variant *object, int timeout_ms)
{
	_cleanup_free_ char *text = NULL;
	uint64_t deadline_ms = clock_now_ms() + (uint64_t)timeout_ms;
	size_t done = 0, size;
	int r;

	r = sd_json_variant_format(object, SD_JSON_FORMAT_NEWLINE, &text);
	if (r < 0)
		return r;
	size = strlen(text);
	if (size > LINE_BYTES_MAX)
		return -EMSGSIZE;
	while (done < size) {
		ssize_t n = write_now(fd, text + done, size - done);

		if (n >= 0) {
			done += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		r = wait_writable(fd, deadline_ms);
		if (r < 0)
			return r;
	}
	return 0;
}
