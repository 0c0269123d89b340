/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What Apple's signing server said about one firmware, for one phone. A verdict is evidence, no
 * promise: it is asked for when a plan is made and again right before the installation.
 */
#include "base/error.h"
#include "doctor/firmware.h"

enum sign_verdict {
	SIGN_NOT_ASKED, /* nobody asked: no phone, or its ECID or board are not known */
	SIGN_SIGNED,    /* a ticket for this ECID, board and variant was given */
	SIGN_NOT_SIGNED,
	SIGN_UNKNOWN, /* no answer, or one that may be our own fault: warns, blocks nothing */
	SIGN_VERDICT_MAX,
};
/* "not-asked", "signed", "not-signed", "unknown". */
const char *sign_verdict_name(enum sign_verdict verdict);
enum sign_verdict sign_verdict_from_name(const char *name); /* SIGN_VERDICT_MAX: none of ours */

struct signing {
	enum sign_verdict verdict;
	char text[ERROR_TEXT_BYTES]; /* one line for people: why not, why unknown; "" signed */
	uint64_t at_ms;              /* when it was asked, ms since the epoch */
	char manifest_sha256[SHA256_HEX_BYTES]; /* of the BuildManifest that was asked about; "" not
						   known */
};

/*
 * The object `signed` of plans and journals: verdict, text, at_ms, manifest_sha256. 0 or a negative
 * errno; from_json: -EBADMSG for what signing_to_json() does not write.
 */
int signing_to_json(const struct signing *signing, sd_json_variant **ret);
int signing_from_json(sd_json_variant *object, struct signing *ret);

/*
 * The answer of worker `sign` (worker/README.md), with result or err. Never fails: an answer that
 * is none, and a worker that failed, are unknown.
 */
void signing_take(sd_json_variant *result, const struct error *err, uint64_t now_ms,
		  struct signing *ret);

/*
 * Do two sources of their own, Apple's list one of them, call this build current? Then a refusal of
 * the signing server contradicts them, and may be a fault of our question.
 */
bool firmware_is_called_current(const struct firmware *firmware);
/* Is this word one of firmware->sources? */
bool firmware_has_source(const struct firmware *firmware, const char *word);

/*
 * Which of two builds is the older one, as Apple numbers them: number, letter, number ("23G71" <
 * "23G83" < "23H10"). Negative, 0 or positive; 0 for what cannot be compared, as the numbers of
 * four digits of betas with those of a release.
 */
int build_compare(const char *a, const char *b);
/* Numbers of two versions like "17.5.1", compared one by one; a missing one is 0. */
int version_compare(const char *a, const char *b);
