/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Consents to move pairing records of this computer's own systems: tokens that go with a volume
 * that was shown, used up once, within TIMING_CONSENT, for exactly what was shown of it. They are
 * no consents to erase (doctor/consent.h) and nothing else takes them. In memory only.
 */
#include "base/cleanup.h"
#include "doctor/consent.h"
#include <systemd/sd-json.h>

struct move_consents;
int move_consents_new(struct move_consents **ret);
struct move_consents *move_consents_free(struct move_consents *consents); /* returns NULL */
DEFINE_CLEANUP(struct move_consents *, move_consents_free)

/* volume: what is shown of it, with its `id` and `records`; a reference is kept. Returns 0 or a
 * negative errno. */
int move_consent_mint(struct move_consents *consents, sd_json_variant *volume, uint64_t now_ms,
		      char ret[static CONSENT_TOKEN_BYTES]);

/* Uses a token up for the volume `id`. Returns 0 and what was shown of it (the caller unrefs), or
 * -EPERM with ERROR_NO_CONSENT that says why. */
int move_consent_use(struct move_consents *consents, const char *token, const char *id,
		     uint64_t now_ms, sd_json_variant **ret, struct error *err);
