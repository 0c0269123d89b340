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

enum worker_kind {
	WORKER_PROBE,
	WORKER_MUX_WATCH,
	WORKER_TRUST,
	WORKER_RECORD,
	WORKER_MODE,
	WORKER_CATALOGUE,
	WORKER_FETCH,
	WORKER_CHECK,
	WORKER_RESTORE,
	WORKER_KERNEL_WATCH,
	WORKER_MUX,
	WORKER_HOST_LOOK,
	WORKER_HOST_RESET,
	WORKER_BACKUP_PROOF,
	WORKER_SIGN,
	WORKER_NETWORK,
	WORKER_DATA,
	WORKER_DISK,
	WORKER_KIND_MAX,
};

/* usbmuxd's clients know 40 digits, 25 characters, and nothing longer than 43. */
enum { REQUEST_UDID_BYTES = 44 };

struct request {
	enum worker_kind kind;
	/* the whole line, for kinds that read their fields themselves (request_fields()); owned by
	 * the request */
	sd_json_variant *object;
	sd_json_variant *own; /* the same without v, type and kind; owned by the request, too */
	/* of a probe */
	enum mode mode; /* never MODE_UNKNOWN */
	char
	    udid[REQUEST_UDID_BYTES]; /* normal and restore: letters, digits and hyphens; else "" */
	unsigned bus, address;        /* the other modes: 1…255 and 1…127; else 0 */
	uint64_t ecid;                /* 0 if the service does not know it */
	bool trust; /* normal mode: a check of trust is to follow, on the same connection */
};

/* "mux-watch"; never NULL. */
const char *worker_kind_name(enum worker_kind kind);
/* WORKER_KIND_MAX for a name that is none. */
enum worker_kind worker_kind_from_name(const char *name);

static inline void request_done(struct request *request)
{
	sd_json_variant_unref(request->object);
	sd_json_variant_unref(request->own);
}

/*
 * Reads the request's own fields (beyond v, type and kind) by a table of sd-json into ret, which
 * the caller has set to "absent" values. Give every row a fixed type and SD_JSON_REFUSE_NULL; texts
 * are borrowed from the request. Returns 0, or -EINVAL with ERROR_USAGE that names the field that
 * is missing, unknown or wrong.
 */
int request_fields(const struct request *request, const sd_json_dispatch_field *table, void *ret,
		   struct error *err);

/* Fields that several kinds have, with the same rules as a probe's: 0, or -EINVAL with err set. */
int request_check_udid(const char *udid, char ret[static REQUEST_UDID_BYTES], struct error *err);
int request_check_ecid(const char *ecid, uint64_t *ret, struct error *err);
int request_check_place(uint64_t bus, uint64_t address, unsigned *ret_bus, unsigned *ret_address,
			struct error *err);

/* Checks the object against what a request of this kind may be. Returns 0 (the caller ends
 * it with request_done()), or -EINVAL with ERROR_USAGE that names the field. */
int request_parse(sd_json_variant *object, enum worker_kind kind, struct request *ret,
		  struct error *err);

/*
 * Reads the line from fd (blocking or not), waiting at most timeout_ms, and parses it. Returns 0,
 * or a negative errno with ERROR_USAGE: no line in time, the stream ended, more than one line, or
 * no request.
 */
int request_read(int fd, int timeout_ms, enum worker_kind kind, struct request *ret,
		 struct error *err);
