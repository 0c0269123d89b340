/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns idevicebackup2's process group, its terminal, and FOLDER/backup-proof, which is gone at the
 * end whatever happened (but for SIGKILL: then the next run removes it).
 *
 *   session ─trusted─▶ spawn ─▶ watch ──ended by itself──────────────▶ judge ─▶ remove
 *                                │ enough bytes, time over, silence,     ▲
 *                                │ phone gone, cancelled                 │
 *                                └─▶ SIGINT ──grace──▶ SIGKILL ──────────┘
 *
 * Invariants: `why` is set once, when we end it; the program is reaped before anything is judged.
 */
#include "worker/backup_proof.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "worker/backup_child.h"
#include "worker/backup_folder.h"
#include "worker/backup_output.h"
#include "worker/engine_output.h"
#include "worker/lifeline.h"
#include "worker/reply.h"
#include "worker/session.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

enum {
	MS_PER_S = 1000,
	LIMIT_S_MIN = 30,
	LIMIT_S_MAX = 3600,
	LOOK_MS = 500,            /* at the folder */
	PHONE_MS = 2000,          /* at usbmuxd: a pulled cable makes the program spin for ever */
	SILENCE_MS = 90 * 1000,   /* the phone may prepare for a while */
	PASSCODE_MS = 240 * 1000, /* it gives up by itself after some three minutes */
	GRACE_MS = 12 * 1000,     /* between SIGINT and SIGKILL: it ends after the file it is at */
	CANCEL_GRACE_MS = 1000,   /* the service kills a worker that does not end */
	READ_BYTES = 4096,
	FOLDER_MODE = 0770,
	EXIT_SIGNAL_BASE = 128,
};
static const uint64_t bytes_min = 64 * 1024, bytes_max = 16ULL << 30;
static const uint64_t disk_kept = 64ULL << 20;
static const char proof_name[] = "backup-proof";

struct wish {
	char udid[REQUEST_UDID_BYTES];
	const char *folder; /* borrowed of the request */
	uint64_t limit_s, limit_bytes;
};

enum why {
	WHY_ENDED, /* by itself */
	WHY_ENOUGH,
	WHY_TIME,
	WHY_SILENCE,
	WHY_LEFT, /* the phone, or usbmuxd */
	WHY_CANCELLED,
	WHY_NO_SPACE,
};

struct proof {
	const struct wish *wish;
	int proof_fd; /* of FOLDER/backup-proof; closed by the caller */
	pid_t pid;
	int terminal, pid_fd, signal_fd;
	bool exited;
	int exit_status;
	enum why why;
	bool killed, passcode_told;
	bool cancelled;    /* nobody listens any more; maybe after `why` */
	struct error gone; /* of WHY_LEFT */
	uint64_t began_ms, news_ms, look_ms, phone_ms,
	    kill_ms; /* kill_ms 0: it is not being ended */
	struct backup_found found, told;
	struct backup_output output;
	struct engine_lines lines;
};

/* --- the request */

struct fields {
	const char *udid, *folder;
	uint64_t limit_s, limit_bytes;
};

static const sd_json_dispatch_field fields_table[] = {
	{ "udid", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, udid), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL },
	{ "folder", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, folder), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL },
	{ "limit_s", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,
	  offsetof(struct fields, limit_s), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL },
	{ "limit_bytes", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,
	  offsetof(struct fields, limit_bytes), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL },
	{},
};

static int wish_parse(const struct request *request, struct wish *ret, struct error *err)
{
	struct fields fields = {};
	int r = request_fields(request, fields_table, &fields, err);

	if (r == 0)
		r = request_check_udid(fields.udid, ret->udid, err);
	if (r < 0)
		return r;
	if (!fields.folder || fields.folder[0] != '/')
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"folder\" is no absolute path");
	if (fields.limit_s < LIMIT_S_MIN || fields.limit_s > LIMIT_S_MAX)
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"limit_s\" is out of range");
	if (fields.limit_bytes < bytes_min || fields.limit_bytes > bytes_max)
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"limit_bytes\" is out of range");
	ret->folder = fields.folder;
	ret->limit_s = fields.limit_s;
	ret->limit_bytes = fields.limit_bytes;
	return 0;
}

