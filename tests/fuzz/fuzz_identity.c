/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A worker's identity object: read, learnt twice, shown. */
#include "base/cleanup.h"
#include "doctor/lights.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

/* What the doctor makes of it: findings and lights that can be told. */
static void tell(struct phone *phone)
{
	struct circumstances seen = { .phone = phone, .mux_up = true };
	struct finding findings[FINDINGS_MAX];
	struct light_seen lights[LIGHT_MAX];
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *shown = NULL;
	size_t count;

	phone->mode = MODE_NORMAL;
	phone->on_bus = phone->in_mux = phone->trust_known = true;
	phone->trust = TRUST_TRUSTED;
	lights_see(&seen, lights);
	check(lights_to_json(lights, &shown) >= 0);
	count = diagnose(&seen, findings);
	check(count > 0 && count <= FINDINGS_MAX);
	for (size_t i = 0; i < count; i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

		check(finding_to_json(&findings[i], phone, &object) >= 0);
	}
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
	tell(&phone);
	identity_forget_boot(&phone.identity);
	return 0;
}
