/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * idevicerescue-worker KIND: the kinds that talk to phones, usbmuxd and the kernel. It links none
 * of LIBS_HEAVY (build.mk): a kind that needs one of those stands in main_heavy.c.
 */
#include "worker/backup_proof.h"
#include "worker/kernel_watch.h"
#include "worker/mode.h"
#include "worker/mux_restart.h"
#include "worker/mux_watch.h"
#include "worker/probe.h"
#include "worker/program.h"
#include "worker/record.h"
#include "worker/trust.h"

enum { MS_PER_S = 1000 };

static int run_mux_watch(const struct request *request, sd_json_variant **ret_fields,
			 struct error *err)
{
	return mux_watch_run(err);
}

static int run_kernel_watch(const struct request *request, sd_json_variant **ret_fields,
			    struct error *err)
{
	return kernel_watch_run(err);
}

static int run_trust(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	struct trust_request trust;
	int r = trust_request_parse(request, &trust, err);

	return r < 0 ? r : trust_run(&trust, ret_fields, err);
}

static int run_record(const struct request *request, sd_json_variant **ret_fields,
		      struct error *err)
{
	return program_run_limited(record_run, timing_ms(TIMING_PROBE_SILENCE),
				   "The disk that holds the pairings does not answer", request,
				   ret_fields, err);
}

static int run_mode_limited(const struct request *request, sd_json_variant **ret_fields,
			    struct error *err)
{
	return mode_run(request, err);
}

/* The steps of a job that do this wait as long at least. */
static int run_mode(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	return program_run_limited(run_mode_limited, step_fact(STEP_RESTART)->silence_s * MS_PER_S,
				   "The phone does not answer", request, ret_fields, err);
}

static const kind_run_fn runs[WORKER_KIND_MAX] = {
	[WORKER_PROBE] = probe_run,
	[WORKER_MUX_WATCH] = run_mux_watch,
	[WORKER_KERNEL_WATCH] = run_kernel_watch,
	[WORKER_MUX] = mux_restart_run,
	[WORKER_TRUST] = run_trust,
	[WORKER_RECORD] = run_record,
	[WORKER_MODE] = run_mode,
	[WORKER_BACKUP_PROOF] = backup_proof_run,
};

int main(int argc, char *argv[])
{
	return program_main(argc, argv, runs, "-heavy");
}