/* --- telling */

static void tell(const char *event, const struct proof *p)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;

	if (p && sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_UNSIGNED("bytes", p->found.bytes),
				SD_JSON_BUILD_PAIR_UNSIGNED("files", p->found.files)) < 0)
		return;
	/* whoever listened no longer does: the hang-up is seen beside it */
	(void)reply_event(event, fields);
}

/* --- ending it */

static void end(struct proof *p, enum why why, unsigned grace_ms)
{
	if (p->kill_ms > 0 || p->exited)
		return;
	p->why = why;
	p->kill_ms = clock_now_ms() + grace_ms;
	(void)kill(-p->pid, SIGINT);
}

/* Whoever cancels does not wait for the grace of another end: they would kill us, and what came of
 * the phone would stay here. */
static void cancel(struct proof *p)
{
	uint64_t due_ms = clock_now_ms() + CANCEL_GRACE_MS;

	p->cancelled = true;
	end(p, WHY_CANCELLED, CANCEL_GRACE_MS);
	if (p->kill_ms > due_ms)
		p->kill_ms = due_ms;
}

static void kill_if_due(struct proof *p)
{
	if (p->kill_ms == 0 || p->killed || clock_now_ms() < p->kill_ms)
		return;
	p->killed = true;
	(void)kill(-p->pid, SIGKILL);
}

static void reap(struct proof *p)
{
	int status;

	if (p->exited || waitpid(p->pid, &status, WNOHANG) != p->pid)
		return;
	p->exited = true;
	p->exit_status =
	    WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL_BASE + WTERMSIG(status);
}

/* --- watching */

static void on_line(void *context, const char *line)
{
	struct proof *p = context;

	p->news_ms = clock_now_ms();
	backup_output_line(&p->output, line);
	if (p->output.passcode && !p->passcode_told) {
		p->passcode_told = true;
		tell("passcode", NULL);
	}
}

static void read_terminal(struct proof *p)
{
	char bytes[READ_BYTES];
	ssize_t n;

	while ((n = read(p->terminal, bytes, sizeof(bytes))) > 0)
		engine_lines_feed(&p->lines, bytes, (size_t)n, on_line, p);
	if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(p->terminal); /* the last that had the other end closed it */
		p->terminal = -1;
	}
}

