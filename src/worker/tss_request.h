/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the signing server is asked: may this phone have this identity? (reference: firmware.md §2)
 * Built from the identity by rules of our own and not by libtatsu, which trusts the types in a
 * manifest and sends no Ap,* keys; the manifest is foreign bytes. No baseband part.
 */
#include "base/error.h"
#include "worker/property_list.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TSS_NONCE_BYTES = 32, TSS_SEP_NONCE_BYTES = 20, TSS_UUID_BYTES = 37 };

/* What must not be the same twice. */
struct tss_chance {
	uint8_t nonce[TSS_NONCE_BYTES]; /* the first ones are used where the chip has shorter ones
					 */
	uint8_t sep_nonce[TSS_SEP_NONCE_BYTES];
	char uuid[TSS_UUID_BYTES];
};
/* From the kernel. 0 or a negative errno. */
int tss_chance_make(struct tss_chance *ret);

/* Chips before the A7 take IMG3: another ticket, and no rules for production and security. */
bool tss_chip_is_img3(uint64_t chip_id);
/* Bytes of ApNonce: 20 up to the A9, 32 after. */
size_t tss_chip_nonce_bytes(uint64_t chip_id);

/*
 * The request for a phone with this ECID as an XML property list, allocated by libplist
 * (plist_mem_free()). 0, or a negative errno with err set (ERROR_BAD_FILE: the identity lacks what
 * every real one has).
 */
int tss_request_build(plist_t identity, uint64_t ecid, const struct tss_chance *chance, char **ret,
		      uint32_t *ret_bytes, struct error *err);
