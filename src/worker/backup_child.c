/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/backup_child.h"
#include "base/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

enum { NOT_STARTED = 127, VARIABLES_MAX = 16, TERMINAL_NAME_BYTES = 64 };

/* What changes a file system; reading stays free. REFER and TRUNCATE need kernels 5.19 and 6.2. */
static const uint64_t writing =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
    LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE;
enum { LANDLOCK_VERSION_WANTED = 3 };

/* Between fork and exec: system calls only. True also on a kernel without Landlock. */
static bool confine(int folder_fd)
{
	const struct landlock_ruleset_attr rules = { .handled_access_fs = writing };
	const struct landlock_path_beneath_attr beneath = { .allowed_access = writing,
							    .parent_fd = folder_fd };
	long version =
	    syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	long set;

	if (version < LANDLOCK_VERSION_WANTED)
		return true;
	set = syscall(SYS_landlock_create_ruleset, &rules, sizeof(rules), 0);
	return set >= 0 &&
	       syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0 &&
	       prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_landlock_restrict_self, set, 0) == 0;
}

struct variables {
	size_t count;
	char *list[VARIABLES_MAX];
};

static void variables_done(struct variables *variables)
{
	for (size_t i = 0; i < variables->count; i++)
		free(variables->list[i]);
}

/* Where programs and phones are; what the sanitizers of tests want. */
static bool variables_make(struct variables *variables)
{
	static const char *const passed[] = {
		"PATH",         "HOME",          "USBMUXD_SOCKET_ADDRESS", "LD_LIBRARY_PATH",
		"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
	};

	for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
		const char *value = getenv(passed[i]);

		if (value &&
		    asprintf(&variables->list[variables->count], "%s=%s", passed[i], value) < 0)
			return false;
		variables->count += value != NULL;
	}
	variables->list[variables->count] = strdup("LC_ALL=C.UTF-8");
	if (!variables->list[variables->count])
		return false;
	variables->list[++variables->count] = NULL;
	return true;
}

/* Only calls that are safe between fork and exec. */
static _Noreturn void child_execute(const struct backup_call *call, char *const variables[],
				    int terminal, pid_t parent)
{
	char *const arguments[] = { (char *)"idevicebackup2",
				    (char *)"-u",
				    (char *)call->udid,
				    (char *)"backup",
				    (char *)"--full",
				    (char *)call->folder,
				    NULL };
	const struct rlimit size = { call->file_bytes_max, call->file_bytes_max };
	sigset_t none;
	int null;

	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setsid(); /* a group of its own, and no terminal that steers it */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(NOT_STARTED);
	terminal = fcntl(terminal, F_DUPFD, STDERR_FILENO + 1);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (terminal < 0 || null < 0 || setrlimit(RLIMIT_FSIZE, &size) < 0 ||
	    fchdir(call->folder_fd) < 0 || !confine(call->folder_fd) ||
	    dup2(null, STDIN_FILENO) < 0 || dup2(terminal, STDOUT_FILENO) < 0 ||
	    dup2(terminal, STDERR_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
		_exit(NOT_STARTED);
	execvpe(arguments[0], arguments, variables);
	_exit(NOT_STARTED);
}

/* Both ends of a terminal, close-on-exec. */
static int terminal_open(int *ret_ours, int *ret_theirs)
{
	_cleanup_close_ int ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[TERMINAL_NAME_BYTES];
	int theirs;

	if (ours < 0 || grantpt(ours) < 0 || unlockpt(ours) < 0)
		return -errno;
	if (ptsname_r(ours, name, sizeof(name)) != 0)
		return -ENOTTY;
	theirs = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (theirs < 0)
		return -errno;
	if (fcntl(ours, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
		close(theirs);
		return -errno;
	}
	*ret_theirs = theirs;
	*ret_ours = TAKE_FD(ours);
	return 0;
}

int backup_child_spawn(const struct backup_call *call, pid_t *ret_pid, int *ret_fd,
		       struct error *err)
{
	_cleanup_(variables_done) struct variables variables = {};
	_cleanup_close_ int ours = -1, theirs = -1;
	pid_t parent = getpid(), pid;
	int r;

	if (!variables_make(&variables))
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot start a backup");
	r = terminal_open(&ours, &theirs);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "kernel", -r, "Cannot start a backup");
	pid = fork();
	if (pid < 0)
		return error_set_errno(err, ERROR_BUG, "kernel", errno, "Cannot start a backup");
	if (pid == 0)
		child_execute(call, variables.list, theirs, parent);
	*ret_pid = pid;
	*ret_fd = TAKE_FD(ours);
	return 0;
}
