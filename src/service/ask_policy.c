/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who is asked what, when, and how often again. Pure. */
#include "service/ask_parts.h"
#include <inttypes.h>
#include <stdio.h>

bool mode_is_booted(enum mode mode)
{
	return mode == MODE_NORMAL || mode == MODE_RESTORE;
}

int ask_is_possible(const struct phone *phone, enum ask ask, struct error *err)
{
	if (!phone->on_bus)
		return error_set(err, ERROR_UNPLUGGED, "service", 0, "it is not on the USB bus");
	if (phone->presence == PRESENCE_AWAITED || phone->job[0] != '\0')
		return error_set(err, ERROR_BUSY, "service", 0, "a job is working on it");
	if (phone->mode == MODE_UNKNOWN)
		return error_set(err, ERROR_UNSUPPORTED, "service", 0, "its mode is not known");
	if (ask == ASK_TRUST && phone->mode != MODE_NORMAL)
		return error_set(err, ERROR_UNSUPPORTED, "service", 0,
				 "only a phone that runs iOS can trust a computer");
	if (mode_is_booted(phone->mode) && (!phone->in_mux || phone->identity.udid[0] == '\0'))
		return error_set(err, ERROR_SILENT, "usbmuxd", 0, "usbmuxd does not list it (yet)");
	return 0;
}

bool ask_is_needed(const struct phone *phone, enum ask ask)
{
	const struct usb_id *id = usb_id_find(phone->sighting.vid, phone->sighting.pid);

	if (ask == ASK_TRUST)
		return phone->mode == MODE_NORMAL && phone->asked && !phone->trust_known;
	/* A booted phone tells its model and name only to who asks; the others write into their USB
	 * strings who they are, unless the facts or the missing ECID say that they do not. */
	return mode_is_booted(phone->mode) || (id && id->ask) || phone->identity.ecid == 0;
}

bool ask_is_due(const struct phone *phone, enum ask ask)
{
	return (ask == ASK_TRUST || !phone->asked) && ask_is_possible(phone, ask, NULL) >= 0 &&
	       ask_is_needed(phone, ask);
}

bool ask_is_worth_again(enum error_kind kind)
{
	return kind == ERROR_SILENT || kind == ERROR_BUSY || kind == ERROR_PROTOCOL ||
	       kind == ERROR_NO_SERVICE;
}

bool ask_changes_by_itself(const struct phone *phone)
{
	switch (phone->trust) {
	/* somebody unlocks it, or taps: the phone tells that to nobody whom it does not trust yet;
	 * without a record dialog.c watches it */
	case TRUST_LOCKED:
	case TRUST_ASKING:
		return phone->trust_known && phone->has_record;
	case TRUST_UNKNOWN: /* a new record is told by usbmuxd */
	case TRUST_DENIED:  /* it asks again only after a replug */
	case TRUST_STALE:
	case TRUST_TRUSTED:
	case TRUST_REFUSED_BY_POLICY:
	case TRUST_MAX:
		break;
	}
	return false;
}

unsigned ask_pause_ms(unsigned attempts)
{
	unsigned pause_ms = timing_ms(TIMING_TRUST_AGAIN);

	while (attempts-- > 1 && pause_ms < timing_ms(TIMING_TRUST_AGAIN_MOST))
		pause_ms *= 2;
	return pause_ms < timing_ms(TIMING_TRUST_AGAIN_MOST) ? pause_ms
							     : timing_ms(TIMING_TRUST_AGAIN_MOST);
}

int ask_place(const struct phone *phone, sd_json_variant **ret)
{
	char ecid[2 + 16 + 1];

	snprintf(ecid, sizeof(ecid), "0x%016" PRIx64, phone->identity.ecid);
	if (mode_is_booted(phone->mode))
		return sd_json_buildo(ret,
				      SD_JSON_BUILD_PAIR_STRING("mode", mode_name(phone->mode)),
				      SD_JSON_BUILD_PAIR_STRING("udid", phone->identity.udid));
	return sd_json_buildo(ret, SD_JSON_BUILD_PAIR_STRING("mode", mode_name(phone->mode)),
			      SD_JSON_BUILD_PAIR_UNSIGNED("bus", phone->sighting.bus),
			      SD_JSON_BUILD_PAIR_UNSIGNED("address", phone->sighting.address),
			      SD_JSON_BUILD_PAIR_CONDITION(phone->identity.ecid != 0, "ecid",
							   SD_JSON_BUILD_STRING(ecid)));
}
