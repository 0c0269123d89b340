/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/data_program.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/process.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { LIMIT_MS = 60000 };

/* Until it closes its standard output, which is when it ends. */
static int drain(int fd)
{
	uint64_t end_ms = clock_now_ms() + LIMIT_MS, now_ms;
	char bytes[1024];

	while ((now_ms = clock_now_ms()) < end_ms) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&wait, 1, (int)(end_ms - now_ms)) < 0 && errno != EINTR)
			return -errno;
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return 0;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -ETIMEDOUT;
}

/* The script is shorter than any socket's buffer. */
static int feed(int fd, const char *input)
{
	size_t n = input ? strlen(input) : 0;
	ssize_t sent = n > 0 ? send(fd, input, n, MSG_NOSIGNAL) : 0;

	if (sent < 0)
		return -errno;
	if ((size_t)sent != n)
		return -EIO;
	return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

int data_program_run(const char *const argv[], const char *input, struct error *err)
{
	_cleanup_close_ int fd = -1;
	int status = 0, r;
	pid_t pid;

	r = process_spawn_socket((char *const *)argv, &pid, &fd);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "kernel", -r, "%s cannot be started",
				       argv[0]);
	r = feed(fd, input);
	if (r == 0)
		r = drain(fd);
	if (r < 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return error_set_errno(err, ERROR_SILENT, "worker", -r, "%s did not end", argv[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(err, ERROR_BUG, "worker", status,
				 "%s failed: the journal says why", argv[0]);
	return 0;
}
