/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The pool owns every forked child from fork to reaping, because a child may outlive the link that
 * asked for it:
 *
 *   running ──worker_child_leave()──▶ left ──TIMING_WORKER_KILL──▶ killed
 *      │                               │                             │
 *      └───────────── exit ────────────┴────────── exit ─────────────┴──▶ reaped, freed
 *
 * One that was released with worker_child_release() goes on for as long as it likes, also when the
 * pool is gone.
 *
 * Invariant: a child in the list is not reaped yet, so its pid is still its own.
 */
#include "service/worker_pool.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/process.h"
#include "facts/facts.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { WORKER_KIND_BYTES = 32 };

struct worker_child {
	struct worker_pool *pool;
	struct worker_child *next;
	pid_t pid;
	char kind[WORKER_KIND_BYTES];
	sd_event_source *exit_source;
	sd_event_source *kill_timer; /* NULL until it was left */
	worker_exit_fn fn;           /* NULL once it was left */
	bool released;
	void *user;
};

struct worker_pool {
	sd_event *event;
	char *program;
	char *directory;
	struct worker_child *children;
};

int worker_pool_new(sd_event *event, const char *program, const char *directory,
		    struct worker_pool **ret)
{
	_cleanup_(worker_pool_freep) struct worker_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->event = sd_event_ref(event);
	if (program && !(pool->program = strdup(program)))
		return -ENOMEM;
	pool->directory = strdup(directory ? directory : WORKER_DIRECTORY_DEFAULT);
	if (!pool->directory)
		return -ENOMEM;
	*ret = TAKE(pool);
	return 0;
}

static void child_free(struct worker_child *child)
{
	struct worker_child **at = &child->pool->children;

	while (*at && *at != child)
		at = &(*at)->next;
	if (*at)
		*at = child->next;
	sd_event_source_disable_unref(child->exit_source);
	sd_event_source_disable_unref(child->kill_timer);
	free(child);
}

struct worker_pool *worker_pool_free(struct worker_pool *pool)
{
	if (!pool)
		return NULL;
	while (pool->children) {
		/* One that hangs in the kernel cannot be waited for; init reaps it. */
		if (!pool->children->released)
			(void)kill(pool->children->pid, SIGKILL);
		child_free(pool->children);
	}
	free(pool->program);
	free(pool->directory);
	sd_event_unref(pool->event);
	free(pool);
	return NULL;
}

sd_event *worker_pool_event(struct worker_pool *pool)
{
	return pool->event;
}

static int on_child_exit(sd_event_source *source, const siginfo_t *info, void *user)
{
	struct worker_child *child = user;
	worker_exit_fn fn = child->fn;
	void *fn_user = child->user;

	if (info->si_code == CLD_EXITED)
		log_write(info->si_status == 0 ? LOG_DEBUG : LOG_INFO,
			  "worker %s (pid %d) ended with status %d", child->kind, (int)child->pid,
			  info->si_status);
	else
		log_write(child->fn ? LOG_WARNING : LOG_INFO,
			  "worker %s (pid %d) was ended by signal %d", child->kind, (int)child->pid,
			  info->si_status);
	/* sd-event reaps it after this handler */
	child_free(child);
	if (fn)
		fn(fn_user);
	return 0;
}

static int on_kill_time(sd_event_source *source, uint64_t usec, void *user)
{
	struct worker_child *child = user;

	log_warning("worker %s (pid %d) did not end: killed", child->kind, (int)child->pid);
	(void)kill(child->pid, SIGKILL);
	return 0;
}

void worker_child_leave(struct worker_child *child, bool cancelled)
{
	uint64_t limit_us = (uint64_t)timing_ms(TIMING_WORKER_KILL) * 1000;
	int r;

	child->fn = NULL;
	if (cancelled)
		(void)kill(child->pid, SIGTERM);
	r = sd_event_add_time_relative(child->pool->event, &child->kill_timer, CLOCK_BOOTTIME,
				       limit_us, 0, on_kill_time, child);
	if (r < 0) {
		log_error("no timer for worker %s: %s", child->kind, strerror(-r));
		(void)kill(child->pid, SIGKILL);
	}
}

void worker_child_release(struct worker_child *child)
{
	child->fn = NULL;
	child->released = true;
}

static int pool_fork(struct worker_pool *pool, const char *kind, worker_exit_fn fn, void *user,
		     int *ret_fd, struct worker_child **ret_child, struct error *err)
{
	char *argv[] = { pool->program, (char *)kind, NULL };
	struct worker_child *child = calloc(1, sizeof(*child));
	_cleanup_close_ int fd = -1;
	int r;

	if (!child)
		return error_set_errno(err, ERROR_BUG, "service", ENOMEM, "worker %s", kind);
	*child = (struct worker_child){ .pool = pool, .fn = fn, .user = user };
	snprintf(child->kind, sizeof(child->kind), "%s", kind);
	r = process_spawn_socket(argv, &child->pid, &fd);
	if (r < 0) {
		free(child);
		return error_set_errno(err, ERROR_BUG, "service", -r, "cannot start worker %s",
				       kind);
	}
	child->next = pool->children;
	pool->children = child;
	r = sd_event_add_child(pool->event, &child->exit_source, child->pid, WEXITED, on_child_exit,
			       child);
	if (r < 0) {
		(void)kill(child->pid, SIGKILL);
		(void)waitpid(child->pid, NULL, 0);
		child_free(child);
		return error_set_errno(err, ERROR_BUG, "service", -r, "cannot watch worker %s",
				       kind);
	}
	*ret_fd = TAKE_FD(fd);
	*ret_child = child;
	return 0;
}

static int pool_connect(struct worker_pool *pool, const char *kind, int *ret_fd, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	int n;

	n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", pool->directory, kind);
	if (n < 0 || (size_t)n >= sizeof(address.sun_path))
		return error_set(err, ERROR_BUG, "service", 0, "path of worker %s is too long",
				 kind);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set_errno(err, errno == EAGAIN ? ERROR_BUSY : ERROR_BUG, "service",
				       errno, "cannot reach worker %s", kind);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int worker_pool_open(struct worker_pool *pool, const char *kind, worker_exit_fn fn, void *user,
		     int *ret_fd, struct worker_child **ret_child, struct error *err)
{
	int r;

	if (pool->program)
		return pool_fork(pool, kind, fn, user, ret_fd, ret_child, err);
	r = pool_connect(pool, kind, ret_fd, err);
	if (r >= 0)
		*ret_child = NULL;
	return r;
}
