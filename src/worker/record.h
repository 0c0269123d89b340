/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Forgets pairings of this computer, keeps a copy of them where the person wants it (README.md). */
#include "worker/record_store.h"
#include "worker/request.h"

/* Runs the kind. *ret_fields is what the result line carries. Returns 0, or a negative errno with
 * err set. */
int record_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);
