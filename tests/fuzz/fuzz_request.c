/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The worker's request line: any bytes, as any kind. What is taken must keep its promises. */
#include "base/cleanup.h"
#include "worker/request.h"
#include "worker/trust.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_trust(const struct request *request)
{
	struct trust_request trust = {};
	struct error err = {};

	if (trust_request_parse(request, &trust, &err) < 0) {
		if (err.kind != ERROR_USAGE || err.text[0] == '\0')
			abort();
		return;
	}
	if (trust.action >= TRUST_ACTION_MAX || trust.udid[0] == '\0' ||
	    strlen(trust.udid) >= REQUEST_UDID_BYTES)
		abort();
	if ((trust.action == TRUST_PAIR) != (trust.limit_s >= 10) || trust.limit_s > 3600)
		abort();
}

static void check(const struct request *request, enum worker_kind kind)
{
	bool by_udid = request->mode == MODE_NORMAL || request->mode == MODE_RESTORE;

	if (request->kind != kind)
		abort();
	if (kind == WORKER_TRUST)
		check_trust(request);
	if (kind != WORKER_PROBE)
		return;
	if (by_udid != (request->udid[0] != '\0') || strlen(request->udid) >= REQUEST_UDID_BYTES)
		abort();
	if (by_udid != (request->bus == 0) || by_udid != (request->address == 0))
		abort();
	if (request->bus > 255 || request->address > 127)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

	if (sd_json_parse(text, SD_JSON_PARSE_MUST_BE_OBJECT, &object, NULL, NULL) < 0)
		return 0;
	for (size_t i = 0; i < WORKER_KIND_MAX; i++) {
		enum worker_kind kind = (enum worker_kind)i;
		_cleanup_(request_done) struct request request = {};
		struct error err = {};

		if (request_parse(object, kind, &request, &err) == 0)
			check(&request, kind);
		else if (err.kind != ERROR_USAGE || err.text[0] == '\0')
			abort();
	}
	return 0;
}
