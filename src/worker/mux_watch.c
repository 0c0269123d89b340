/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A watch owns an inotify descriptor on the directory of usbmuxd's socket, the connection if there
 * is one, and the table of the phones that it has told of:
 *
 *          the socket appears, or a retry is due: connect
 *      ┌──────────┐ ───────────────────────────────▶ ┌────────┐
 *      │  away    │                                  │ asking │ no answer to Listen: the watch ends
 *      └──────────┘ ◀─────────────────────────────── └────────┘
 *          ▲   usbmuxd ended                              │ Result 0: mux-up
 *          │                                              ▼
 *          │  usbmuxd ended: detached …, mux-down    ┌────────┐ attached, detached
 *          └──────────────────────────────────────── │   up   │ ─┐
 *                                                    └────────┘ ◀┘
 *
 * Invariants: client is there exactly while asking or up; a phone is in the table exactly while its
 * attached was told and its detached was not; mux-up and mux-down alternate.
 *
 * Nothing is polled. A socket that exists but refuses (bound, not yet listening; left behind by a
 * usbmuxd that was killed) is tried again a few times, ever more slowly, and then left until its
 * directory changes.
 */
#include "worker/mux_watch.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/mux_client.h"
#include "worker/reply.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>

enum {
	PHONES_MAX = 64,
	ANSWER_TIMEOUT_MS = 5000, /* libusbmuxd's own limit for a result */
	RETRY_FIRST_MS = 20,
	RETRY_LAST_MS = 2560,
};

static const uint64_t NEVER = UINT64_MAX;

enum told { TOLD_NOTHING, TOLD_UP, TOLD_DOWN };

struct mux_watch {
	const char *path; /* of the socket; borrowed */
	const char *name; /* its last part */
	int inotify_fd;
	struct mux_client *client;
	enum told told;
	uint64_t answer_due_ms; /* while asking, else NEVER */
	uint64_t retry_due_ms;  /* while away and a retry is due, else NEVER */
	uint64_t up_since_ms;
	unsigned retry_ms; /* the next pause */
	size_t phone_count;
	struct mux_phone phones[PHONES_MAX];
};

static void mux_watch_done(struct mux_watch *watch)
{
	if (watch->inotify_fd >= 0)
		close(watch->inotify_fd);
	mux_client_free(watch->client);
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
	watch->answer_due_ms = NEVER;
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
	r = mux_client_new(watch->path, &watch->client);
	switch (-r) {
	case 0:
		watch->answer_due_ms = clock_now_ms() + ANSWER_TIMEOUT_MS;
		return 0;
	case ENOENT: /* the directory will say when it appears */
		return tell_down(watch, err);
	case ECONNREFUSED:
	case EACCES:
	case EAGAIN:
	case EPIPE:
	case ECONNRESET:
		if (watch->retry_ms < RETRY_LAST_MS)
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

/* --- the directory */

static int directory_watch(struct mux_watch *watch, struct error *err)
{
	const char *slash = strrchr(watch->path, '/');
	char directory[PATH_MAX] = ".";
	size_t n = slash ? (size_t)(slash - watch->path) : 0;

	watch->name = slash ? slash + 1 : watch->path;
	if (n >= sizeof(directory))
		return error_set(err, ERROR_USAGE, "worker", 0, "The socket's path is too long");
	if (slash) {
		memcpy(directory, watch->path, n);
		directory[n] = '\0';
	}
	watch->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	/* attributes: a server binds, listens, and then lets others in */
	if (watch->inotify_fd < 0 ||
	    inotify_add_watch(watch->inotify_fd, n == 0 && slash ? "/" : directory,
			      IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR) < 0)
		return error_set_errno(err, ERROR_NO_SERVICE, "kernel", errno,
				       "Cannot watch the directory of usbmuxd's socket");
	return 0;
}

static int directory_read(struct mux_watch *watch, struct error *err)
{
	_Alignas(struct inotify_event) char buffer[16 * 1024];
	ssize_t n = read(watch->inotify_fd, buffer, sizeof(buffer));
	bool changed = false;

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const struct inotify_event *)(buffer + at);

		if (event->mask & IN_IGNORED)
			return error_set(err, ERROR_NO_SERVICE, "kernel", 0,
					 "The directory of usbmuxd's socket is gone");
		changed |= event->mask & IN_Q_OVERFLOW ||
			   (event->len > 0 && strcmp(event->name, watch->name) == 0);
		at += (ssize_t)sizeof(*event) + event->len;
	}
	if (!changed || watch->client)
		return 0;
	watch->retry_ms = RETRY_FIRST_MS;
	return mux_connect(watch, err);
}

/* --- the loop */

static int poll_timeout(const struct mux_watch *watch)
{
	uint64_t due =
	    watch->answer_due_ms < watch->retry_due_ms ? watch->answer_due_ms : watch->retry_due_ms;
	uint64_t now = clock_now_ms();

	if (due == NEVER)
		return -1;
	return due > now ? (int)(due - now) : 0;
}

static int watch_once(struct mux_watch *watch, struct error *err)
{
	struct pollfd fds[] = {
		{ .fd = watch->inotify_fd, .events = POLLIN },
		{ .fd = watch->client ? mux_client_fd(watch->client) : -1, .events = POLLIN },
	};
	int r = poll(fds, ARRAY_LEN(fds), poll_timeout(watch));
	uint64_t now = clock_now_ms();

	if (r < 0)
		return errno == EINTR
			   ? 0
			   : error_set_errno(err, ERROR_BUG, "kernel", errno, "Cannot wait");
	if (fds[1].revents)
		r = mux_read(watch, err);
	else if (now >= watch->answer_due_ms)
		return error_set(err, ERROR_SILENT, "usbmuxd", 0, "usbmuxd does not answer");
	if (r >= 0 && fds[0].revents)
		r = directory_read(watch, err);
	if (r >= 0 && now >= watch->retry_due_ms)
		r = mux_connect(watch, err);
	return r;
}

int mux_watch_run(struct error *err)
{
	_cleanup_(mux_watch_done) struct mux_watch watch = {
		.path = mux_socket_path(),
		.inotify_fd = -1,
		.answer_due_ms = NEVER,
		.retry_due_ms = NEVER,
		.retry_ms = RETRY_FIRST_MS,
	};
	int r;

	if (!watch.path)
		return error_set(err, ERROR_UNSUPPORTED, "worker", 0,
				 "usbmuxd's address is no UNIX socket");
	r = directory_watch(&watch, err);
	if (r == 0)
		r = mux_connect(&watch, err);
	while (r >= 0)
		r = watch_once(&watch, err);
	return r;
}
