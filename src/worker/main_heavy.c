/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * idevicerescue-worker-heavy KIND: the kinds that need LIBS_HEAVY (build.mk): network, archives,
 * file systems. Started by idevicerescue-worker, which becomes it.
 */
#include "worker/catalogue.h"
#include "worker/check.h"
#include "worker/data.h"
#include "worker/disk.h"
#include "worker/fetch.h"
#include "worker/host_look.h"
#include "worker/host_reset.h"
#include "worker/network.h"
#include "worker/program.h"
#include "worker/restore.h"
#include "worker/sign.h"

enum { MS_PER_S = 1000 };

static int run_data(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	return program_run_limited(data_run, timing_ms(TIMING_DATA), "The stick does not answer",
				   request, ret_fields, err);
}

static int run_disk(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	return program_run_limited(disk_run, timing_ms(TIMING_DISK),
				   "The disk does not answer: it is worn, or asleep for good. Use "
				   "another one",
				   request, ret_fields, err);
}

/* Each question has a limit; this one is for a name server that holds the library up. */
static int run_network(const struct request *request, sd_json_variant **ret_fields,
		       struct error *err)
{
	return program_run_limited(network_run, step_fact(STEP_NETWORK)->silence_s * MS_PER_S,
				   "The network does not answer, not even with an error", request,
				   ret_fields, err);
}

static const kind_run_fn runs[WORKER_KIND_MAX] = {
	[WORKER_RESTORE] = restore_run,     [WORKER_CATALOGUE] = catalogue_run,
	[WORKER_FETCH] = fetch_run,         [WORKER_CHECK] = check_run,
	[WORKER_HOST_LOOK] = host_look_run, [WORKER_HOST_RESET] = host_reset_run,
	[WORKER_DATA] = run_data,           [WORKER_SIGN] = sign_run,
	[WORKER_NETWORK] = run_network,     [WORKER_DISK] = run_disk,
};

int main(int argc, char *argv[])
{
	return program_main(argc, argv, runs, NULL);
}
