/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The engine's parent (README.md, restore). */
#include "worker/request.h"
#include <stdbool.h>
#include <stdint.h>

/* What is asked for, checked; texts are borrowed from the request. */
struct restore_request {
	const char *folder;  /* of the job, absolute */
	const char *path;    /* of the firmware file, absolute */
	const char *name;    /* Apple's name of it, under which the engine sees it; NULL as it is */
	const char *variant; /* exact Info/Variant */
	const char *consent; /* the LAST4 that was typed; NULL unless erase */
	uint64_t ecid;       /* not 0 */
	uint64_t os_bytes;   /* size of the system image, 0 unknown */
	unsigned attempt;    /* 1 to 9 */
	bool erase;
};

enum { RESTORE_VARIANT_BYTES = 128, RESTORE_CONSENT_BYTES = 5, RESTORE_NAME_BYTES = 256 };

/* Reads and checks the request's own fields. 0, or a negative errno with ERROR_USAGE, or with
 * ERROR_NO_CONSENT for an erase that nobody consented to. */
int restore_request_parse(const struct request *request, struct restore_request *ret,
			  struct error *err);

/*
 * Runs the kind, to its end: whether the service still listens or not. *ret_fields is what the
 * result line carries, also when a negative errno is returned (then with err set).
 */
int restore_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);
