/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A signing ticket (IM4M): which images one phone may load, for one nonce.
 *
 *     SEQUENCE { IA5 "IM4M", INTEGER 0, SET { MANB { SET { MANP { SET { property … } },
 *                                                          tag  { SET { property … } } … } } },
 *                OCTETS signature over that SET's DER, SEQUENCE { certificate … } }
 *
 * Properties used: of MANP BNCH (ApNonce), BORD, CHIP, ECID, CPRO, CSEC, SDOM, CEPO, snon (the
 * SEP's nonce); of an image's tag DGST. Form and properties: a ticket signed by Apple; what a real
 * boot ROM compares besides is not known. The pretended signing server of tests/net signs by ECDSA
 * P-384 over SHA-384, where Apple's uses RSA.
 */
#pragma once

#include "identity.h"
#include "restore/der.h"

struct ticket {
	struct span signed_part; /* the SET, with tag and length */
	struct span signature;
	struct span objects; /* MANP and the images' entries, one behind the other */
};

/* NULL, or why the bytes are no ticket; static text. The whole of it is walked. */
const char *ticket_read(const uint8_t *bytes, size_t len, struct ticket *ret_ticket);

/* @object: "MANP" or an image's tag. False: there is no such property. */
bool ticket_find(const struct ticket *t, const char *object, const char *property,
		 struct der_item *ret_value);

/* @key_path: a public key in PEM. A file that cannot be read ends the program. */
bool ticket_is_signed(const struct ticket *t, const char *key_path);

/* Whether the ticket is for this phone as it runs now. NULL, or what differs. */
const char *ticket_fits_phone(const struct ticket *t, const struct identity *id);
/* The SEP checks its own nonce. */
bool ticket_fits_sep(const struct ticket *t, const struct identity *id);

/* Whether the entry @type holds the digest of @bytes (SHA-1, SHA-256 or SHA-384 by its length). */
bool ticket_holds(const struct ticket *t, const char *type, struct span bytes);

/*
 * Hashes @bytes with the function whose digests have @digest_len bytes and compares. False also for
 * a length that none has.
 */
bool digest_fits(struct span bytes, const uint8_t *digest, size_t digest_len);
