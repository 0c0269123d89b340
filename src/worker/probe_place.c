/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recovery, DFU and their like: what the phone at this place on the bus says of itself. */
#include "base/cleanup.h"
#include "worker/nonce.h"
#include "worker/probe.h"
#include "worker/usb_place.h"

static int strings_to_identity(const struct iboot_strings *strings, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *identity = NULL;
	static const struct {
		const char *tag, *field;
	} nonces[] = { { "NONC", "ap_nonce" }, { "SNON", "sep_nonce" } };
	char hex[NONCE_HEX_BYTES];
	int r;

	r = identity_add_text(&identity, "serial_string", strings->serial);
	if (r >= 0)
		r = identity_add_text(&identity, "nonce_string", strings->nonces);
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(nonces); i++)
		if (nonce_find(strings->nonces, nonces[i].tag, hex) == 0)
			r = identity_add_text(&identity, nonces[i].field, hex);
	if (r < 0)
		return r;
	*ret = TAKE(identity);
	return 0;
}

int probe_place(const struct request *request, sd_json_variant **ret_identity, struct error *err)
{
	_cleanup_(usb_place_done) struct usb_place place = {};
	struct iboot_strings strings;
	int r;

	r = usb_place_open(request->mode, request->bus, request->address, &place, err);
	if (r == 0)
		r = usb_place_strings(&place, request->ecid, &strings, err);
	if (r < 0)
		return r;
	r = strings_to_identity(&strings, ret_identity);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the identity");
	return 0;
}
