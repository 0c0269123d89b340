/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A link owns its socket, reader and timers; the child behind it (if any) belongs to the pool.
 *
 *            result · line that is not of the protocol · limit · end of stream · exit of the child
 *   open ──────────────────────────────────────────────────────────────────────────────▶ over
 *
 * Invariants: fd >= 0 exactly while open; end_fn is called once, after everything but the memory
 * was released, and as the last thing, because it may free the link. A line after the result is
 * never read. The end of the stream and the exit of the child come in either order, and a
 * grandchild may hold the stream open: so the exit too ends the link, after what lies in the
 * socket was read.
 *
 * One bad line ends the link: a worker whose lines are damaged cannot be trusted with its result.
 */
#include "service/worker_link.h"
#include "base/cleanup.h"
#include "base/line.h"
#include "base/log.h"
#include "base/text.h"
#include "service/fields.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>

enum {
	WORKER_KIND_BYTES = 32,
	/* Limits are seconds long; waking up together with other timers is worth this delay. */
	TIMER_ACCURACY_US = 20 * 1000,
};

struct worker_link {
	char kind[WORKER_KIND_BYTES];
	int fd;
	struct line_reader *reader;
	sd_event_source *io, *silence, *total;
	unsigned silence_ms, total_ms;
	struct worker_child *child; /* borrowed from the pool; NULL if not forked or ended */
	worker_event_fn event_fn;
	worker_end_fn end_fn;
	void *user;
	bool outlives;
	bool in_event; /* event_fn runs: it may free the link, whose memory must last until then */
	bool freed;
};

/* Releases all but the memory. */
static void link_close(struct worker_link *link, bool cancelled)
{
	link->io = sd_event_source_disable_unref(link->io);
	link->silence = sd_event_source_disable_unref(link->silence);
	link->total = sd_event_source_disable_unref(link->total);
	closep(&link->fd);
	link->fd = -1;
	link->reader = line_reader_free(link->reader);
	if (link->child && link->outlives)
		worker_child_release(TAKE(link->child));
	else if (link->child)
		worker_child_leave(TAKE(link->child), cancelled);
}

struct worker_link *worker_link_free(struct worker_link *link)
{
	if (!link)
		return NULL;
	link_close(link, link->fd >= 0);
	if (link->in_event)
		link->freed = true;
	else
		free(link);
	return NULL;
}

/* The link may be freed when this returns. */
static void link_end(struct worker_link *link, sd_json_variant *result, const struct error *err)
{
	link_close(link, err != NULL);
	link->end_fn(result, err, link->user);
}

static void link_fail(struct worker_link *link, enum error_kind kind, const char *text)
{
	struct error err;

	(void)error_set(&err, kind, "service", 0, "worker %s %s", link->kind, text);
	link_end(link, NULL, &err);
}

/* The error object of a result with "ok":false. */
static void result_error(sd_json_variant *result, struct error *ret)
{
	sd_json_variant *object = field_object(result, "error");
	const char *origin = field_string(object, "origin");
	const char *text = field_string(object, "text");

	(void)error_set(ret, error_kind_from_name(field_string(object, "kind")),
			origin ? origin : "worker", field_integer(object, "code", 0), "%s",
			text ? text : "the worker gave no reason");
	if (ret->kind == ERROR_NONE)
		ret->kind = ERROR_PROTOCOL; /* "none" is no reason for a failure */
}

static void link_take_result(struct worker_link *link, sd_json_variant *result)
{
	struct error err;

	link_close(link, false); /* it is about to end by itself */
	if (field_true(result, "ok")) {
		link_end(link, result, NULL);
		return;
	}
	result_error(result, &err);
	link_end(link, result, &err);
}

/* One line. Returns false when the link is over or freed. */
static bool link_take_line(struct worker_link *link, sd_json_variant *object)
{
	const char *name = field_string(object, "event");

	if (field_unsigned(object, "v", 0) == 1 && field_is(object, "type", "result")) {
		link_take_result(link, object);
		return false;
	}
	if (field_unsigned(object, "v", 0) != 1 || !field_is(object, "type", "event") || !name) {
		link_fail(link, ERROR_PROTOCOL, "wrote a line that is neither event nor result");
		return false;
	}
	if (!link->event_fn)
		return true;
	link->in_event = true;
	link->event_fn(name, object, link->user);
	link->in_event = false;
	if (!link->freed)
		return true;
	free(link);
	return false;
}

