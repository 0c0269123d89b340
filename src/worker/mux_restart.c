/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *   run the program ──▶ ended well ──▶ connect ──▶ Listen is answered: done
 *        │                               ▲ │
 *        │ failed, or no end             │ ▼ refused, or not there: the directory will say, and a
 *        ▼                               │   socket that is bound and does not listen yet is tried
 *      error                             └── again, ever more slowly
 *
 * The program ends only when the old usbmuxd is gone, so what answers afterwards is the new one.
 * All of it has one limit.
 */
#include "worker/mux_restart.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/process.h"
#include "worker/mux_client.h"
#include "worker/mux_place.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

enum {
	/* usbmuxd's own limit for ending is 5 s, it makes keys at its first start */
	LIMIT_MS = 30 * 1000,
	RETRY_FIRST_MS = 20,
	RETRY_LAST_MS = 640,
};

struct fields {
	const char *action;
};

static const sd_json_dispatch_field fields_table[] = {
	{ "action", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, action), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL },
	{},
};

static int left_ms(uint64_t deadline_ms)
{
	uint64_t now_ms = clock_now_ms();

	return deadline_ms > now_ms ? (int)(deadline_ms - now_ms) : 0;
}

/* --- the program */

/* Waits for its end. Returns its exit status, or a negative errno: -ETIMEDOUT. */
static int await_end(pid_t pid, uint64_t deadline_ms)
{
	_cleanup_close_ int fd = pidfd_open(pid, 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	siginfo_t info = { 0 };
	int r;

	if (fd < 0)
		return -errno;
	do
		r = poll(&poll_fd, 1, left_ms(deadline_ms));
	while (r < 0 && errno == EINTR);
	if (r <= 0) {
		(void)kill(-pid, SIGKILL);
		(void)waitid(P_PID, (id_t)pid, &info, WEXITED);
		return r < 0 ? -EIO : -ETIMEDOUT;
	}
	if (waitid(P_PID, (id_t)pid, &info, WEXITED) < 0)
		return -errno;
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

static int run_program(const char *program, uint64_t deadline_ms, struct error *err)
{
	char *argv[] = { (char *)program, NULL };
	_cleanup_close_ int fd = -1;
	pid_t pid;
	int r = process_spawn_socket(argv, &pid, &fd);

	if (r == 0)
		r = await_end(pid, deadline_ms);
	if (r == -ETIMEDOUT)
		return error_set(err, ERROR_SILENT, "worker", 0,
				 "usbmuxd was to be restarted, but its service does not end");
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "kernel", -r, "Cannot restart usbmuxd");
	if (r > 0)
		return error_set(err, ERROR_REFUSED, "systemd", r,
				 "usbmuxd could not be restarted");
	return 0;
}

/* --- the answer */

/* 1 if it answered, 0 if it has not yet (or has gone again: *client is NULL then). */
static int take_answer(struct mux_client **client, struct error *err)
{
	struct mux_message message;
	int r = mux_client_fill(*client);

	if (r == -EAGAIN)
		return 0;
	if (r > 0)
		r = mux_client_next(*client, &message);
	else
		r = -ECONNRESET;
	if (r > 0 && message.type == MUX_RESULT && message.number == 0)
		return 1;
	if (r > 0 || r == -EBADMSG)
		return error_set(err, ERROR_PROTOCOL, "usbmuxd", 0,
				 "usbmuxd was restarted and refuses to tell of its phones");
	if (r < 0)
		*client = mux_client_free(*client);
	return 0;
}

/* Waits once for the socket or its directory; the same returns. */
static int await_step(const char *path, struct mux_place *place, struct mux_client **client,
		      int *retry_ms, uint64_t deadline_ms, struct error *err)
{
	struct pollfd fds[] = {
		{ .fd = place->inotify_fd, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
	};
	int wait_ms = left_ms(deadline_ms), r;

	if (!*client && mux_client_new(path, (unsigned)wait_ms, client) < 0 && *retry_ms < wait_ms)
		wait_ms = *retry_ms;
	if (*client)
		fds[1].fd = mux_client_fd(*client);
	else if (*retry_ms < RETRY_LAST_MS)
		*retry_ms *= 2;
	r = poll(fds, ARRAY_LEN(fds), wait_ms);
	if (r < 0 && errno != EINTR)
		return error_set_errno(err, ERROR_BUG, "kernel", errno, "Cannot wait");
	if (r > 0 && fds[0].revents) {
		r = mux_place_read(place, err);
		if (r < 0)
			return r;
		*retry_ms = r > 0 ? RETRY_FIRST_MS : *retry_ms;
	}
	return fds[1].revents ? take_answer(client, err) : 0;
}

static int await_answer(const char *path, struct mux_place *place, uint64_t deadline_ms,
			struct error *err)
{
	_cleanup_(mux_client_freep) struct mux_client *client = NULL;
	int retry_ms = RETRY_FIRST_MS, r = 0;

	while (r == 0 && left_ms(deadline_ms) > 0)
		r = await_step(path, place, &client, &retry_ms, deadline_ms, err);
	if (r == 0)
		return error_set(err, ERROR_SILENT, "usbmuxd", 0,
				 "usbmuxd was restarted and does not answer");
	return r < 0 ? r : 0;
}

static int restart(uint64_t *ret_ms, struct error *err)
{
	_cleanup_(mux_place_done) struct mux_place place = { .inotify_fd = -1 };
	const char *program = getenv("IDEVICERESCUE_MUX_RESTART"), *path = mux_socket_path();
	uint64_t begin_ms = clock_now_ms(), deadline_ms = begin_ms + LIMIT_MS;
	int r;

	if (!program || !path)
		return error_set(err, ERROR_UNSUPPORTED, "worker", 0,
				 "usbmuxd is not ours to restart on this system");
	/* before it goes, so that nothing is missed */
	r = mux_place_watch(path, &place, err);
	if (r == 0)
		r = run_program(program, deadline_ms, err);
	if (r == 0)
		r = await_answer(path, &place, deadline_ms, err);
	if (r == 0)
		*ret_ms = clock_now_ms() - begin_ms;
	return r;
}

int mux_restart_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	struct fields fields = {};
	uint64_t answered_ms = 0;
	int r = request_fields(request, fields_table, &fields, err);

	if (r < 0)
		return r;
	if (strcmp(fields.action, "restart") != 0)
		return error_set(err, ERROR_USAGE, "worker", 0, "Field \"action\" is no action");
	r = restart(&answered_ms, err);
	if (r < 0)
		return r;
	r = sd_json_buildo(ret_fields, SD_JSON_BUILD_PAIR_UNSIGNED("answered_ms", answered_ms));
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result");
	return 0;
}
