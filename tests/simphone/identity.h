/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who the phone is: ECID, serial number, UDID, nonces, and the strings in which each mode tells
 * them. Survives every change of mode; only the nonces change, at a boot into boot ROM or iBoot.
 */
#pragma once

#include <stdint.h>

#include "buf.h"
#include "scenario.h"

enum {
	AP_NONCE_MAX = 32,
	SEP_NONCE_BYTES = 20,
	/* a USB string descriptor is at most 255 bytes: 126 UTF-16 units and the header */
	USB_STRING_UNITS_MAX = 126,
};

struct identity {
	const struct model *model;
	uint64_t ecid;
	char serial[32];
	char udid[48];
	char imei[24];
	char pwned[32];
	uint8_t ap_nonce[AP_NONCE_MAX];
	uint8_t sep_nonce[SEP_NONCE_BYTES];
	uint64_t random;      /* state of the generator behind the nonces */
	unsigned nonce_bytes; /* of the ApNonce */
	bool nonces_kept;     /* the next boot of iBoot shows the same nonces */
};

void identity_init(struct identity *id, const struct scenario *s);

/*
 * A new boot of boot ROM or iBoot (@mode): draws nonces, unless the rule is fixed (or zero: the
 * ApNonce is all zeros) or they are kept for an iBoot.
 */
void identity_boot(struct identity *id, enum mode mode, enum nonce_rule rule);

/*
 * The iBoot that comes next shows the nonces of now: `go` into another iBoot does that, and so does
 * the system when it tells its ApNonce (it writes the nonce to NVRAM for iBoot).
 */
void identity_keep_nonces(struct identity *id);

/* Bytes of the ApNonce: the model's, or the scenario's. */
unsigned identity_nonce_bytes(const struct identity *id);

/* The USB serial string of recovery, DFU, WTF and Port DFU; also the one inside the debug-USB
 * record. */
void identity_iboot_string(const struct identity *id, enum mode mode, struct buf *to);

/* String index 1 of recovery and DFU: "NONC:… SNON:…". */
void identity_nonce_string(const struct identity *id, struct buf *to);
