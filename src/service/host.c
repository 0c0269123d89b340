/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns at most one worker that looks and one that moves, who waits for them, and the consents.
 *
 *            host_look()            end of host-look
 *   idle ──────────────▶ looking ─────────────────────▶ idle, all waiters told
 *            host_move(): consent used up          end of host-reset
 *   idle ──────────────────────────────▶ moving ────────────────────▶ idle, its waiter told
 *
 * Invariants: only one of both runs, so that what is looked at is not being changed; a waiter is
 * told once or forgotten. What a worker says is copied field by field, never passed through.
 */
#include "service/host.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bus/serial.h"
#include "doctor/computer.h"
#include "facts/facts.h"
#include "service/fields.h"
#include "service/host_view.h"
#include "service/worker_link.h"
#include <errno.h>
#include <string.h>

struct waiter {
	struct waiter *next;
	host_answer_fn fn;
	void *user;
};

struct host {
	struct host_options options;
	struct move_consents *consents;
	struct worker_link *link; /* the worker that runs, NULL none */
	bool moving;              /* it is host-reset */
	struct waiter *waiters;
	struct host_view view;     /* what the worker has told so far */
	sd_json_variant *moved;    /* files that have moved so far */
	char folder[256];          /* name of the new folder they are in; "" none yet */
	enum computer_cause cause; /* why the worker refused */
};

/* --- waiters --------------------------------------------------------------------------------- */

static int waiter_add(struct host *host, host_answer_fn fn, void *user)
{
	struct waiter *waiter = malloc(sizeof(*waiter));

	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){ .next = host->waiters, .fn = fn, .user = user };
	host->waiters = waiter;
	return 0;
}

void host_forget(struct host *host, const void *user)
{
	struct waiter **at = &host->waiters;

	while (*at) {
		struct waiter *waiter = *at;

		if (waiter->user != user) {
			at = &waiter->next;
			continue;
		}
		*at = waiter->next;
		free(waiter);
	}
}

/* Takes the next one off the list; NULL if there is none. */
static struct waiter *waiter_take(struct host *host)
{
	struct waiter *waiter = host->waiters;

	if (waiter)
		host->waiters = waiter->next;
	return waiter;
}

static void tell_failure(struct host *host, const struct error *err, const char *next)
{
	struct waiter *waiter;

	while ((waiter = waiter_take(host))) {
		waiter->fn(NULL, err, next, waiter->user);
		free(waiter);
	}
}

/* What ran is over. */
static void run_clear(struct host *host)
{
	host->link = worker_link_free(host->link);
	host_view_clear(&host->view);
	sd_json_variant_unref(host->moved);
	host->moved = NULL;
	host->folder[0] = '\0';
	host->cause = COMPUTER_NONE;
	host->moving = false;
}

/* --- looking --------------------------------------------------------------------------------- */

static void on_look_event(const char *name, sd_json_variant *event, void *user)
{
	struct host *host = user;
	int r = 0;

	if (strcmp(name, "volume") == 0)
		r = host_view_volume(&host->view, event);
	else if (strcmp(name, "record") == 0)
		r = host_view_record(&host->view, event, host->options.fleet);
	if (r < 0)
		log_warning("a line of worker host-look is passed over: %s", strerror(-r));
}

static void on_look_end(sd_json_variant *result, const struct error *err, void *user)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *computer = NULL;
	struct host *host = user;
	struct waiter *waiter;
	struct error failure;
	int r = 0;

	if (err) {
		failure = *err;
		run_clear(host);
		tell_failure(host, &failure, NULL);
		return;
	}
	r = host_view_build(&host->view, result, host->options.fleet, host->consents, &computer);
	run_clear(host);
	if (r < 0) {
		(void)error_set_errno(&failure, ERROR_BUG, "service", -r, "what was seen");
		tell_failure(host, &failure, NULL);
		return;
	}
	while ((waiter = waiter_take(host))) {
		waiter->fn(computer, NULL, NULL, waiter->user);
		free(waiter);
	}
}

static int look_start(struct host *host, struct error *err)
{
	const struct worker_request request = {
		.kind = "host-look",
		.total_ms = timing_ms(TIMING_HOST_LOOK),
		.event_fn = on_look_event,
		.end_fn = on_look_end,
		.user = host,
	};

	if (!host->options.pool)
		return error_set(err, ERROR_UNSUPPORTED, "service", 0,
				 "a tape is played: this computer's disks are not looked at");
	return worker_link_new(host->options.pool, &request, &host->link, err);
}

void host_look(struct host *host, host_answer_fn fn, void *user)
{
	struct error err;
	int r = 0;

	if (host->moving)
		r = error_set(&err, ERROR_BUSY, "service", 0, "records are being moved just now");
	else if (!host->link)
		r = look_start(host, &err);
	if (r >= 0 && waiter_add(host, fn, user) < 0)
		r = error_set_errno(&err, ERROR_BUG, "service", ENOMEM, "look");
	if (r < 0)
		fn(NULL, &err, NULL, user);
}