static uint64_t disk_free(int fd)
{
	struct statvfs vfs;

	return fstatvfs(fd, &vfs) < 0 ? 0 : (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

static void look_at_folder(struct proof *p)
{
	/* idevicebackup2 does not notice a full disk, and leaves damaged files */
	if (disk_free(p->proof_fd) < disk_kept / 2)
		end(p, WHY_NO_SPACE, GRACE_MS);
	if (backup_folder_measure(p->proof_fd, p->wish->udid, &p->found) < 0)
		return;
	if (p->found.bytes != p->told.bytes || p->found.files != p->told.files) {
		p->told = p->found;
		p->news_ms = clock_now_ms();
		tell("progress", p);
	}
	if (p->found.bytes >= p->wish->limit_bytes)
		end(p, WHY_ENOUGH, GRACE_MS);
}

static void watch(struct proof *p)
{
	bool waits = p->output.passcode && !p->output.receiving;
	uint64_t now_ms = clock_now_ms(), quiet_ms;

	if (now_ms >= p->look_ms) {
		p->look_ms = now_ms + LOOK_MS;
		look_at_folder(p);
	}
	if (now_ms >= p->phone_ms) {
		p->phone_ms = now_ms + PHONE_MS;
		if (handset_left(p->wish->udid, "usbmuxd", 0, &p->gone) < 0)
			end(p, WHY_LEFT, CANCEL_GRACE_MS);
	}
	if (now_ms - p->began_ms >= p->wish->limit_s * MS_PER_S)
		end(p, WHY_TIME, GRACE_MS);
	now_ms = clock_now_ms(); /* the look at the folder may have been news */
	quiet_ms = now_ms - p->news_ms;
	if (quiet_ms >= (waits ? PASSCODE_MS : SILENCE_MS))
		end(p, WHY_SILENCE, CANCEL_GRACE_MS);
	kill_if_due(p);
}

/* The other end of our socket closed, or a signal to end. */
static bool is_cancelled(const struct pollfd *socket, const struct pollfd *signals)
{
	return (socket->revents & (POLLHUP | POLLERR)) != 0 || (signals->revents & POLLIN) != 0;
}

static void follow(struct proof *p)
{
	while (!p->exited || p->terminal >= 0) {
		struct pollfd fds[] = {
			{ .fd = p->cancelled ? -1 : STDIN_FILENO },
			{ .fd = p->cancelled ? -1 : p->signal_fd, .events = POLLIN },
			{ .fd = p->terminal, .events = POLLIN },
			{ .fd = p->exited ? -1 : p->pid_fd, .events = POLLIN },
		};
		int n = poll(fds, ARRAY_LEN(fds), LOOK_MS / 2);

		if (n > 0 && is_cancelled(&fds[0], &fds[1]))
			cancel(p);
		if (p->terminal >= 0)
			read_terminal(p);
		reap(p);
		if (p->exited) /* what it left open elsewhere is no matter */
			break;
		watch(p);
	}
	if (p->terminal >= 0)
		read_terminal(p);
	engine_lines_end(&p->lines, on_line, p);
	(void)kill(-p->pid, SIGKILL); /* whom it may have started */
}

/* --- judging */

static int why_not(const struct proof *p, struct error *err)
{
	switch (p->why) {
	case WHY_ENDED:
		return backup_output_failed(&p->output, p->exit_status, err);
	case WHY_ENOUGH:
		return error_set(err, ERROR_PROTOCOL, "worker", 0,
				 "The phone sends bytes, but no file of its backup is whole");
	case WHY_LEFT:
		return error_set(err, p->gone.kind, p->gone.origin, p->gone.code, "%s",
				 p->gone.text);
	case WHY_CANCELLED:
		return error_set(err, ERROR_CANCELLED, "worker", 0, "The backup was cancelled");
	case WHY_NO_SPACE:
		return error_set(err, ERROR_NO_SPACE, "worker", 0,
				 "The disk ran full during the backup");
	case WHY_TIME:
	case WHY_SILENCE:
		break;
	}
	if (p->output.passcode && !p->output.receiving)
		return error_set(err, ERROR_LOCKED, "worker", 0,
				 "The passcode was not typed on the phone in time");
	return error_set(err, ERROR_SILENT, "worker", 0,
			 p->why == WHY_TIME ? "The phone did not send enough in time"
					    : "The phone sends no more of its backup");
}

static int judge(struct proof *p, sd_json_variant **ret_fields, struct error *err)
{
	bool ended = p->why == WHY_ENDED, complete, proven;
	int r = backup_folder_look(p->proof_fd, p->wish->udid, &p->found);

	if (r < 0)
		return error_set_errno(err, ERROR_PROTOCOL, "kernel", -r,
				       "Cannot look at the backup");
	complete = ended && p->exit_status == 0 && p->output.successful;
	proven = (complete || p->why == WHY_ENOUGH || p->why == WHY_TIME) &&
		 backup_found_proves(&p->found, complete);
	r = sd_json_buildo(
	    ret_fields, SD_JSON_BUILD_PAIR_UNSIGNED("bytes", p->found.bytes),
	    SD_JSON_BUILD_PAIR_UNSIGNED("files", p->found.files),
	    SD_JSON_BUILD_PAIR_CONDITION(proven, "complete", SD_JSON_BUILD_BOOLEAN(complete)),
	    SD_JSON_BUILD_PAIR_CONDITION(
		p->output.encrypted != BACKUP_ENCRYPTION_UNKNOWN, "encrypted",
		SD_JSON_BUILD_BOOLEAN(p->output.encrypted == BACKUP_ENCRYPTED)));
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result");
	return proven ? 0 : why_not(p, err);
}

/* --- beginning */

static int signals_take(struct proof *p)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signal_fd < 0 ? -errno : 0;
}

static int spawn(struct proof *p, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	struct backup_call call = {
		.udid = p->wish->udid,
		.folder_fd = p->proof_fd,
		/* it sees the limit only between two files */
		.file_bytes_max = p->wish->limit_bytes + disk_kept / 2,
	};
	int r;

	if (asprintf(&path, "%s/%s", p->wish->folder, proof_name) < 0)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot start a backup");
	call.folder = path;
	r = signals_take(p);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "kernel", -r, "Cannot start a backup");
	/* from here our end is not its end: we end it first, and clean up */
	lifeline_untie();
	r = backup_child_spawn(&call, &p->pid, &p->terminal, err);
	if (r < 0)
		return r;
	p->pid_fd = pidfd_open(p->pid, 0);
	p->began_ms = p->news_ms = clock_now_ms();
	p->phone_ms = p->began_ms + PHONE_MS;
	return 0;
}

