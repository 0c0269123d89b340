/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/program.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "worker/lifeline.h"
#include "worker/reply.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	EXIT_NOT_OK = 1,
	EXIT_USAGE = 2,
	REQUEST_TIMEOUT_MS = 10000,
	/* the result must be there before the service's own limit ends the worker */
	LIMIT_MARGIN_MS = 1000,
};

int program_run_limited(kind_run_fn run_kind, unsigned limit_ms, const char *text,
			const struct request *request, sd_json_variant **ret_fields,
			struct error *err)
{
	struct error silent = { .kind = ERROR_SILENT, .origin = "worker" };
	_cleanup_free_ char *last_line = NULL;
	struct lifeline lifeline;
	int r;

	text_copy(silent.text, sizeof(silent.text), text);
	r = reply_error_text(&silent, NULL, &last_line);
	if (r == 0)
		r = lifeline_limit(&lifeline, limit_ms - LIMIT_MARGIN_MS, last_line);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot limit the worker");
	r = run_kind(request, ret_fields, err);
	lifeline_release(&lifeline);
	return r;
}

/* fields: what the kind adds to the line of an error, NULL nothing. */
static int fail(const struct error *err, sd_json_variant *fields)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	int r = reply_result_build(err, fields, &line);

	if (r == 0)
		r = reply_line(line);
	if (r < 0)
		log_warning("Cannot write the result (%s): %s", strerror(-r), err->text);
	return err->kind == ERROR_USAGE ? EXIT_USAGE : EXIT_NOT_OK;
}

static int serve(enum worker_kind kind, kind_run_fn run)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	_cleanup_(request_done) struct request request = {};
	struct error err = {};
	int r;

	r = request_read(STDIN_FILENO, REQUEST_TIMEOUT_MS, kind, &request, &err);
	if (r < 0)
		return fail(&err, NULL);
	r = run(&request, &fields, &err);
	if (r < 0)
		return fail(&err, fields);
	r = reply_result(fields);
	if (r == -EPIPE && kind == WORKER_RESTORE)
		return EXIT_SUCCESS; /* it stands in the job's folder, for whoever comes */
	if (r < 0) {
		log_warning("Cannot write the result: %s", strerror(-r));
		return EXIT_NOT_OK;
	}
	return EXIT_SUCCESS;
}

/* Becomes the other program; what is on its standard input was not read yet. Returns if it cannot.
 */
static int become(char *argv[], const char *other)
{
	char path[PATH_MAX];
	struct error err = {};
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

	if (!other)
		(void)error_set(&err, ERROR_BUG, "worker", 0, "No such kind");
	else if (n < 0 || (size_t)n + strlen(other) >= sizeof(path))
		(void)error_set_errno(&err, ERROR_BUG, "kernel", n < 0 ? errno : ENAMETOOLONG,
				      "Cannot find the program of this worker");
	else {
		memcpy(path + n, other, strlen(other) + 1);
		(void)execv(path, argv);
		(void)error_set_errno(&err, ERROR_BUG, "kernel", errno,
				      "Cannot start the program of this worker");
	}
	return fail(&err, NULL);
}

int program_main(int argc, char *argv[], const kind_run_fn runs[static WORKER_KIND_MAX],
		 const char *other)
{
	enum worker_kind kind = argc == 2 ? worker_kind_from_name(argv[1]) : WORKER_KIND_MAX;
	int r;

	log_init("idevicerescue-worker", LOG_INFO);
	if (kind == WORKER_KIND_MAX) {
		fputs("usage: idevicerescue-worker KIND, KIND one of:", stderr);
		for (size_t i = 0; i < WORKER_KIND_MAX; i++)
			fprintf(stderr, " %s", worker_kind_name((enum worker_kind)i));
		fputs("\n", stderr);
		return EXIT_USAGE;
	}
	if (!runs[kind])
		return become(argv, other);
	(void)signal(SIGPIPE, SIG_IGN); /* the libraries write to sockets that may be closed */
	r = lifeline_tie();
	if (r < 0) {
		log_error("Cannot tie to the socket: %s", strerror(-r));
		return EXIT_NOT_OK;
	}
	return serve(kind, runs[kind]);
}
