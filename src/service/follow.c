/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the open file, its inotify watch and one timer.
 *
 *              modified, closed, timer: read on          result line
 *   following ──────────────────────────────▶ following ─────────────▶ over
 *        └── the writer's lock is free, twice, GONE_CHECK_MS apart ──────▲
 *
 * A regular file cannot be polled, so inotify tells when to read. The writer holds flock() on the
 * file while it lives: who can take the lock knows that nothing more comes. It is looked at twice,
 * because between making the file and locking it the writer lives too.
 */
#include "service/follow.h"
#include "base/line.h"
#include "base/log.h"
#include "service/fields.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>

enum { GONE_CHECK_MS = 1000 };

struct follow {
	int fd;
	struct line_reader *reader;
	sd_event_source *watch, *timer;
	bool gone; /* the lock was free when last looked at */
	follow_event_fn event_fn;
	follow_end_fn end_fn;
	void *user;
};

static void follow_end(struct follow *follow, sd_json_variant *result)
{
	follow->watch = sd_event_source_disable_unref(follow->watch);
	follow->timer = sd_event_source_disable_unref(follow->timer);
	follow->end_fn(result, follow->user);
}

/* Returns false when it is over (and perhaps freed). */
static bool take_line(struct follow *follow, sd_json_variant *object)
{
	const char *name = field_string(object, "event");

	if (field_is(object, "type", "result")) {
		follow_end(follow, object);
		return false;
	}
	if (field_is(object, "type", "event") && name)
		follow->event_fn(name, object, follow->user);
	else
		log_warning("a line of the engine's file is neither event nor result: skipped");
	return true;
}

/* All that is there. Returns false when it is over (and perhaps freed). */
static bool read_on(struct follow *follow)
{
	for (;;) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
		int r = line_reader_next(follow->reader, &object);

		if (r > 0 && !take_line(follow, object))
			return false;
		if (r < 0)
			log_warning("a line of the engine's file cannot be read: %s", strerror(-r));
		if (r != 0)
			continue;
		r = line_reader_fill(follow->reader, follow->fd);
		if (r < 0)
			log_warning("the engine's file cannot be read: %s", strerror(-r));
		if (r <= 0)
			return true;
	}
}

static bool writer_is_gone(const struct follow *follow)
{
	if (flock(follow->fd, LOCK_SH | LOCK_NB) < 0)
		return false;
	(void)flock(follow->fd, LOCK_UN);
	return true;
}

static void look_later(struct follow *follow)
{
	int r = sd_event_source_set_time_relative(follow->timer, (uint64_t)GONE_CHECK_MS * 1000);

	if (r >= 0)
		r = sd_event_source_set_enabled(follow->timer, SD_EVENT_ONESHOT);
	if (r < 0)
		log_error("the engine's file is not looked at again: %s", strerror(-r));
}

/* What was written before the lock became free is read after that. */
static void look(struct follow *follow)
{
	bool gone = writer_is_gone(follow);

	if (!read_on(follow) || !gone) {
		return;
	}
	if (follow->gone) {
		follow_end(follow, NULL);
		return;
	}
	follow->gone = true;
	look_later(follow);
}

static int on_change(sd_event_source *source, const struct inotify_event *event, void *user)
{
	struct follow *follow = user;

	if (event->mask & (IN_CLOSE_WRITE | IN_Q_OVERFLOW))
		look(follow);
	else
		(void)read_on(follow);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *user)
{
	look(user);
	return 0;
}

int follow_new(sd_event *event, const char *path, follow_event_fn event_fn, follow_end_fn end_fn,
	       void *user, struct follow **ret)
{
	_cleanup_(follow_freep) struct follow *follow = calloc(1, sizeof(*follow));
	int r;

	if (!follow)
		return -ENOMEM;
	*follow = (struct follow){ .event_fn = event_fn, .end_fn = end_fn, .user = user };
	follow->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (follow->fd < 0)
		return -errno;
	r = line_reader_new(&follow->reader);
	if (r >= 0) /* before the first read, so that nothing falls between */
		r = sd_event_add_inotify(event, &follow->watch, path, IN_MODIFY | IN_CLOSE_WRITE,
					 on_change, follow);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &follow->timer, CLOCK_BOOTTIME, 0, 1,
					       on_timer, follow);
	if (r < 0)
		return r;
	*ret = TAKE(follow);
	return 0;
}

struct follow *follow_free(struct follow *follow)
{
	if (!follow)
		return NULL;
	sd_event_source_disable_unref(follow->watch);
	sd_event_source_disable_unref(follow->timer);
	line_reader_free(follow->reader);
	closep(&follow->fd);
	free(follow);
	return NULL;
}
