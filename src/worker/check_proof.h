/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What was proven of a firmware file, by levels (reference: firmware.md §3.3); each holds those
 * before it:
 *   0  its directory and lists are whole
 *   1  the hash of the whole file is the one that was asked for
 *   2  the checksum (CRC-32) of every member is right, and the local headers fit the directory
 *   3  the members that BuildManifest.plist vouches for are those (manifest_digest.h)
 * All of it is one read of the file from begin to end.
 */
#include "base/error.h"
#include "worker/archive.h"
#include "worker/ipsw.h"
#include "worker/manifest.h"
#include <systemd/sd-json.h>

enum { PROOF_STRUCTURE, PROOF_HASH, PROOF_CHECKSUMS, PROOF_DIGESTS };

struct proof_wish {
	unsigned level;           /* highest that is wanted */
	const struct ipsw *known; /* its hashes; level 1 without any is nothing to compare */
	/* These hashes are Apple's word: a whole file that has them is the published one. A member
	 * that differs from its digest then shows that we do not know how Apple makes that digest
	 * (firmware.md §3.3: confirmed for a few kinds only), not that the file is wrong. */
	bool vouched;
	const char *board;               /* whose identities count; NULL: all */
	const struct manifest *manifest; /* of this archive */
};

/*
 * Proves what is wanted, with events `progress`, and builds the object `proof` of README.md.
 * Returns 0, or a negative errno with err set: ERROR_BAD_FILE says what does not fit, and what to
 * do.
 */
int proof_make(struct archive *archive, const struct proof_wish *wish, sd_json_variant **ret,
	       struct error *err);
