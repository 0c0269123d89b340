/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/probe.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/reply.h"
#include "worker/trust.h"
#include <inttypes.h>
#include <stdio.h>

/* Holds the longest string of iBoot; a phone's name is cut there. */
enum { IDENTITY_TEXT_BYTES = 384 };

int identity_add_text(sd_json_variant **identity, const char *field, const char *src)
{
	char text[IDENTITY_TEXT_BYTES];

	if (text_copy(text, sizeof(text), src) == 0)
		return 0;
	return sd_json_variant_set_field_string(identity, field, text);
}

int identity_add_ecid(sd_json_variant **identity, uint64_t ecid)
{
	char text[sizeof("0x0123456789abcdef")];

	if (ecid == 0)
		return 0;
	snprintf(text, sizeof(text), "0x%016" PRIx64, ecid);
	return sd_json_variant_set_field_string(identity, "ecid", text);
}

static int build(enum mode mode, sd_json_variant *identity, sd_json_variant **ret_fields,
		 struct error *err)
{
	int r = sd_json_buildo(ret_fields, SD_JSON_BUILD_PAIR_STRING("mode", mode_name(mode)),
			       SD_JSON_BUILD_PAIR_VARIANT("identity", identity));

	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result");
	return 0;
}

/* One process and one connection for both questions: half the work of a phone that has just come.
 */
static int go_on_with_trust(struct handset *handset, sd_json_variant **fields, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *told = TAKE(*fields);
	int r = reply_event("identity", told);

	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot tell who it is");
	return trust_check_on(handset, fields, err);
}

int probe_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *identity = NULL, *reach = NULL;
	_cleanup_(handset_done) struct handset handset = {};
	enum mode mode = request->mode;
	bool through_mux = request->udid[0] != '\0';
	struct inquiry inquiry;
	int r = inquiry_begin(&inquiry, timing_ms(TIMING_PROBE_SILENCE) - INQUIRY_MARGIN_MS, err);

	if (r < 0)
		return r;
	if (through_mux)
		r = probe_mux(request, &inquiry, &handset, &mode, &identity, err);
	else
		r = probe_place(request, &identity, err);
	inquiry_end(&inquiry);
	if (r == 0)
		r = build(mode, identity, ret_fields, err);
	if (through_mux && inquiry_fields(&inquiry, &reach) == 0)
		(void)sd_json_variant_merge_object(ret_fields, reach);
	if (r == 0 && request->trust && mode == MODE_NORMAL)
		r = go_on_with_trust(&handset, ret_fields, err);
	return r;
}
