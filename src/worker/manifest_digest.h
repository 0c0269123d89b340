/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which members of a firmware BuildManifest.plist vouches for, and how (reference: firmware.md
 * §3.3). What was compared with real files: a digest covers the whole member, SHA-1 (20 bytes),
 * SHA-256 (32) or SHA-384 (48); where Info/Img4PayloadType stands, the IM4P with that type in the
 * place of its own. Not compared, because nobody has shown what is covered: entries with
 * HashMethod (system and cryptex images), several digests of inner parts (baseband, secure element,
 * eUICC), an entry of a table (IsFTAB), and all of the IMG3 era.
 */
#include "worker/manifest.h"
#include <stdint.h>

enum { MANIFEST_DIGEST_BYTES_MAX = 48, MANIFEST_COMPONENT_BYTES = 48 };

struct manifest_digest {
	char component[MANIFEST_COMPONENT_BYTES]; /* who says so; one of them */
	const char *path;                         /* member */
	const char *type;                         /* four characters; NULL: the member as it is */
	const uint8_t *digest;                    /* NULL: it cannot be compared */
	size_t bytes;                             /* of the digest */
	/* firmware of another chip: where it is no IM4P, what is covered was not seen for all */
	bool is_foreign;
};

/*
 * For the identities of a board (NULL: of all), research ones left out; sorted by path, each only
 * once. Path, type and digest are borrowed from the manifest. The caller frees *ret. Returns 0, or
 * a negative errno with err set.
 */
int manifest_digests(const struct manifest *manifest, const char *board,
		     struct manifest_digest **ret, size_t *ret_count, struct error *err);
