/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A worker's identity object: read, learnt twice, shown. */
#include "base/cleanup.h"
#include "phone/phone.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *shown = NULL;
	_cleanup_free_ char *text = malloc(size + 1);
	struct phone phone = { .sighting = { .port = "1-2" } };
	struct identity identity;
	char key[PHONE_KEY_BYTES];

	check(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (sd_json_parse(text, 0, &object, NULL, NULL) < 0 ||
	    identity_from_json(object, &identity) < 0)
		return 0;
	check(identity_learn(&phone.identity, &identity) >= 0);
	check(identity_learn(&phone.identity, &identity) == 0);
	check(identity_compare(&phone.identity, &identity) != TIE_DIFFERENT);
	phone_key(&phone, key);
	check(strlen(key) < PHONE_KEY_BYTES);
	/* whatever a phone calls itself, the object can be built */
	check(phone_to_json(&phone, &shown) >= 0);
	identity_forget_boot(&phone.identity);
	return 0;
}
