/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A watch owns the watched directory of usbmuxd's socket, the connection if there is one, the table
 * of the phones that it has told of, and while up a second connection now and then, its probe:
 *
 *          the socket appears, or a retry is due: connect
 *      ┌──────────┐ ───────────────────────────────▶ ┌────────┐
 *      │  away    │                                  │ asking │ no answer: the watch ends
 *      └──────────┘ ◀─────────────────────────────── └────────┘
 *          ▲   usbmuxd ended                              │ Result 0: mux-up
 *          │                                              ▼
 *          │  usbmuxd ended: detached …, mux-down    ┌────────┐ attached, detached
 *          └──────────────────────────────────────── │   up   │ ─┐
 *                                                    └────────┘ ◀┘ no answer: the watch ends
 *
 * Invariants: client is there exactly while asking or up; a phone is in the table exactly while its
 * attached was told and its detached was not; mux-up and mux-down alternate.
 *
 * A socket that is not there is not polled for: its directory says when it appears. One that is
 * there but refuses (bound, not yet listening; left behind by a usbmuxd that was killed) is tried
 * again, ever more slowly, for as long as it does.
 *
 * A usbmuxd that hangs tells its listeners nothing, and stays connected: it has been seen to wait
 * for ever for a phone's last transfer when the cable was pulled in the middle of one, and takes
 * nobody in meanwhile (usbmuxd issue 114). So a new connection is tried every few seconds while up.
 */
#include "worker/mux_watch.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/mux_client.h"
#include "worker/mux_place.h"
#include "worker/reply.h"
#include <errno.h>
#include <poll.h>

enum {
	PHONES_MAX = 64,
	RETRY_FIRST_MS = 20,
	RETRY_LAST_MS = 2560,
	PROBE_EVERY_MS = 10000,
	PROBE_ANSWER_MS = 10000, /* one that is busy answers late, and does not hang */
};

static const uint64_t NEVER = UINT64_MAX;

enum told { TOLD_NOTHING, TOLD_UP, TOLD_DOWN };

struct mux_watch {
	const char *path; /* of the socket; borrowed */
	struct mux_place place;
	struct mux_client *client;
	struct mux_client *probe; /* NULL: none on its way */
	enum told told;
	uint64_t answer_due_ms; /* while asking, else NEVER */
	uint64_t retry_due_ms;  /* while away and a retry is due, else NEVER */
	uint64_t probe_due_ms;  /* of the next one, or of its answer; NEVER unless up */
	uint64_t up_since_ms;
	unsigned retry_ms; /* the next pause */
	size_t phone_count;
	struct mux_phone phones[PHONES_MAX];
};

static void mux_watch_done(struct mux_watch *watch)
{
	mux_place_done(&watch->place);
	mux_client_free(watch->client);
	mux_client_free(watch->probe);
}

static int silent(struct error *err)
{
	return error_set(err, ERROR_SILENT, "usbmuxd", 0, "usbmuxd does not answer");
}

static int tell(const char *event, sd_json_variant *fields, struct error *err)
{
	int r = reply_event(event, fields);

	if (r < 0)
		return error_set_errno(err, ERROR_CANCELLED, "worker", -r, "Nobody listens");
	return 0;
}

static int tell_phone(const char *event, const struct mux_phone *phone, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	const char *connection = phone->connection == MUX_NETWORK ? "network" : "usb";
	int r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("udid", phone->udid),
			       SD_JSON_BUILD_PAIR_UNSIGNED("mux_id", phone->mux_id),
			       SD_JSON_BUILD_PAIR_UNSIGNED("location", phone->location),
			       SD_JSON_BUILD_PAIR_UNSIGNED("product_id", phone->product_id),
			       SD_JSON_BUILD_PAIR_STRING("connection", connection));

	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build an event");
	return tell(event, fields, err);
}

static int tell_down(struct mux_watch *watch, struct error *err)
{
	if (watch->told == TOLD_DOWN)
		return 0;
	watch->told = TOLD_DOWN;
	return tell("mux-down", NULL, err);
}

/* --- phones */

