/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The two programs of workers are one to whoever starts them, idevicerescue-worker KIND: it runs
 * the kinds that talk to phones, usbmuxd and the kernel, and becomes idevicerescue-worker-heavy
 * (beside it) for the kinds that need libcurl, libzip and what these bring along. Their forty
 * libraries would cost each question to a phone three times what the question itself costs.
 */
#include "worker/request.h"

/* What a kind does. *ret_fields is what the result line carries, also that of an error. */
typedef int (*kind_run_fn)(const struct request *request, sd_json_variant **ret_fields,
			   struct error *err);

/*
 * main() of both: one request in, events and one result out (README.md). runs: by kind, NULL for
 * one that the other program runs. other: what is appended to the path of this program to get the
 * other's, NULL if this is the last.
 */
int program_main(int argc, char *argv[], const kind_run_fn runs[static WORKER_KIND_MAX],
		 const char *other);

/*
 * For a kind that is asked once and answered once: run_kind within limit_ms, less what the result
 * needs to be there before the service's own limit ends the worker. After that the process ends
 * with `silent` and the text. Returns as run_kind.
 */
int program_run_limited(kind_run_fn run_kind, unsigned limit_ms, const char *text,
			const struct request *request, sd_json_variant **ret_fields,
			struct error *err);
