/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Brings a phone to trust this computer, beside usbmuxd, which pairs by itself (README.md). */
#include "worker/session.h"

enum pairing_end {
	PAIRING_UNTIL_TRUSTED,
	PAIRING_UNTIL_RECORD, /* a record is there, whoever made it: it is not looked at */
};

struct pairing_result {
	bool by_us;                /* else usbmuxd's preflight did, or it was trusted already */
	sd_json_variant *identity; /* owned by the caller; NULL with PAIRING_UNTIL_RECORD */
};

/* What is known at any time, and so also when it fails. */
struct pairing_news {
	enum trust_word said; /* what the phone said last */
	const char *detail;   /* a word of README.md, static; NULL none */
};

/*
 * Goes on until the phone trusts this computer or its record is there, and sends an event whenever
 * what it says changes. Returns 0, or a negative errno with err (which must be there) set: refused
 * by policy, unplugged, no place for the record; news is up to date either way. Its limit ends the
 * process with `silent`, also inside a library call that blocks: limit_s less a second, so that the
 * result is there before the caller's own limit.
 */
int pairing_run(const char *udid, unsigned limit_s, enum pairing_end until,
		struct pairing_result *ret, struct pairing_news *news, struct error *err);
/* They as fields of a result that failed: "trust", "detail". Returns 0 or a negative errno. */
int pairing_news_fields(const struct pairing_news *news, sd_json_variant **ret);
