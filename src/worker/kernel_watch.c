/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A watch owns the log's descriptor, the bytes of a tape that are no whole line yet, and the
 * troubles that were read and not told:
 *
 *   /dev/kmsg: a record a read ──┐
 *                                ├──▶ kernel_line_parse() ──▶ table ──▶ "trouble" events
 *   a tape: lines ───────────────┘                            (nothing more to read, the table is
 *                                                              full, or 10 s between two lines)
 *
 * Invariants: "ready" is the first event; the table is empty whenever the watch sleeps; of one port
 * and trouble there is one row. So a bus that floods the log costs a few events, not thousands.
 */
#include "worker/kernel_watch.h"
#include "base/cleanup.h"
#include "worker/kernel_line.h"
#include "worker/reply.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	ROWS_MAX = 32,
	/* lines of one port and trouble that are further apart are told apart, each with its age */
	SAME_MS = 10 * 1000,
	US_PER_MS = 1000,
};

struct row {
	struct kernel_line line; /* the latest */
	unsigned count;
	uint64_t age_ms; /* of the latest, when it was read */
};

struct kernel_watch {
	int fd; /* -1: a tape that is over */
	bool tape;
	bool ready_told;
	bool cut; /* the line in the buffer was too long: what follows of it is skipped */
	size_t used;
	char buffer[KERNEL_RECORD_BYTES]; /* of a tape: what is no whole line yet */
	size_t row_count;
	struct row rows[ROWS_MAX];
};

static void kernel_watch_done(struct kernel_watch *watch)
{
	if (watch->fd >= 0)
		close(watch->fd);
}

/* The clock that the kernel stamps its messages with runs like this one, but for what it loses in
 * suspend. */
static uint64_t log_now_us(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Lines of a tape without a record's head are of another day: they count as new. */
static uint64_t age_of(const struct kernel_head *head)
{
	uint64_t now_us = log_now_us();

	return head->record && head->time_us < now_us ? (now_us - head->time_us) / US_PER_MS : 0;
}

/* --- telling */

static int tell(const char *event, sd_json_variant *fields, int built, struct error *err)
{
	int r = built;

	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build an event");
	r = reply_event(event, fields);
	if (r < 0)
		return error_set_errno(err, ERROR_CANCELLED, "worker", -r, "Nobody listens");
	return 0;
}

static int tell_ready(struct kernel_watch *watch, bool since_boot, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r;

	if (watch->ready_told)
		return 0;
	watch->ready_told = true;
	r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_BOOLEAN("since_boot", since_boot));
	return tell("ready", fields, r, err);
}

static int tell_row(const struct row *row, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("port", row->line.port),
			       SD_JSON_BUILD_PAIR_STRING("trouble", row->line.trouble),
			       SD_JSON_BUILD_PAIR_UNSIGNED("count", row->count),
			       SD_JSON_BUILD_PAIR_UNSIGNED("age_ms", row->age_ms),
			       SD_JSON_BUILD_PAIR_STRING("line", row->line.text));

	return tell("trouble", fields, r, err);
}

static int tell_rows(struct kernel_watch *watch, struct error *err)
{
	for (size_t i = 0; i < watch->row_count; i++) {
		int r = tell_row(&watch->rows[i], err);

		if (r < 0)
			return r;
	}
	watch->row_count = 0;
	return 0;
}

/* --- reading */

static bool same_row(const struct row *row, const struct kernel_line *line)
{
	return strcmp(row->line.port, line->port) == 0 &&
	       strcmp(row->line.trouble, line->trouble) == 0;
}

static int take_line(struct kernel_watch *watch, const char *text, size_t n, struct error *err)
{
	struct kernel_line line;
	uint64_t age_ms;
	size_t i = 0;
	int r;

	if (!kernel_line_parse(text, n, &line))
		return 0;
	age_ms = age_of(&line.head);
	while (i < watch->row_count && !same_row(&watch->rows[i], &line))
		i++;
	/* the rows go out in the order in which they came, so all of them */
	if (i == ROWS_MAX || (i < watch->row_count && watch->rows[i].age_ms > age_ms + SAME_MS)) {
		r = tell_rows(watch, err);
		if (r < 0)
			return r;
		i = 0;
	}
	if (i == watch->row_count)
		watch->rows[watch->row_count++].count = 0;
	watch->rows[i].line = line;
	watch->rows[i].age_ms = age_ms;
	watch->rows[i].count++;
	return 0;
}

