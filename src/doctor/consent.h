/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Consents to erase: tokens that a plan card carries and that are used up once, within
 * TIMING_CONSENT, for exactly the phone, build, variant and goal they were given for, by somebody
 * who types LAST4 of that phone (DESIGN §12). They live in the service's memory only: a service
 * that starts again has none.
 */
#include "base/cleanup.h"
#include "doctor/plan.h"

enum { CONSENT_TOKEN_BYTES = 24 };

struct consents;
int consents_new(struct consents **ret);
struct consents *consents_free(struct consents *consents); /* NULL is fine; returns NULL */
DEFINE_CLEANUP(struct consents *, consents_free)

/* What a consent is bound to. plan: one that erases; its ecid, build, variant, goal and confirm
 * count. `job` is "" or the job whose question it answers. Returns 0, -EINVAL if the plan does not
 * erase or has no LAST4, or a negative errno (no randomness). */
int consent_mint(struct consents *consents, const struct plan *plan, const char *job,
		 uint64_t now_ms, char ret[static CONSENT_TOKEN_BYTES]);

/*
 * Uses a token up. confirm is compared without regard to case. Returns 0, or -EPERM with
 * ERROR_NO_CONSENT and a text that says what is wrong (unknown or used, too late, for another phone
 * or firmware, LAST4 does not fit). A wrong LAST4 does not use it up the first two times.
 */
int consent_use(struct consents *consents, const char *token, const char *confirm,
		const struct plan *plan, const char *job, uint64_t now_ms, struct error *err);

/* A token: 23 letters and digits that nobody guesses. 0, or a negative errno (no randomness). */
int consent_token_make(char ret[static CONSENT_TOKEN_BYTES]);
