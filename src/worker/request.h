/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The one line that the service sends (README.md): read within a limit, and checked to the last
 * field before anything is done for it.
 */
#include "base/error.h"
#include "facts/facts.h"
#include <systemd/sd-json.h>

/* "v" of every line, both ways. */
enum { WORKER_PROTOCOL_VERSION = 1 };

enum worker_kind { WORKER_PROBE, WORKER_MUX_WATCH, WORKER_KIND_MAX };

/* usbmuxd's clients know 40 digits, 25 characters, and nothing longer than 43. */
enum { REQUEST_UDID_BYTES = 44 };

struct request {
	enum worker_kind kind;
	/* of a probe */
	enum mode mode; /* never MODE_UNKNOWN */
	char
	    udid[REQUEST_UDID_BYTES]; /* normal and restore: letters, digits and hyphens; else "" */
	unsigned bus, address;        /* the other modes: 1…255 and 1…127; else 0 */
	uint64_t ecid;                /* 0 if the service does not know it */
};

/* "mux-watch"; never NULL. */
const char *worker_kind_name(enum worker_kind kind);
/* WORKER_KIND_MAX for a name that is none. */
enum worker_kind worker_kind_from_name(const char *name);

/* Checks the object against what a request of this kind may be. Returns 0, or -EINVAL with
 * ERROR_USAGE that names the field. */
int request_parse(sd_json_variant *object, enum worker_kind kind, struct request *ret,
		  struct error *err);

/*
 * Reads the line from fd (blocking or not), waiting at most timeout_ms, and parses it. Returns 0,
 * or a negative errno with ERROR_USAGE: no line in time, the stream ended, more than one line, or
 * no request.
 */
int request_read(int fd, int timeout_ms, enum worker_kind kind, struct request *ret,
		 struct error *err);
