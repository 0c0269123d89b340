/* SPDX-License-Identifier: GPL-3.0-or-later */
/* idevicerescue-worker KIND: one request in, events and one result out (README.md). */
#include "base/cleanup.h"
#include "base/log.h"
#include "worker/lifeline.h"
#include "worker/mux_watch.h"
#include "worker/probe.h"
#include "worker/reply.h"
#include "worker/request.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
	EXIT_NOT_OK = 1,
	EXIT_USAGE = 2,
	REQUEST_TIMEOUT_MS = 10000,
	/* the result must be there before the service's own limit ends the worker */
	LIMIT_MARGIN_MS = 1000,
};

/* Asked once and answered once: a limit holds for the whole. */
static int run_probe(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	const struct error silent = {
		.kind = ERROR_SILENT,
		.origin = "worker",
		.text = "The phone does not answer",
	};
	_cleanup_free_ char *last_line = NULL;
	struct lifeline lifeline;
	int r = reply_error_text(&silent, &last_line);

	if (r == 0)
		r = lifeline_limit(&lifeline, timing_ms(TIMING_PROBE_SILENCE) - LIMIT_MARGIN_MS,
				   last_line);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot limit the probe");
	r = probe_run(request, ret_fields, err);
	lifeline_release(&lifeline);
	return r;
}

static int run_mux_watch(const struct request *request, sd_json_variant **ret_fields,
			 struct error *err)
{
	return mux_watch_run(err);
}

/* What the kinds do. *ret_fields is what the result line carries. */
typedef int (*kind_run_fn)(const struct request *request, sd_json_variant **ret_fields,
			   struct error *err);
static const kind_run_fn kind_runs[WORKER_KIND_MAX] = {
	[WORKER_PROBE] = run_probe,
	[WORKER_MUX_WATCH] = run_mux_watch,
};

static int run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	if (!kind_runs[request->kind])
		return error_set(err, ERROR_BUG, "worker", 0, "No such kind");
	return kind_runs[request->kind](request, ret_fields, err);
}

static int fail(const struct error *err)
{
	int r = reply_error(err);

	if (r < 0)
		log_warning("Cannot write the result (%s): %s", strerror(-r), err->text);
	return err->kind == ERROR_USAGE ? EXIT_USAGE : EXIT_NOT_OK;
}

static int serve(enum worker_kind kind)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	_cleanup_(request_done) struct request request = {};
	struct error err = {};
	int r;

	r = request_read(STDIN_FILENO, REQUEST_TIMEOUT_MS, kind, &request, &err);
	if (r < 0)
		return fail(&err);
	r = run(&request, &fields, &err);
	if (r < 0)
		return fail(&err);
	r = reply_result(fields);
	if (r < 0) {
		log_warning("Cannot write the result: %s", strerror(-r));
		return EXIT_NOT_OK;
	}
	return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
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
	(void)signal(SIGPIPE, SIG_IGN); /* the libraries write to sockets that may be closed */
	r = lifeline_tie();
	if (r < 0) {
		log_error("Cannot tie to the socket: %s", strerror(-r));
		return EXIT_NOT_OK;
	}
	return serve(kind);
}