static int phone_detached(struct mux_watch *watch, uint32_t mux_id, struct error *err)
{
	for (size_t i = 0; i < watch->phone_count; i++) {
		struct mux_phone gone = watch->phones[i];

		if (gone.mux_id != mux_id)
			continue;
		watch->phones[i] = watch->phones[--watch->phone_count];
		return tell_phone("detached", &gone, err);
	}
	return 0; /* never told of: it had no UDID */
}

static int phone_attached(struct mux_watch *watch, const struct mux_phone *phone, struct error *err)
{
	/* the same number twice would leave a phone that never goes */
	int r = phone_detached(watch, phone->mux_id, err);

	if (r < 0)
		return r;
	if (watch->phone_count == PHONES_MAX) {
		log_warning("usbmuxd has more than %d phones; %s is left out", PHONES_MAX,
			    phone->udid);
		return 0;
	}
	watch->phones[watch->phone_count++] = *phone;
	return tell_phone("attached", phone, err);
}

static int phone_paired(const struct mux_watch *watch, uint32_t mux_id, struct error *err)
{
	for (size_t i = 0; i < watch->phone_count; i++)
		if (watch->phones[i].mux_id == mux_id)
			return tell_phone("paired", &watch->phones[i], err);
	return 0;
}

/* --- the connection */

static void retry_later(struct mux_watch *watch)
{
	watch->retry_due_ms = clock_now_ms() + watch->retry_ms;
	if (watch->retry_ms < RETRY_LAST_MS)
		watch->retry_ms *= 2;
}

static int mux_lost(struct mux_watch *watch, struct error *err)
{
	uint64_t up_ms = watch->told == TOLD_UP ? clock_now_ms() - watch->up_since_ms : 0;

	watch->client = mux_client_free(watch->client);
	watch->probe = mux_client_free(watch->probe);
	watch->answer_due_ms = NEVER;
	watch->probe_due_ms = NEVER;
	while (watch->phone_count > 0) {
		int r = phone_detached(watch, watch->phones[0].mux_id, err);

		if (r < 0)
			return r;
	}
	/* one that keeps ending is not asked in a tight loop */
	if (up_ms > RETRY_LAST_MS)
		watch->retry_ms = RETRY_FIRST_MS;
	retry_later(watch);
	return tell_down(watch, err);
}

static int mux_connect(struct mux_watch *watch, struct error *err)
{
	int r;

	watch->retry_due_ms = NEVER;
	r = mux_client_new(watch->path, MUX_ANSWER_MS, &watch->client);
	switch (-r) {
	case 0:
		watch->answer_due_ms = clock_now_ms() + MUX_ANSWER_MS;
		return 0;
	case EAGAIN: /* it is there, and lets nobody in */
		return silent(err);
	case ENOENT: /* the directory will say when it appears */
		return tell_down(watch, err);
	case ECONNREFUSED:
	case EACCES:
	case EPIPE:
	case ECONNRESET:
		retry_later(watch);
		return tell_down(watch, err);
	default:
		return error_set_errno(err, ERROR_NO_SERVICE, "kernel", -r,
				       "Cannot connect to usbmuxd");
	}
}

static int result_handle(struct mux_watch *watch, uint32_t number, struct error *err)
{
	if (watch->answer_due_ms == NEVER || number != 0)
		return error_set(err, ERROR_PROTOCOL, "usbmuxd", number,
				 "usbmuxd refuses to tell of its phones");
	watch->answer_due_ms = NEVER;
	watch->told = TOLD_UP;
	watch->up_since_ms = clock_now_ms();
	watch->probe_due_ms = watch->up_since_ms + PROBE_EVERY_MS;
	return tell("mux-up", NULL, err);
}

static int message_handle(struct mux_watch *watch, const struct mux_message *message,
			  struct error *err)
{
	if (message->type == MUX_RESULT)
		return result_handle(watch, message->number, err);
	if (watch->told != TOLD_UP)
		return error_set(err, ERROR_PROTOCOL, "usbmuxd", 0,
				 "usbmuxd tells of phones before it answered");
	switch (message->type) {
	case MUX_ATTACHED:
		return phone_attached(watch, &message->phone, err);
	case MUX_DETACHED:
		return phone_detached(watch, message->mux_id, err);
	case MUX_PAIRED:
		return phone_paired(watch, message->mux_id, err);
	case MUX_RESULT:
	case MUX_OTHER:
		break;
	}
	return 0;
}

