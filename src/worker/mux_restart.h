/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Restarts usbmuxd (README.md, "mux"). */
#include "worker/request.h"

/* Runs the kind. *ret_fields is what the result line carries: "answered_ms". Returns 0, or a
 * negative errno with err set. */
int mux_restart_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);
