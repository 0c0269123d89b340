/* SPDX-License-Identifier: GPL-3.0-or-later */
/* idevicerescue-worker KIND: one request in, events and one result out (README.md). */
#include "base/cleanup.h"
#include "base/log.h"
#include "worker/catalogue.h"
#include "worker/check.h"
#include "worker/fetch.h"
#include "worker/lifeline.h"
#include "worker/mode.h"
#include "worker/mux_watch.h"
#include "worker/probe.h"
#include "worker/record.h"
#include "worker/reply.h"
#include "worker/request.h"
#include "worker/restore.h"
#include "worker/trust.h"
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
	MS_PER_S = 1000,
};

/* What the kinds do. *ret_fields is what the result line carries, also that of an error. */
typedef int (*kind_run_fn)(const struct request *request, sd_json_variant **ret_fields,
			   struct error *err);

/* Asked once and answered once: a limit holds for the whole. */
static int run_limited(kind_run_fn run_kind, unsigned limit_ms, const struct request *request,
		       sd_json_variant **ret_fields, struct error *err)
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
		r = lifeline_limit(&lifeline, limit_ms - LIMIT_MARGIN_MS, last_line);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot limit the worker");
	r = run_kind(request, ret_fields, err);
	lifeline_release(&lifeline);
	return r;
}

static int run_probe(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	return run_limited(probe_run, timing_ms(TIMING_PROBE_SILENCE), request, ret_fields, err);
}

static int run_mux_watch(const struct request *request, sd_json_variant **ret_fields,
			 struct error *err)
{
	return mux_watch_run(err);
}

static int run_trust_asking(const struct request *request, sd_json_variant **ret_fields,
			    struct error *err)
{
	struct trust_request trust;
	int r = trust_request_parse(request, &trust, err);

	return r < 0 ? r : trust_run(&trust, ret_fields, err);
}

/* A pairing waits for a person, so it has the limit that it was given. */
static int run_trust(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	struct trust_request trust;
	int r = trust_request_parse(request, &trust, err);

	if (r < 0)
		return r;
	if (trust.action == TRUST_PAIR)
		return trust_run(&trust, ret_fields, err);
	return run_limited(run_trust_asking, timing_ms(TIMING_TRUST_CHECK), request, ret_fields,
			   err);
}

static int run_record(const struct request *request, sd_json_variant **ret_fields,
		      struct error *err)
{
	return run_limited(record_run, timing_ms(TIMING_PROBE_SILENCE), request, ret_fields, err);
}

static int run_mode_limited(const struct request *request, sd_json_variant **ret_fields,
			    struct error *err)
{
	return mode_run(request, err);
}

/* The steps of a job that do this wait as long at least. */
static int run_mode(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	return run_limited(run_mode_limited, step_fact(STEP_RESTART)->silence_s * MS_PER_S, request,
			   ret_fields, err);
}

static const kind_run_fn kind_runs[WORKER_KIND_MAX] = {
	[WORKER_PROBE] = run_probe,         [WORKER_MUX_WATCH] = run_mux_watch,
	[WORKER_RESTORE] = restore_run,     [WORKER_TRUST] = run_trust,
	[WORKER_RECORD] = run_record,       [WORKER_MODE] = run_mode,
	[WORKER_CATALOGUE] = catalogue_run, [WORKER_FETCH] = fetch_run,
	[WORKER_CHECK] = check_run,
};

static int run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	if (!kind_runs[request->kind])
		return error_set(err, ERROR_BUG, "worker", 0, "No such kind");
	return kind_runs[request->kind](request, ret_fields, err);
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

static int serve(enum worker_kind kind)
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
