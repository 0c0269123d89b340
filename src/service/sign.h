/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The question to worker `sign`, shared by planner and jobs; its answer: doctor/signing.h. */
#include "doctor/firmware.h"
#include <systemd/sd-json.h>

/* Longer than the worker's own limit (worker/README.md), which gives the better answer. */
enum { SIGN_LIMIT_MS = 75 * 1000 };

struct sign_question {
	const char *product, *board;
	uint64_t ecid;
	const char *variant; /* its exact name */
	const struct firmware *firmware;
	const char *path; /* where it lies; NULL: read from its address */
};

/* The fields of the request; the caller unrefs. 0 or a negative errno. */
int sign_build(const struct sign_question *question, sd_json_variant **ret);
