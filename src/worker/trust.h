/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Does the phone trust this computer, and what to do about it (README.md). */
#include "worker/handset.h"
#include "worker/request.h"

enum trust_action {
	TRUST_CHECK,
	TRUST_PAIR,
	TRUST_AWAIT,
	TRUST_VERIFY,
	TRUST_UNPAIR,
	TRUST_ACTION_MAX,
};

struct trust_request {
	enum trust_action action;
	char udid[REQUEST_UDID_BYTES];
	unsigned limit_s; /* of TRUST_PAIR and TRUST_AWAIT, 10…3600; else 0 */
};

/* Reads the request's fields. Returns 0, or -EINVAL with ERROR_USAGE. */
int trust_request_parse(const struct request *request, struct trust_request *ret,
			struct error *err);

/* Runs the kind within its own limit. *ret_fields is what the result line carries, also that of an
 * error. Returns 0, or a negative errno with err set. */
int trust_run(const struct trust_request *request, sd_json_variant **ret_fields, struct error *err);

/* The action check, on a connection on which lockdownd has answered (it is taken, whatever the
 * outcome). Limit, result and errors are those of the action. */
int trust_check_on(struct handset *handset, sd_json_variant **ret_fields, struct error *err);
