/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/probe.h"
#include "base/cleanup.h"
#include "base/text.h"
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

int probe_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *identity = NULL;
	enum mode mode = request->mode;
	int r;

	if (request->udid[0] != '\0')
		r = probe_mux(request, &mode, &identity, err);
	else
		r = probe_place(request, &identity, err);
	if (r < 0)
		return r;
	r = sd_json_buildo(ret_fields, SD_JSON_BUILD_PAIR_STRING("mode", mode_name(mode)),
			   SD_JSON_BUILD_PAIR_VARIANT("identity", identity));
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result");
	return 0;
}