/* All whole lines that were read. Returns false when the link is over or freed. */
static bool link_take_lines(struct worker_link *link)
{
	for (;;) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
		int r = line_reader_next(link->reader, &object);

		if (r == 0)
			return true;
		if (r < 0) {
			link_fail(link, ERROR_PROTOCOL,
				  r == -EMSGSIZE ? "wrote a line that is too long"
						 : "wrote a line that is no JSON object");
			return false;
		}
		if (!link_take_line(link, object))
			return false;
	}
}

/* Reads once. Returns 1 if there may be more, 0 if nothing is there now, -EPIPE when the link is
 * over. */
static int link_read(struct worker_link *link)
{
	int r = line_reader_fill(link->reader, link->fd);

	if (r == -EAGAIN)
		return 0;
	if (r <= 0) {
		link_fail(link, ERROR_PROTOCOL,
			  line_reader_has_rest(link->reader) ? "ended in the middle of a line"
							     : "ended without a result");
		return -EPIPE;
	}
	if (link->silence)
		(void)sd_event_source_set_time_relative(link->silence,
							(uint64_t)link->silence_ms * 1000);
	return link_take_lines(link) ? 1 : -EPIPE;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *user)
{
	(void)link_read(user);
	return 0;
}

static int on_silence(sd_event_source *source, uint64_t usec, void *user)
{
	struct worker_link *link = user;
	char text[64];

	snprintf(text, sizeof(text), "said nothing for %u seconds", link->silence_ms / 1000);
	link_fail(link, ERROR_SILENT, text);
	return 0;
}

static int on_total(sd_event_source *source, uint64_t usec, void *user)
{
	struct worker_link *link = user;
	char text[64];

	snprintf(text, sizeof(text), "was not done after %u seconds", link->total_ms / 1000);
	link_fail(link, ERROR_SILENT, text);
	return 0;
}

static void on_child_ended(void *user)
{
	struct worker_link *link = user;
	int r;

	link->child = NULL;
	do
		r = link_read(link);
	while (r > 0);
	if (r == 0)
		link_fail(link, ERROR_PROTOCOL, "ended without a result");
}

static int link_send(struct worker_link *link, sd_json_variant *fields)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	int r;

	r = sd_json_buildo(&line, SD_JSON_BUILD_PAIR_UNSIGNED("v", 1),
			   SD_JSON_BUILD_PAIR_STRING("type", "request"),
			   SD_JSON_BUILD_PAIR_STRING("kind", link->kind));
	if (r >= 0 && fields)
		r = sd_json_variant_merge_object(&line, fields);
	if (r < 0)
		return r;
	/* A fresh socket takes a whole line at once: nothing is waited for. */
	return line_write(link->fd, line, 0);
}

static int link_add_timer(sd_event *event, unsigned limit_ms, sd_event_time_handler_t handler,
			  struct worker_link *link, sd_event_source **ret)
{
	if (limit_ms == 0)
		return 0;
	return sd_event_add_time_relative(event, ret, CLOCK_BOOTTIME, (uint64_t)limit_ms * 1000,
					  TIMER_ACCURACY_US, handler, link);
}

int worker_link_new(struct worker_pool *pool, const struct worker_request *request,
		    struct worker_link **ret, struct error *err)
{
	_cleanup_(worker_link_freep) struct worker_link *link = calloc(1, sizeof(*link));
	sd_event *event = worker_pool_event(pool);
	int r;

	if (!link)
		return error_set_errno(err, ERROR_BUG, "service", ENOMEM, "worker %s",
				       request->kind);
	*link = (struct worker_link){
		.fd = -1,
		.silence_ms = request->silence_ms,
		.total_ms = request->total_ms,
		.outlives = request->outlives,
		.event_fn = request->event_fn,
		.end_fn = request->end_fn,
		.user = request->user,
	};
	text_copy(link->kind, sizeof(link->kind), request->kind);
	r = worker_pool_open(pool, link->kind, on_child_ended, link, &link->fd, &link->child, err);
	if (r < 0)
		return r;
	r = line_reader_new(&link->reader);
	if (r >= 0)
		r = link_send(link, request->fields);
	if (r == -EPIPE || r == -ECONNRESET)
		r = 0; /* it has ended already: what it left to read, or that there is nothing, says
			  so */
	if (r >= 0)
		r = sd_event_add_io(event, &link->io, link->fd, EPOLLIN, on_readable, link);
	if (r >= 0)
		r = link_add_timer(event, link->silence_ms, on_silence, link, &link->silence);
	if (r >= 0)
		r = link_add_timer(event, link->total_ms, on_total, link, &link->total);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "service", -r, "worker %s", link->kind);
	*ret = TAKE(link);
	return 0;
}
