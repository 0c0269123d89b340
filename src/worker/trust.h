/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Does the phone trust this computer, and what to do about it (README.md). */
#include "worker/request.h"

enum trust_action { TRUST_CHECK, TRUST_PAIR, TRUST_VERIFY, TRUST_ACTION_MAX };

struct trust_request {
	enum trust_action action;
	char udid[REQUEST_UDID_BYTES];
	unsigned limit_s; /* of a pairing, 10…3600; else 0 */
};

/* Reads the request's fields. Returns 0, or -EINVAL with ERROR_USAGE. */
int trust_request_parse(const struct request *request, struct trust_request *ret,
			struct error *err);

/* Runs the kind; a pairing brings its own limit. *ret_fields is what the result line carries.
 * Returns 0, or a negative errno with err set. */
int trust_run(const struct trust_request *request, sd_json_variant **ret_fields, struct error *err);
