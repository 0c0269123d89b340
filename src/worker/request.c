/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/request.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/line.h"
#include "base/text.h"
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { BUS_MAX = 255, ADDRESS_MAX = 127 };

static const char *const kind_names[WORKER_KIND_MAX] = {
	[WORKER_PROBE] = "probe",
	[WORKER_MUX_WATCH] = "mux-watch",
	[WORKER_TRUST] = "trust",
	[WORKER_RECORD] = "record",
	[WORKER_MODE] = "mode",
	[WORKER_CATALOGUE] = "catalogue",
	[WORKER_FETCH] = "fetch",
	[WORKER_CHECK] = "check",
	[WORKER_RESTORE] = "restore",
	[WORKER_KERNEL_WATCH] = "kernel-watch",
	[WORKER_MUX] = "mux",
	[WORKER_HOST_LOOK] = "host-look",
	[WORKER_HOST_RESET] = "host-reset",
	[WORKER_BACKUP_PROOF] = "backup-proof",
	[WORKER_SIGN] = "sign",
	[WORKER_NETWORK] = "network",
	[WORKER_DATA] = "data",
	[WORKER_DISK] = "disk",
};

const char *worker_kind_name(enum worker_kind kind)
{
	return kind_names[kind];
}

enum worker_kind worker_kind_from_name(const char *name)
{
	for (size_t i = 0; i < WORKER_KIND_MAX; i++)
		if (strcmp(kind_names[i], name) == 0)
			return (enum worker_kind)i;
	return WORKER_KIND_MAX;
}

/* The fields as they stand in the object; strings belong to it. A field that is not there is NULL
 * or NUMBER_ABSENT. */
struct fields {
	const char *type, *kind, *mode, *udid, *ecid;
	uint64_t version, bus, address;
	bool trust;
};
static const uint64_t NUMBER_ABSENT = UINT64_MAX;

#define FIELD(name, variant_type, dispatch, member, flags)                                         \
	{ name, SD_JSON_VARIANT_##variant_type, sd_json_dispatch_##dispatch,                       \
	  offsetof(struct fields, member), SD_JSON_REFUSE_NULL | (flags) }
#define HEAD_FIELDS                                                                                \
	FIELD("v", UNSIGNED, uint64, version, SD_JSON_MANDATORY),                                  \
	    FIELD("type", STRING, const_string, type, SD_JSON_MANDATORY),                          \
	    FIELD("kind", STRING, const_string, kind, SD_JSON_MANDATORY)

/* Fixed types: left open, sd-json takes "7" and 7.0 for an integer (platform.md §1.4). */
static const sd_json_dispatch_field probe_fields[] = {
	HEAD_FIELDS,
	FIELD("mode", STRING, const_string, mode, SD_JSON_MANDATORY),
	FIELD("udid", STRING, const_string, udid, 0),
	FIELD("bus", UNSIGNED, uint64, bus, 0),
	FIELD("address", UNSIGNED, uint64, address, 0),
	FIELD("ecid", STRING, const_string, ecid, 0),
	FIELD("trust", BOOLEAN, stdbool, trust, 0),
	{},
};
static const sd_json_dispatch_field head_fields[] = { HEAD_FIELDS, {} };

static int refuse(struct error *err, const char *what)
{
	return error_set(err, ERROR_USAGE, "worker", 0, "%s", what);
}

static int fields_dispatch(sd_json_variant *object, const sd_json_dispatch_field *table,
			   sd_json_dispatch_flags_t flags, void *fields, struct error *err)
{
	const char *bad = NULL;
	int r = sd_json_dispatch_full(object, table, NULL, flags, fields, &bad);

	if (r >= 0)
		return 0;
	if (!bad)
		return refuse(err, "The request is not an object of fields");
	if (r == -EADDRNOTAVAIL)
		return error_set(err, ERROR_USAGE, "worker", 0, "Unknown field \"%s\"", bad);
	if (r == -ENXIO)
		return error_set(err, ERROR_USAGE, "worker", 0, "Field \"%s\" is missing", bad);
	return error_set(err, ERROR_USAGE, "worker", 0, "Field \"%s\" has a wrong value", bad);
}

static bool udid_is_plausible(const char *udid)
{
	static const char allowed[] = "0123456789-abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = strlen(udid);

	return n > 0 && n < REQUEST_UDID_BYTES && strspn(udid, allowed) == n;
}

/* "0x" and 16 lower-case hex digits. */
static int ecid_parse(const char *s, uint64_t *ret)
{
	enum { DIGITS = 16 };

	if (strncmp(s, "0x", 2) != 0 || strlen(s) != 2 + DIGITS ||
	    strspn(s + 2, "0123456789abcdef") != DIGITS)
		return -EINVAL;
	return text_parse_hex(s + 2, DIGITS, ret);
}

int request_check_udid(const char *udid, char ret[static REQUEST_UDID_BYTES], struct error *err)
{
	if (!udid)
		return refuse(err, "Field \"udid\" is missing");
	if (!udid_is_plausible(udid))
		return refuse(err, "Field \"udid\" is no UDID");
	text_copy(ret, REQUEST_UDID_BYTES, udid);
	return 0;
}

int request_check_ecid(const char *ecid, uint64_t *ret, struct error *err)
{
	if (!ecid || ecid_parse(ecid, ret) < 0)
		return refuse(err, "Field \"ecid\" is no ECID");
	return 0;
}

