/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The data partition of the stick that we were started from (README.md). */
#include "worker/request.h"

/*
 * Runs the kind data: finds the stick, makes the partition if it lacks one, and writes what became
 * of it to the request's note. *ret_fields is what the result line carries, also beside an error.
 * Returns 0, or a negative errno with err set.
 */
int data_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);
