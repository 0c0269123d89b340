/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Moves pairing records of another system of this computer aside (README.md). */
#include "worker/request.h"

/* Runs the kind host-reset. *ret_fields is what the result line carries, also that of an error.
 * Returns 0, or a negative errno with err set. */
int host_reset_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);