/* --- moving ---------------------------------------------------------------------------------- */

static void on_move_event(const char *name, sd_json_variant *event, void *user)
{
	struct host *host = user;
	const char *file = field_string(event, "file");

	if (strcmp(name, "refused") == 0) {
		enum computer_cause cause = computer_cause_from_name(field_string(event, "cause"));

		host->cause = cause == COMPUTER_CAUSE_MAX ? COMPUTER_NONE : cause;
	}
	if (strcmp(name, "moved") != 0 || !file)
		return;
	text_copy(host->folder, sizeof(host->folder), field_string(event, "folder"));
	if (sd_json_variant_append_arrayb(&host->moved, SD_JSON_BUILD_STRING(file)) < 0)
		log_error("no memory to remember what was moved");
}

/* Why it was not done, in words for people; returns what to do about it. */
static const char *move_failure(const struct host *host, const struct error *err, struct error *ret)
{
	size_t moved = sd_json_variant_elements(host->moved);

	*ret = *err;
	if (moved > 0)
		(void)error_set(ret, err->kind, err->origin, err->code,
				"%.120s; %zu of them had been moved into %.80s", err->text, moved,
				host->folder);
	if (host->cause == COMPUTER_NONE)
		return message_find("computer-next-look")->text;
	text_copy(ret->text, sizeof(ret->text), computer_reason(host->cause));
	return computer_remedy(host->cause);
}

static void on_move_end(sd_json_variant *result, const struct error *err, void *user)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *moved = NULL;
	struct host *host = user;
	struct error bad, failure;
	struct waiter *waiter;
	const char *next;

	if (!err && host_view_moved(result, &moved) < 0) {
		(void)error_set(&bad, ERROR_PROTOCOL, "service", 0,
				"worker host-reset answered with something that is not allowed");
		err = &bad;
	}
	if (err) {
		next = move_failure(host, err, &failure);
		run_clear(host);
		tell_failure(host, &failure, next);
		return;
	}
	run_clear(host);
	waiter = waiter_take(host);
	if (waiter)
		waiter->fn(moved, NULL, NULL, waiter->user);
	free(waiter);
}

static int move_start(struct host *host, const struct host_move *move, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *volume = NULL, *fields = NULL;
	struct worker_request request = {
		.kind = "host-reset",
		.total_ms = timing_ms(TIMING_HOST_MOVE),
		.outlives = true,
		.event_fn = on_move_event,
		.end_fn = on_move_end,
		.user = host,
	};
	int r;

	if (!host->options.pool)
		return error_set(err, ERROR_UNSUPPORTED, "service", 0,
				 "a tape is played: this computer's disks are not touched");
	r = move_consent_use(host->consents, move->consent, move->volume, clock_now_ms(), &volume,
			     err);
	if (r < 0)
		return r;
	r = host_view_request(volume, move->records, &fields, err);
	if (r < 0)
		return r;
	request.fields = fields;
	r = worker_link_new(host->options.pool, &request, &host->link, err);
	if (r >= 0)
		log_notice("records of %s are moved aside", move->volume);
	return r;
}

void host_move(struct host *host, const struct host_move *move, host_answer_fn fn, void *user)
{
	struct error err;
	int r;

	if (host->link)
		r = error_set(&err, ERROR_BUSY, "service", 0,
			      "this computer's disks are being looked at just now");
	else
		r = waiter_add(host, fn, user) < 0
			? error_set_errno(&err, ERROR_BUG, "service", ENOMEM, "move")
			: 0;
	if (r >= 0) {
		r = move_start(host, move, &err);
		if (r < 0)
			host_forget(host, user);
	}
	if (r < 0)
		fn(NULL, &err,
		   err.kind == ERROR_BUSY ? message_find("computer-next-busy")->text
					  : message_find("computer-next-look")->text,
		   user);
	else
		host->moving = true;
}

/* --- the host -------------------------------------------------------------------------------- */

int host_new(const struct host_options *options, struct host **ret)
{
	_cleanup_(host_freep) struct host *host = calloc(1, sizeof(*host));
	int r;

	if (!host)
		return -ENOMEM;
	host->options = *options;
	r = move_consents_new(&host->consents);
	if (r < 0)
		return r;
	*ret = TAKE(host);
	return 0;
}

struct host *host_free(struct host *host)
{
	if (!host)
		return NULL;
	run_clear(host);
	for (struct waiter *waiter; (waiter = waiter_take(host));)
		free(waiter);
	move_consents_free(host->consents);
	free(host);
	return NULL;
}
