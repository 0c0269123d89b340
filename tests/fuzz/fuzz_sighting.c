/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A tape's line: what is read is written and read again as the same; and a fleet takes it. */
#include "base/cleanup.h"
#include "base/log.h"
#include "bus/sighting.h"
#include "phone/fleet.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void ignore(enum fleet_event event, const struct phone *phone, void *user)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

	check(phone_to_json(phone, &object) >= 0);
}

/* One phone at most comes of it, and none is left when it has gone. */
static void feed(const struct sighting *sighting)
{
	_cleanup_(fleet_freep) struct fleet *fleet = NULL;

	check(fleet_new(ignore, NULL, &fleet) == 0);
	fleet_sighting(fleet, SIGHTING_APPEARED, sighting, 1000);
	check(fleet_count(fleet) <= 1);
	fleet_sighting(fleet, SIGHTING_CHANGED, sighting, 2000);
	check(fleet_count(fleet) <= 1);
	fleet_sighting(fleet, SIGHTING_GONE, sighting, 3000);
	check(fleet_count(fleet) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *again = NULL;
	_cleanup_free_ char *text = malloc(size + 1);
	enum sighting_change change, change_again;
	struct sighting sighting, sighting_again;

	log_init("fuzz", LOG_ERR);
	check(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (sd_json_parse(text, 0, &object, NULL, NULL) < 0 ||
	    sighting_from_json(object, &change, &sighting) < 0)
		return 0;
	check(change < SIGHTING_CHANGE_MAX);
	check(sighting_to_json(change, &sighting, &again) >= 0);
	if (change != SIGHTING_GONE) {
		check(sighting_from_json(again, &change_again, &sighting_again) == 0);
		check(change == change_again);
		check(memcmp(&sighting, &sighting_again, sizeof(sighting)) == 0);
	}
	feed(&sighting);
	return 0;
}