/* Whole lines out of the buffer; a line that fills it is cut. */
static int take_tape(struct kernel_watch *watch, struct error *err)
{
	size_t done = 0;
	char *end;
	int r = 0;

	while (r == 0 && (end = memchr(watch->buffer + done, '\n', watch->used - done))) {
		size_t n = (size_t)(end - watch->buffer) - done;

		if (!watch->cut)
			r = take_line(watch, watch->buffer + done, n, err);
		watch->cut = false;
		done += n + 1;
	}
	watch->used -= done;
	memmove(watch->buffer, watch->buffer + done, watch->used);
	if (r == 0 && watch->used == sizeof(watch->buffer)) {
		if (!watch->cut)
			r = take_line(watch, watch->buffer, watch->used, err);
		watch->cut = true;
		watch->used = 0;
	}
	return r;
}

/* Reads once: 1 if something came, 0 if there is nothing now, or a negative errno with err set. */
static int read_tape(struct kernel_watch *watch, struct error *err)
{
	ssize_t n =
	    read(watch->fd, watch->buffer + watch->used, sizeof(watch->buffer) - watch->used);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return error_set_errno(err, ERROR_REFUSED, "kernel", errno,
				       "Cannot read the kernel's messages from the tape");
	if (n == 0) { /* a regular file, at its end */
		r = watch->cut ? 0 : take_line(watch, watch->buffer, watch->used, err);
		close(watch->fd);
		watch->fd = -1;
		return r;
	}
	watch->used += (size_t)n;
	r = take_tape(watch, err);
	return r < 0 ? r : 1;
}

static int read_record(struct kernel_watch *watch, struct error *err)
{
	char record[KERNEL_RECORD_BYTES];
	ssize_t n = read(watch->fd, record, sizeof(record));
	struct kernel_head head;
	int r;

	if (n < 0) {
		switch (errno) {
		case EAGAIN:
			return 0;
		case EINTR:
		case EPIPE:  /* overwritten before we came: the next read goes on behind the gap */
		case EINVAL: /* a record that is longer than any may be is passed over */
			return 1;
		default:
			return error_set_errno(err, ERROR_REFUSED, "kernel", errno,
					       "Cannot read the kernel's messages");
		}
	}
	if (n == 0)
		return 0;
	kernel_head_parse(record, (size_t)n, &head);
	r = tell_ready(watch, head.record && head.number == 0, err);
	if (r == 0)
		r = take_line(watch, record, (size_t)n, err);
	return r < 0 ? r : 1;
}

static int read_all(struct kernel_watch *watch, struct error *err)
{
	int r = 1;

	while (r > 0 && watch->fd >= 0)
		r = watch->tape ? read_tape(watch, err) : read_record(watch, err);
	return r;
}

/* --- the log */

static int open_log(struct kernel_watch *watch, struct error *err)
{
	const char *tape = getenv("IDEVICERESCUE_KMSG"), *path = tape ? tape : "/dev/kmsg";
	struct stat st;

	watch->tape = tape != NULL;
	/* a FIFO that we could write to ourselves does not end with its first writer */
	if (tape && stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
		watch->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	else
		watch->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (watch->fd < 0)
		return error_set_errno(err, ERROR_REFUSED, "kernel", errno,
				       "Cannot read the kernel's messages");
	return 0;
}

static int watch_once(struct kernel_watch *watch, struct error *err)
{
	struct pollfd fd = { .events = POLLIN };
	int r = read_all(watch, err);

	if (r == 0) /* also when the log is still empty */
		r = tell_ready(watch, true, err);
	if (r == 0)
		r = tell_rows(watch, err);
	if (r < 0)
		return r;
	fd.fd = watch->fd; /* a tape that is over: only the end of the connection ends us */
	if (poll(&fd, 1, -1) < 0 && errno != EINTR)
		return error_set_errno(err, ERROR_BUG, "kernel", errno, "Cannot wait");
	return 0;
}

int kernel_watch_run(struct error *err)
{
	_cleanup_free_ struct kernel_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot watch");
	watch->fd = -1;
	r = open_log(watch, err);
	/* a tape was not overwritten by anybody */
	if (r == 0 && watch->tape)
		r = tell_ready(watch, true, err);
	while (r >= 0)
		r = watch_once(watch, err);
	kernel_watch_done(watch);
	return r;
}
