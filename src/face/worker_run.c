/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/worker_run.h"
#include "base/cleanup.h"
#include "base/line.h"
#include "base/process.h"
#include "face/output.h"
#include "service/fields.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

/* What ended or hangs is not asked again: all that a kind that is run from here may write are
 * copies of what servers tell, each whole or not at all. */
static void worker_end(pid_t pid, int fd)
{
	close(fd);
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int request_write(int fd, const char *kind, sd_json_variant *fields, unsigned limit_ms)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	int r;

	r = sd_json_buildo(&line, SD_JSON_BUILD_PAIR_UNSIGNED("v", 1),
			   SD_JSON_BUILD_PAIR_STRING("type", "request"),
			   SD_JSON_BUILD_PAIR_STRING("kind", kind));
	if (r >= 0)
		r = sd_json_variant_merge_object(&line, fields);
	return r < 0 ? r : line_write(fd, line, (int)limit_ms);
}

/* Reads until the result. -ETIMEDOUT, -ENODATA at an end without one, or another negative errno. */
static int result_read(int fd, unsigned limit_ms, worker_run_event_fn event_fn, void *user,
		       sd_json_variant **ret)
{
	_cleanup_(line_reader_freep) struct line_reader *reader = NULL;
	int r = line_reader_new(&reader);

	while (r >= 0) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
		struct pollfd wait = { .fd = fd, .events = POLLIN };

		r = line_reader_next(reader, &line);
		if (r > 0 && field_is(line, "type", "result")) {
			*ret = TAKE(line);
			return 0;
		}
		if (r > 0 && event_fn && field_is(line, "type", "event"))
			event_fn(line, user);
		if (r != 0)
			continue; /* also a line that is none of the protocol */
		r = poll(&wait, 1, (int)limit_ms);
		if (r == 0)
			return -ETIMEDOUT;
		if (r > 0)
			r = line_reader_fill(reader, fd);
		if (r == 0)
			return -ENODATA;
		r = r == -EAGAIN || r == -EINTR || (r < 0 && errno == EINTR) ? 0 : r;
	}
	return r;
}

static int result_error(sd_json_variant *result, struct error *err)
{
	sd_json_variant *error = field_object(result, "error");
	const char *origin = field_string(error, "origin"), *text = field_string(error, "text");

	return error_set(err, error_kind_from_name(field_string(error, "kind")),
			 origin ? origin : "worker", field_integer(error, "code", 0), "%s",
			 text ? text : output_text("worker-broken"));
}

static int no_result(int r, struct error *err)
{
	if (r == -ETIMEDOUT)
		return error_set(err, ERROR_SILENT, "worker", 0, "%s",
				 output_text("worker-silent"));
	return error_set(err, ERROR_BUG, "worker", -r, "%s", output_text("worker-broken"));
}

int worker_run(const char *program, const char *kind, sd_json_variant *fields, unsigned limit_ms,
	       worker_run_event_fn event_fn, void *user, sd_json_variant **ret, struct error *err)
{
	char *argv[] = { (char *)(program ? program : WORKER_PROGRAM), (char *)kind, NULL };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *result = NULL;
	pid_t pid;
	int fd, r;

	if (access(argv[0], X_OK) < 0)
		return error_set_errno(err, program ? ERROR_USAGE : ERROR_BUG, "kernel", errno,
				       "the worker program '%s' cannot be started", argv[0]);
	r = process_spawn_socket(argv, &pid, &fd);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "kernel", -r,
				       "the worker program '%s' cannot be started", argv[0]);
	r = request_write(fd, kind, fields, limit_ms);
	if (r >= 0)
		r = result_read(fd, limit_ms, event_fn, user, &result);
	worker_end(pid, fd);
	if (r < 0)
		return no_result(r, err);
	if (!field_true(result, "ok"))
		return result_error(result, err);
	*ret = TAKE(result);
	return 0;
}