static int run_program(struct proof *p, sd_json_variant **ret_fields, struct error *err)
{
	int r = spawn(p, err);

	if (r == 0) {
		follow(p);
		r = judge(p, ret_fields, err);
	}
	if (p->terminal >= 0)
		close(p->terminal);
	if (p->pid_fd >= 0)
		close(p->pid_fd);
	if (p->signal_fd >= 0)
		close(p->signal_fd);
	return r;
}

/* Only a phone that trusts is asked; it tells a better reason than the program would. */
static int ask_first(const struct wish *wish, struct error *err)
{
	_cleanup_(session_done) struct session session = {};
	struct inquiry inquiry;
	int r = inquiry_begin(&inquiry, timing_ms(TIMING_TRUST_CHECK) - INQUIRY_MARGIN_MS, err);

	if (r < 0)
		return r;
	r = session_open(wish->udid, &inquiry, &session, err);
	inquiry_end(&inquiry);
	if (r < 0)
		return r;
	return session.trust == TRUST_WORD_TRUSTED ? 0 : session_refused(&session, err);
}

static int room_check(const struct wish *wish, int folder_fd, struct error *err)
{
	enum { MB = 1000 * 1000 };
	uint64_t wanted = wish->limit_bytes + disk_kept, there = disk_free(folder_fd);

	if (there >= wanted)
		return 0;
	return error_set(err, ERROR_NO_SPACE, "worker", ENOSPC,
			 "Not enough room for a small backup: it needs %llu MB, %llu MB are free",
			 (unsigned long long)(wanted / MB), (unsigned long long)(there / MB));
}

static int proof_folder_make(int folder_fd, int *ret, struct error *err)
{
	int r = backup_folder_remove(folder_fd, proof_name);

	if (r == 0 && mkdirat(folder_fd, proof_name, FOLDER_MODE) < 0)
		r = -errno;
	if (r == 0)
		*ret =
		    openat(folder_fd, proof_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r == 0 && *ret < 0)
		r = -errno;
	if (r == 0)
		return 0;
	return error_set_errno(err, r == -ENOSPC || r == -EROFS ? ERROR_NO_SPACE : ERROR_REFUSED,
			       "kernel", -r, "Cannot make a folder for the backup");
}

int backup_proof_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_close_ int folder_fd = -1, proof_fd = -1;
	struct wish wish = {};
	struct proof proof = { .wish = &wish, .terminal = -1, .pid_fd = -1, .signal_fd = -1 };
	int r = wish_parse(request, &wish, err);

	if (r < 0 || !wish.folder)
		return r;
	folder_fd = open(wish.folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder_fd < 0)
		return error_set_errno(err, ERROR_REFUSED, "kernel", errno,
				       "Cannot open the folder for the backup");
	r = room_check(&wish, folder_fd, err);
	if (r == 0)
		r = ask_first(&wish, err);
	if (r == 0)
		r = proof_folder_make(folder_fd, &proof_fd, err);
	if (r < 0)
		return r;
	proof.proof_fd = proof_fd;
	r = run_program(&proof, ret_fields, err);
	(void)backup_folder_remove(folder_fd, proof_name);
	return r;
}
