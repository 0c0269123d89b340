/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Forgets pairings of this computer (README.md). */
#include "worker/request.h"

/* Runs the kind. *ret_fields is what the result line carries: "forgotten". Returns 0, or a negative
 * errno with err set. */
int record_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);

/*
 * Is this a file that usbmuxd keeps a pairing in ("UDID.plist")? Its other file, this computer's
 * identity, is not.
 */
bool record_file_name(const char *name);