int request_check_place(uint64_t bus, uint64_t address, unsigned *ret_bus, unsigned *ret_address,
			struct error *err)
{
	if (bus < 1 || bus > BUS_MAX)
		return refuse(err, "Field \"bus\" is missing or out of range");
	if (address < 1 || address > ADDRESS_MAX)
		return refuse(err, "Field \"address\" is missing or out of range");
	*ret_bus = (unsigned)bus;
	*ret_address = (unsigned)address;
	return 0;
}

/* Phones that are asked through usbmuxd are named by UDID. */
static int probe_check_mux(const struct fields *fields, struct request *request, struct error *err)
{
	if (fields->bus != NUMBER_ABSENT || fields->address != NUMBER_ABSENT || fields->ecid)
		return refuse(err, "This mode is asked by udid, not by bus, address or ecid");
	return request_check_udid(fields->udid, request->udid, err);
}

/* The others by their place on the bus. */
static int probe_check_place(const struct fields *fields, struct request *request,
			     struct error *err)
{
	if (fields->udid)
		return refuse(err, "This mode is asked by bus and address, not by udid");
	if (fields->ecid && request_check_ecid(fields->ecid, &request->ecid, err) < 0)
		return -EINVAL;
	return request_check_place(fields->bus, fields->address, &request->bus, &request->address,
				   err);
}

static int probe_check(const struct fields *fields, struct request *request, struct error *err)
{
	request->mode = mode_from_name(fields->mode);
	request->trust = fields->trust;
	if (fields->trust && request->mode != MODE_NORMAL)
		return refuse(err, "Only a phone in normal mode can be asked for trust");
	switch (request->mode) {
	case MODE_NORMAL:
	case MODE_RESTORE:
		return probe_check_mux(fields, request, err);
	case MODE_RECOVERY:
	case MODE_DFU:
	case MODE_WTF:
	case MODE_PORT_DFU:
	case MODE_DEBUG_USB:
		return probe_check_place(fields, request, err);
	case MODE_UNKNOWN:
	case MODE_MAX:
		break;
	}
	return refuse(err, "Field \"mode\" is no mode that can be asked");
}

/* The fields that are the kind's own. Texts that are taken from them live as long as the request.
 */
static int own_take(struct request *request, struct error *err)
{
	static char *const head[] = { (char *)"v", (char *)"type", (char *)"kind", NULL };

	request->own = sd_json_variant_ref(request->object);
	if (sd_json_variant_filter(&request->own, (char **)head) >= 0)
		return 0;
	request_done(request);
	return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot keep the request");
}

int request_parse(sd_json_variant *object, enum worker_kind kind, struct request *ret,
		  struct error *err)
{
	struct request request = { .kind = kind };
	struct fields fields = { .bus = NUMBER_ABSENT, .address = NUMBER_ABSENT };
	bool own_fields =
	    kind != WORKER_PROBE && kind != WORKER_MUX_WATCH && kind != WORKER_KERNEL_WATCH;
	int r;

	r = fields_dispatch(object, kind == WORKER_PROBE ? probe_fields : head_fields,
			    own_fields ? SD_JSON_ALLOW_EXTENSIONS : 0, &fields, err);
	if (r < 0)
		return r;
	if (fields.version != WORKER_PROTOCOL_VERSION)
		return refuse(err, "The request is of another version of the protocol");
	if (strcmp(fields.type, "request") != 0)
		return refuse(err, "The line is no request");
	if (strcmp(fields.kind, worker_kind_name(kind)) != 0)
		return refuse(err, "The request is for a worker of another kind");
	if (kind == WORKER_PROBE) {
		r = probe_check(&fields, &request, err);
		if (r < 0)
			return r;
	}
	request.object = sd_json_variant_ref(object);
	r = own_take(&request, err);
	if (r < 0)
		return r;
	*ret = request;
	return 0;
}

int request_fields(const struct request *request, const sd_json_dispatch_field *table, void *ret,
		   struct error *err)
{
	return fields_dispatch(request->own, table, 0, ret, err);
}

/* Waits for bytes and takes them; 0, or a negative errno with err set. */
static int reader_wait(struct line_reader *reader, int fd, uint64_t deadline_ms, struct error *err)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint64_t now = clock_now_ms();
	int r;

	if (now >= deadline_ms)
		return refuse(err, "No request came in time");
	r = poll(&poll_fd, 1, (int)(deadline_ms - now));
	if (r < 0 && errno != EINTR)
		return error_set_errno(err, ERROR_BUG, "kernel", errno, "Cannot wait for input");
	if (r <= 0)
		return 0;
	r = line_reader_fill(reader, fd);
	if (r == 0)
		return refuse(err, "The stream ended before a whole request");
	if (r < 0 && r != -EAGAIN)
		return error_set_errno(err, ERROR_USAGE, "kernel", -r, "Cannot read the request");
	return 0;
}

int request_read(int fd, int timeout_ms, enum worker_kind kind, struct request *ret,
		 struct error *err)
{
	_cleanup_(line_reader_freep) struct line_reader *reader = NULL;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *second = NULL;
	uint64_t deadline_ms = clock_now_ms() + (uint64_t)timeout_ms;
	int r;

	r = line_reader_new(&reader);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "kernel", -r, "Cannot read a request");
	while ((r = line_reader_next(reader, &object)) == 0) {
		r = reader_wait(reader, fd, deadline_ms, err);
		if (r < 0)
			return r;
	}
	if (r == -EMSGSIZE)
		return refuse(err, "The request is longer than a line may be");
	if (r < 0)
		return refuse(err, "The request is no JSON object");
	if (line_reader_next(reader, &second) != 0 || line_reader_has_rest(reader))
		return refuse(err, "Something follows the request");
	return request_parse(object, kind, ret, err);
}
