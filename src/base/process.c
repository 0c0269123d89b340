/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/process.h"
#include "base/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EXIT_CANNOT_EXECUTE = 127 };

/* Only async-signal-safe calls: this is between fork and exec. */
static _Noreturn void child_execute(char *const argv[], int fd, pid_t parent)
{
	sigset_t none;

	for (int signal_number = 1; signal_number < NSIG; signal_number++)
		(void)signal(signal_number, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_CANNOT_EXECUTE); /* it died before the line above */
	/* A parent without standard input may have got 0 or 1 for it: dup2() onto itself would keep
	 * it close-on-exec. */
	fd = fcntl(fd, F_DUPFD, STDERR_FILENO + 1);
	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
	    close_range(3, ~0U, 0) < 0)
		_exit(EXIT_CANNOT_EXECUTE);
	execv(argv[0], argv);
	_exit(EXIT_CANNOT_EXECUTE);
}

int process_spawn_socket(char *const argv[], pid_t *ret_pid, int *ret_fd)
{
	_cleanup_close_ int ours = -1;
	_cleanup_close_ int theirs = -1;
	pid_t parent = getpid(), pid;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_execute(argv, theirs, parent);
	*ret_pid = pid;
	*ret_fd = TAKE_FD(ours);
	return 0;
}
