/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The program starts itself as the child: with an argument it does not test but plays that part
 * (see parts[]) and tells over its standard output what it finds.
 */
#include "base/cleanup.h"
#include "base/process.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 20000 };

/* --- parts of the child */

/* One line: descriptors that are open beside the standard ones, blocked and ignored signals,
 * whether it leads a session, whether input and output are one socket. */
static int part_report(void)
{
	struct stat in, out;
	unsigned descriptors = 0, blocked = 0, ignored = 0;
	sigset_t mask;

	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
		descriptors += fcntl(fd, F_GETFD) >= 0;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < NSIG; i++) {
		struct sigaction action;

		blocked += sigismember(&mask, i) == 1;
		ignored += sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
	}
	fstat(STDIN_FILENO, &in);
	fstat(STDOUT_FILENO, &out);
	printf("fds=%u blocked=%u ignored=%u leader=%d socket=%d same=%d\n", descriptors, blocked,
	       ignored, getsid(0) == getpid(), S_ISSOCK(in.st_mode), in.st_ino == out.st_ino);
	return 0;
}

/* Sends back what it gets until the end of its input. */
static int part_echo(void)
{
	char bytes[256];
	ssize_t n;

	while ((n = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0)
		if (write(STDOUT_FILENO, bytes, (size_t)n) != n)
			return 1;
	return 42;
}

/* Says that it is there, then lives until a signal kills it, whatever becomes of its input. */
static int part_linger(void)
{
	if (write(STDOUT_FILENO, "up", 2) != 2)
		return 1;
	while (pause() < 0)
		;
	return 1;
}

static const struct {
	const char *name;
	int (*play)(void);
} parts[] = {
	{ "report", part_report },
	{ "echo", part_echo },
	{ "linger", part_linger },
};

/* --- the tests */

static void spawn(const char *part, pid_t *ret_pid, int *ret_fd)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *argv[] = { self, (char *)part, NULL };

	assert_true(n > 0);
	self[n] = '\0';
	assert_int_equal(process_spawn_socket(argv, ret_pid, ret_fd), 0);
	assert_true(*ret_pid > 0 && *ret_fd >= 0);
}

/* Reads from the non-blocking fd up to the end, at most size - 1 bytes. */
static void read_to_end(int fd, char *text, size_t size)
{
	size_t used = 0;

	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
		n = read(fd, text + used, size - 1 - used);
		assert_true(n >= 0);
		if (n == 0)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
}

static int reap(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static const char clean_report[] = "fds=0 blocked=0 ignored=0 leader=1 socket=1 same=1\n";

static void the_child_starts_clean(void **state)
{
	_cleanup_close_ int low = open("/dev/null", O_RDONLY); /* no close-on-exec, on purpose */
	_cleanup_close_ int high = fcntl(low, F_DUPFD, 500);
	_cleanup_close_ int fd = -1;
	char report[256];
	sigset_t usr, before;
	pid_t pid;

	assert_true(low >= 0 && high >= 500);
	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	sigaddset(&usr, SIGTERM);
	sigprocmask(SIG_BLOCK, &usr, &before);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	spawn("report", &pid, &fd);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	read_to_end(fd, report, sizeof(report));
	assert_string_equal(report, clean_report);
	assert_int_equal(reap(pid), 0);
}

static void our_end_is_private(void **state)
{
	_cleanup_close_ int fd = -1;
	pid_t pid;

	spawn("report", &pid, &fd);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	reap(pid);
}

static void bytes_go_both_ways(void **state)
{
	_cleanup_close_ int fd = -1;
	char text[64];
	pid_t pid;
	int status;

	spawn("echo", &pid, &fd);
	assert_int_equal(write(fd, "hello\n", 6), 6);
	shutdown(fd, SHUT_WR);
	read_to_end(fd, text, sizeof(text));
	assert_string_equal(text, "hello\n");
	status = reap(pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

static void a_program_that_is_not_there_ends_with_127(void **state)
{
	char *missing[] = { (char *)"/nonexistent/program", NULL };
	char *folder[] = { (char *)"/", NULL };
	char **programs[] = { missing, folder };

	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		_cleanup_close_ int fd = -1;
		char text[64];
		pid_t pid;
		int status;

		assert_int_equal(process_spawn_socket(programs[i], &pid, &fd), 0);
		read_to_end(fd, text, sizeof(text));
		assert_string_equal(text, "");
		status = reap(pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 127);
	}
}

/*
 * Runs play() in a child of the test, which is then the parent of the spawned program. Its exit
 * status must be 0.
 */
static void in_another_parent(void (*play)(int fd), int fd)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		play(fd);
		_exit(0);
	}
	assert_int_equal(reap(pid), 0);
}

/* Spawns, waits until the child is there, tells its pid and ends without any tidying. */
static void spawn_and_die(int fd)
{
	struct pollfd poll_fd = { .events = POLLIN };
	pid_t pid;

	spawn("linger", &pid, &poll_fd.fd);
	if (poll(&poll_fd, 1, WAIT_MS) != 1)
		_exit(1);
	if (write(fd, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
}

static void the_child_dies_with_its_parent(void **state)
{
	_cleanup_close_ int pidfd = -1;
	struct pollfd poll_fd;
	int ends[2], status;
	pid_t pid;

	/* the orphan becomes our child, so that its end can be seen and judged */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	in_another_parent(spawn_and_die, ends[1]);
	assert_int_equal(read(ends[0], &pid, sizeof(pid)), sizeof(pid));
	pidfd = pidfd_open(pid, 0);
	assert_true(pidfd >= 0);
	poll_fd = (struct pollfd){ .fd = pidfd, .events = POLLIN };
	assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
	status = reap(pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	close(ends[0]);
	close(ends[1]);
}

/* As a daemon that closed its standard descriptors: the socket pair becomes 0 and 1. */
static void spawn_without_standard_descriptors(int fd)
{
	char report[256];
	int child_fd;
	pid_t pid;

	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	spawn("report", &pid, &child_fd);
	read_to_end(child_fd, report, sizeof(report));
	if (strcmp(report, clean_report) != 0)
		_exit(1);
	if (reap(pid) != 0)
		_exit(2);
}

static void standard_descriptors_may_be_closed(void **state)
{
	in_another_parent(spawn_without_standard_descriptors, -1);
}

static void no_descriptors_left_is_an_error(void **state)
{
	struct rlimit before, none;
	char *argv[] = { (char *)"/bin/true", NULL };
	pid_t pid = -7;
	int fd = -7;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(process_spawn_socket(argv, &pid, &fd), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(pid, -7);
	assert_int_equal(fd, -7);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_child_starts_clean),
		cmocka_unit_test(our_end_is_private),
		cmocka_unit_test(bytes_go_both_ways),
		cmocka_unit_test(a_program_that_is_not_there_ends_with_127),
		cmocka_unit_test(the_child_dies_with_its_parent),
		cmocka_unit_test(standard_descriptors_may_be_closed),
		cmocka_unit_test(no_descriptors_left_is_an_error),
	};

	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(parts); i++)
		if (strcmp(argv[1], parts[i].name) == 0)
			return parts[i].play();
	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
