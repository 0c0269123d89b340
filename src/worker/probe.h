/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Who is this phone? Asked so that the phone notices as little as possible (README.md). */
#include "worker/handset.h"
#include "worker/inquiry.h"
#include "worker/request.h"

/*
 * Runs the kind, within its own limit. *ret_fields is what the result line carries: "mode",
 * "identity", and through usbmuxd "reach", which an error has, too. With request->trust these are
 * told as an event, and the result is that of a check of trust, with a limit of its own. Returns
 * 0, or a negative errno with err set.
 */
int probe_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);

/* Its two ways: through usbmuxd (*ret_mode: normal or restore; *ret is the connection, which the
 * caller ends with handset_done()), and at a place on the bus. */
int probe_mux(const struct request *request, struct inquiry *inquiry, struct handset *ret,
	      enum mode *ret_mode, sd_json_variant **ret_identity, struct error *err);
int probe_place(const struct request *request, sd_json_variant **ret_identity, struct error *err);

/*
 * Adds a field to the identity: src as valid UTF-8, nothing if it is NULL or empty. Returns 0 or a
 * negative errno.
 */
int identity_add_text(sd_json_variant **identity, const char *field, const char *src);
/* The ECID in the protocol's form; nothing if it is 0. */
int identity_add_ecid(sd_json_variant **identity, uint64_t ecid);
