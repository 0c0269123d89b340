/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the descriptor, a line reader and one event source. A pipe or socket is read when epoll says
 * so; a regular file, which epoll refuses, by a source that is always ready, one buffer a turn, so
 * that the loop stays alive. At the end of the stream the source goes to sleep for good: a pipe
 * whose writers are gone would be ready for ever.
 */
#include "base/cleanup.h"
#include "base/line.h"
#include "base/log.h"
#include "bus/monitor.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

struct bus_tape {
	int fd;
	unsigned long long line; /* number of the line in hand, for the log */
	struct line_reader *reader;
	sd_event_source *source;
	sighting_fn fn;
	void *user;
};

static void play_lines(struct bus_tape *tape)
{
	for (;;) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
		enum sighting_change change;
		struct sighting sighting;
		int r;

		r = line_reader_next(tape->reader, &object);
		if (r == 0)
			return;
		tape->line++;
		if (r > 0)
			r = sighting_from_json(object, &change, &sighting);
		if (r < 0) {
			log_warning("tape: line %llu is skipped: %s", tape->line, strerror(-r));
			continue;
		}
		tape->fn(change, &sighting, tape->user);
	}
}

static void play_some(struct bus_tape *tape)
{
	int r = line_reader_fill(tape->reader, tape->fd);

	if (r > 0) {
		play_lines(tape);
		return;
	}
	if (r == -EAGAIN)
		return;
	if (r < 0)
		log_error("tape: cannot be read on: %s", strerror(-r));
	else if (line_reader_has_rest(tape->reader))
		log_warning("tape: its last line has no end and is skipped");
	(void)sd_event_source_set_enabled(tape->source, SD_EVENT_OFF);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *user)
{
	play_some(user);
	return 0;
}

static int on_turn(sd_event_source *source, void *user)
{
	play_some(user);
	return 0;
}

static int attach(struct bus_tape *tape, sd_event *event)
{
	int r = sd_event_add_io(event, &tape->source, tape->fd, EPOLLIN, on_readable, tape);

	if (r != -EPERM)
		return r;
	r = sd_event_add_defer(event, &tape->source, on_turn, tape);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(tape->source, SD_EVENT_ON);
}

int bus_tape_new(sd_event *event, int fd, sighting_fn fn, void *user, struct bus_tape **ret)
{
	_cleanup_(bus_tape_freep) struct bus_tape *tape = calloc(1, sizeof(*tape));
	int r;

	if (!tape)
		return -ENOMEM;
	tape->fd = -1;
	tape->fn = fn;
	tape->user = user;
	r = line_reader_new(&tape->reader);
	if (r < 0)
		return r;
	tape->fd = fd;
	r = attach(tape, event);
	if (r < 0) {
		tape->fd = -1; /* stays the caller's */
		return r;
	}
	*ret = TAKE(tape);
	return 0;
}

struct bus_tape *bus_tape_free(struct bus_tape *tape)
{
	if (!tape)
		return NULL;
	sd_event_source_disable_unref(tape->source);
	closep(&tape->fd);
	line_reader_free(tape->reader);
	free(tape);
	return NULL;
}
