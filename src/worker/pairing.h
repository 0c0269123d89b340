/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Brings a phone to trust this computer, beside usbmuxd, which pairs by itself (README.md). */
#include "worker/session.h"

struct pairing_result {
	bool by_us;                /* else usbmuxd's preflight did, or it was trusted already */
	sd_json_variant *identity; /* owned by the caller */
};

/*
 * Goes on until the phone trusts this computer, and sends an event whenever what it says changes.
 * Returns 0, or a negative errno with err (which must be there) set: refused by policy, unplugged,
 * no place for the record. Its limit ends the process with `silent`, also inside a library call
 * that blocks: limit_s less a second, so that the result is there before the caller's own limit.
 */
int pairing_run(const char *udid, unsigned limit_s, struct pairing_result *ret, struct error *err);