static int mux_read(struct mux_watch *watch, struct error *err)
{
	struct mux_message message;
	int r = mux_client_fill(watch->client);

	if (r == -EAGAIN)
		return 0;
	if (r <= 0)
		return mux_lost(watch, err);
	while ((r = mux_client_next(watch->client, &message)) > 0) {
		r = message_handle(watch, &message, err);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return error_set(err, ERROR_PROTOCOL, "usbmuxd", 0,
				 "usbmuxd sent something that is no message");
	return 0;
}

/* --- does it still take anybody in? */

static int probe_begin(struct mux_watch *watch, struct error *err)
{
	int r = mux_client_new(watch->path, MUX_ANSWER_MS, &watch->probe);

	if (r == -EAGAIN)
		return silent(err);
	/* of a socket that is gone the end of the other connection tells */
	watch->probe_due_ms = clock_now_ms() + (r < 0 ? PROBE_EVERY_MS : PROBE_ANSWER_MS);
	return 0;
}

static int probe_due(struct mux_watch *watch, struct error *err)
{
	return watch->probe ? silent(err) : probe_begin(watch, err);
}

static void probe_read(struct mux_watch *watch)
{
	struct mux_message message;
	int r = mux_client_fill(watch->probe);

	if (r == -EAGAIN || (r > 0 && mux_client_next(watch->probe, &message) == 0))
		return;
	/* whatever it said, it lives */
	watch->probe = mux_client_free(watch->probe);
	watch->probe_due_ms = clock_now_ms() + PROBE_EVERY_MS;
}

/* --- the directory */

static int directory_read(struct mux_watch *watch, struct error *err)
{
	int r = mux_place_read(&watch->place, err);

	if (r <= 0 || watch->client)
		return r < 0 ? r : 0;
	watch->retry_ms = RETRY_FIRST_MS;
	return mux_connect(watch, err);
}

/* --- the loop */

static int poll_timeout(const struct mux_watch *watch)
{
	uint64_t due =
	    watch->answer_due_ms < watch->retry_due_ms ? watch->answer_due_ms : watch->retry_due_ms;
	uint64_t now = clock_now_ms();

	if (watch->probe_due_ms < due)
		due = watch->probe_due_ms;
	if (due == NEVER)
		return -1;
	return due > now ? (int)(due - now) : 0;
}

static int watch_once(struct mux_watch *watch, struct error *err)
{
	struct pollfd fds[] = {
		{ .fd = watch->place.inotify_fd, .events = POLLIN },
		{ .fd = watch->client ? mux_client_fd(watch->client) : -1, .events = POLLIN },
		{ .fd = watch->probe ? mux_client_fd(watch->probe) : -1, .events = POLLIN },
	};
	int r = poll(fds, ARRAY_LEN(fds), poll_timeout(watch));
	uint64_t now = clock_now_ms();

	if (r < 0)
		return errno == EINTR
			   ? 0
			   : error_set_errno(err, ERROR_BUG, "kernel", errno, "Cannot wait");
	if (fds[2].revents)
		probe_read(watch);
	if (fds[1].revents)
		r = mux_read(watch, err);
	else if (now >= watch->answer_due_ms)
		return silent(err);
	if (r >= 0 && fds[0].revents)
		r = directory_read(watch, err);
	if (r >= 0 && now >= watch->retry_due_ms)
		r = mux_connect(watch, err);
	if (r >= 0 && now >= watch->probe_due_ms)
		r = probe_due(watch, err);
	return r;
}

int mux_watch_run(struct error *err)
{
	_cleanup_(mux_watch_done) struct mux_watch watch = {
		.path = mux_socket_path(),
		.place = { .inotify_fd = -1 },
		.answer_due_ms = NEVER,
		.retry_due_ms = NEVER,
		.probe_due_ms = NEVER,
		.retry_ms = RETRY_FIRST_MS,
	};
	int r;

	if (!watch.path)
		return error_set(err, ERROR_UNSUPPORTED, "worker", 0,
				 "usbmuxd's address is no UNIX socket");
	r = mux_place_watch(watch.path, &watch.place, err);
	if (r == 0)
		r = mux_connect(&watch, err);
	while (r >= 0)
		r = watch_once(&watch, err);
	return r;
}
