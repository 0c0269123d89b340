/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/engine.h"
#include "base/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

enum { ARGUMENTS_MAX = 24, VARIABLES_MAX = 24, OUT_MODE = 0660 };

/* Texts that end with NULL, as exec wants them. */
struct texts {
	size_t count;
	char *list[ARGUMENTS_MAX > VARIABLES_MAX ? ARGUMENTS_MAX : VARIABLES_MAX];
};

static void texts_done(struct texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->list[i]);
}

/* False without memory. */
__attribute__((format(printf, 2, 3))) static bool texts_add(struct texts *texts, const char *format,
							    ...)
{
	va_list args;
	char *text = NULL;
	int n;

	if (texts->count + 1 >= ARRAY_LEN(texts->list))
		return false;
	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		return false;
	texts->list[texts->count++] = text;
	return true;
}

static bool arguments_make(const struct engine_call *call, struct texts *arguments)
{
	return texts_add(arguments, "idevicerestore") && texts_add(arguments, "-i") &&
	       texts_add(arguments, "0x%" PRIX64, call->ecid) && texts_add(arguments, "-y") &&
	       texts_add(arguments, "-P") && texts_add(arguments, "-d") &&
	       texts_add(arguments, "--logfile=%s/%s", call->folder, call->log) &&
	       texts_add(arguments, "-C") && texts_add(arguments, "%s/cache", call->folder) &&
	       texts_add(arguments, "--variant") && texts_add(arguments, "%s", call->variant) &&
	       (!call->erase || texts_add(arguments, "-e")) && texts_add(arguments, "--server") &&
	       texts_add(arguments, "http://127.0.0.1:%u", call->relay_port) &&
	       texts_add(arguments, "%s", call->path);
}

static bool variables_make(const struct engine_call *call, struct texts *variables)
{
	/* where programs, libraries and phones are; what the sanitizers of tests want */
	static const char *const passed[] = {
		"PATH",         "HOME",         "USBMUXD_SOCKET_ADDRESS", "LD_LIBRARY_PATH",
		"SIMPHONE_BUS", "ASAN_OPTIONS", "UBSAN_OPTIONS",          "LSAN_OPTIONS",
	};

	for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
		const char *value = getenv(passed[i]);

		if (value && !texts_add(variables, "%s=%s", passed[i], value))
			return false;
	}
	return texts_add(variables, "TMPDIR=%s/tmp", call->folder) &&
	       texts_add(variables, "LC_ALL=C.UTF-8") && texts_add(variables, "TZ=UTC");
}

/* Only calls that are safe between fork and exec. */
static _Noreturn void child_execute(const struct engine_call *call, char *const arguments[],
				    char *const variables[], int out, pid_t parent)
{
	sigset_t none;
	int null;

	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(ENGINE_EXIT_NOT_STARTED);
	/* above the three, so that dup2() is never onto itself and clears close-on-exec */
	out = fcntl(out, F_DUPFD, STDERR_FILENO + 1);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (out < 0 || null < 0 || fchdir(call->folder_fd) < 0 || chdir("tmp") < 0 ||
	    dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
		_exit(ENGINE_EXIT_NOT_STARTED);
	execvpe(arguments[0], arguments, variables);
	_exit(ENGINE_EXIT_NOT_STARTED);
}

int engine_spawn(const struct engine_call *call, pid_t *ret_pid, struct error *err)
{
	_cleanup_(texts_done) struct texts arguments = {};
	_cleanup_(texts_done) struct texts variables = {};
	_cleanup_close_ int out = -1;
	pid_t parent = getpid(), pid;

	if (!arguments_make(call, &arguments) || !variables_make(call, &variables))
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "engine");
	out = openat(call->folder_fd, call->out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, OUT_MODE);
	if (out < 0)
		return error_set_errno(err, ERROR_NO_SPACE, "kernel", errno,
				       "Cannot write into the job's folder");
	pid = fork();
	if (pid < 0)
		return error_set_errno(err, ERROR_BUG, "kernel", errno,
				       "Cannot start idevicerestore");
	if (pid == 0)
		child_execute(call, arguments.list, variables.list, out, parent);
	*ret_pid = pid;
	return 0;
}
