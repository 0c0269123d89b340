/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Two signals, each with a handler that only calls what a handler may:
 *
 *   SIGIO    the kernel sends it when something happens on the tied socket; if that was the other
 *            end closing, the process ends
 *   SIGALRM  the limit is over: the line that was prepared is written, the process ends
 *
 * The handlers need no global: the socket is standard input, and the timer carries its lifeline.
 * Why signals: libimobiledevice and libusb block without a way to wait for a second descriptor, and
 * a watchdog thread would share their locks.
 */
#include "worker/lifeline.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MS_PER_S = 1000, NS_PER_MS = 1000000 };

static bool is_hung_up(void)
{
	struct pollfd poll_fd = { .fd = STDIN_FILENO };

	return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & (POLLHUP | POLLERR);
}

static void end_if_hung_up(int signal_number)
{
	int saved = errno;

	if (is_hung_up())
		_exit(EXIT_FAILURE);
	errno = saved;
}

static int hang_up_ends(void)
{
	struct sigaction action = { .sa_handler = end_if_hung_up, .sa_flags = SA_RESTART };

	return sigaction(SIGIO, &action, NULL) < 0 ? -errno : 0;
}

static bool is_tied(void)
{
	int flags = fcntl(STDIN_FILENO, F_GETFL);

	return flags >= 0 && flags & O_ASYNC;
}

int lifeline_tie(void)
{
	struct stat st;
	int flags;

	if (fstat(STDIN_FILENO, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return 0;
	flags = fcntl(STDIN_FILENO, F_GETFL);
	if (flags < 0 || hang_up_ends() < 0 || fcntl(STDIN_FILENO, F_SETOWN, getpid()) < 0 ||
	    fcntl(STDIN_FILENO, F_SETFL, flags | O_ASYNC | O_NONBLOCK) < 0)
		return -errno;
	end_if_hung_up(SIGIO); /* it may have been closed before the kernel was told */
	return 0;
}

void lifeline_untie(void)
{
	int flags = fcntl(STDIN_FILENO, F_GETFL);

	/* ignoring also drops a signal that is on its way */
	(void)signal(SIGIO, SIG_IGN);
	if (flags >= 0)
		(void)fcntl(STDIN_FILENO, F_SETFL, flags & ~O_ASYNC);
	(void)prctl(PR_SET_PDEATHSIG, 0); /* process_spawn_socket() sets it */
}

static void terminate_mask(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	(void)pthread_sigmask(how, &set, NULL);
}

void lifeline_hold(void)
{
	terminate_mask(SIG_BLOCK);
	if (is_tied())
		(void)signal(SIGIO, SIG_IGN);
}

bool lifeline_is_cut(void)
{
	sigset_t pending;

	if (sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1)
		return true;
	return is_tied() && is_hung_up();
}

void lifeline_let_go(void)
{
	if (is_tied()) {
		(void)hang_up_ends();
		end_if_hung_up(SIGIO); /* what came meanwhile was ignored */
	}
	terminate_mask(SIG_UNBLOCK);
}

static void write_last_line(int signal_number, siginfo_t *info, void *context)
{
	const struct lifeline *lifeline = info->si_value.sival_ptr;

	/* short enough for an empty socket buffer; if it does not fit, nobody reads */
	(void)!write(STDOUT_FILENO, lifeline->last_line, lifeline->last_line_bytes);
	_exit(lifeline->exit_status);
}

void lifeline_is_answer(struct lifeline *lifeline)
{
	lifeline->exit_status = EXIT_SUCCESS;
}

int lifeline_limit(struct lifeline *lifeline, unsigned limit_ms, const char *last_line)
{
	struct sigaction action = { .sa_sigaction = write_last_line, .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct itimerspec limit = {
		.it_value = { .tv_sec = limit_ms / MS_PER_S,
			      .tv_nsec = (long)(limit_ms % MS_PER_S) * NS_PER_MS },
	};

	lifeline->last_line = strdup(last_line);
	if (!lifeline->last_line)
		return -ENOMEM;
	lifeline->last_line_bytes = strlen(last_line);
	lifeline->exit_status = EXIT_FAILURE;
	event.sigev_value.sival_ptr = lifeline;
	if (sigaction(SIGALRM, &action, NULL) < 0 ||
	    timer_create(CLOCK_MONOTONIC, &event, &lifeline->timer) < 0) {
		int r = -errno;

		free(lifeline->last_line);
		return r;
	}
	if (timer_settime(lifeline->timer, 0, &limit, NULL) < 0) {
		int r = -errno;

		timer_delete(lifeline->timer);
		free(lifeline->last_line);
		return r;
	}
	return 0;
}

void lifeline_release(struct lifeline *lifeline)
{
	/* ignoring also drops a signal that is on its way */
	(void)signal(SIGALRM, SIG_IGN);
	timer_delete(lifeline->timer);
	free(lifeline->last_line);
	lifeline->last_line = NULL;
}
