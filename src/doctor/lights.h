/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The three lights of a phone: how far the way to it is open. Pure, like diagnose().
 *
 *   USB ──▶ mux ──▶ secure link      the first that failed names the layer that is to be repaired
 */
#include "doctor/diagnose.h"

enum light {
	LIGHT_USB,  /* the phone enumerates, at a proper speed, without errors */
	LIGHT_MUX,  /* usbmuxd sees it, and its lockdown port answers */
	LIGHT_LINK, /* lockdownd answers, the record is known, a TLS session opens, a service starts
		     */
	LIGHT_MAX,
};

enum light_state {
	LIGHT_OFF, /* does not apply in this mode, or nobody has looked yet */
	LIGHT_WORKING,
	LIGHT_FAILED,
	LIGHT_STATE_MAX,
};

enum { LIGHT_EVIDENCE_BYTES = 256 };

struct light_seen {
	enum light_state state;
	char evidence[LIGHT_EVIDENCE_BYTES]; /* one line, valid UTF-8, never empty */
};

const char *light_name(enum light light);             /* "usb", "mux", "link" */
const char *light_state_name(enum light_state state); /* "off", "working", "failed" */

/* circumstances->phone must not be NULL. */
void lights_see(const struct circumstances *circumstances, struct light_seen ret[static LIGHT_MAX]);

/* The first light that failed, LIGHT_MAX if none did. */
enum light lights_failed(const struct light_seen lights[static LIGHT_MAX]);

/*
 * Adds to the object of the phone (phone_to_json()) "lights": [{"light","state","evidence"}, …],
 * always all three in order, and "failed_light" if one failed. Returns 0 or a negative errno.
 */
int lights_to_json(const struct light_seen lights[static LIGHT_MAX], sd_json_variant **object);
