/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Proves that this phone can be backed up, by a small piece of a real backup (README.md). */
#include "worker/request.h"

/* Runs the kind within its own limit. *ret_fields is what the result line carries, also that of an
 * error. Returns 0, or a negative errno with err set. */
int backup_proof_run(const struct request *request, sd_json_variant **ret_fields,
		     struct error *err);
