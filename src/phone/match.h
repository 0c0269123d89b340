/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Whether something that appeared is a phone that we know, and how two become one: the one place
 * that decides it. Strongest first: ECID → UDID → the port at which a job expects the phone back →
 * the same port as before, for things without any name.
 */
#include "phone/phone.h"

enum match {
	MATCH_NONE,
	MATCH_SAME_PORT,    /* neither has a name, and it stood at this port before */
	MATCH_AWAITED_PORT, /* a job expects the phone at this port, no name contradicts */
	MATCH_UDID,
	MATCH_ECID,
	MATCH_MAX,
};

/*
 * How well `news`, seen at `port` (NULL: seen elsewhere, only names count), fits the phone. Port
 * DFU shows the port controller's ECID: identity_from_sighting() leaves it out, so the port
 * decides.
 */
enum match phone_match(const struct phone *phone, const struct identity *news, const char *port);

/*
 * Two phones turned out to be one: adds what was known of the past one to the live one, whose
 * enumeration counts. A job that awaits the past one awaits the live one, unless that has settled:
 * then what it waited for has happened. A job that has the past one has the live one.
 */
void phone_join(struct phone *live, const struct phone *past, uint64_t now_ms);
