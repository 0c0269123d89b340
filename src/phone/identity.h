/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is known of a handset's identity, whoever said so: the bus (serial strings), the mux (UDID)
 * or a worker that asked. Knowledge only grows: identity_learn() never replaces a value by nothing,
 * and reports a contradiction instead of mixing two phones.
 */
#include "bus/serial.h"
#include "bus/sighting.h"
#include "facts/facts.h"
#include <systemd/sd-json.h>

enum { IDENTITY_TEXT_BYTES = 128, NONCE_BYTES_MAX = 32 };

/* What a phone says to a question of yes or no. */
enum told { TOLD_NOTHING, TOLD_NO, TOLD_YES };

struct identity {
	uint64_t ecid;             /* 0 unknown */
	char udid[UDID_BYTES];     /* "" unknown, here and below */
	const struct model *model; /* from chip and board, board name, or product; NULL unknown */
	char product[IDENTITY_TEXT_BYTES];    /* ProductType, also of a model that we do not know */
	char name[IDENTITY_TEXT_BYTES];       /* the name its owner gave it */
	char version[IDENTITY_TEXT_BYTES];    /* ProductVersion, "17.5.1" */
	char build[IDENTITY_TEXT_BYTES];      /* BuildVersion */
	char serial_number[IBOOT_TEXT_BYTES]; /* Apple's serial number */
	uint64_t capacity_bytes;              /* of its storage as it is sold; 0 unknown */
	unsigned battery;                     /* percent + 1, so that 0 is unknown */
	bool battery_charging;                /* goes with battery */
	uint64_t free_bytes;                  /* of its storage for data; goes with free_known */
	bool free_known;
	char activation[IDENTITY_TEXT_BYTES]; /* ActivationState: "Activated", "Unactivated",
						 "FactoryActivated" … */
	enum told setup_done;                 /* its first setup was ended */
	enum told supervised;                 /* an organisation supervises it */
	enum told lost_mode;
	enum told passcode_set;
	struct iboot_serial
	    iboot; /* of the latest recovery or DFU; .has == 0 if never seen there */
	char ap_nonce[NONCE_BYTES_MAX * 2 +
		      1]; /* lower-case hex; belongs to the present boot only */
	char sep_nonce[NONCE_BYTES_MAX * 2 + 1];
};

/* What a sighting alone tells. id is the sighting's row in the facts, NULL if it has none. Always
 * fills *ret. */
void identity_from_sighting(const struct sighting *sighting, const struct usb_id *id,
			    struct identity *ret);

/*
 * A worker's identity object (src/worker/README.md lists its fields, others are skipped). Texts are
 * cut to their size; ids, UDID and nonces must have the documented form and not contradict each
 * other; of the phone's serial string what makes sense is taken. Returns 0 or -EBADMSG; nothing is
 * written on failure.
 */
int identity_from_json(sd_json_variant *object, struct identity *ret);

/* What two identities say of each other; the stronger name decides (DESIGN §5). */
enum identity_tie {
	TIE_UNCERTAIN, /* no name that both have */
	TIE_ECID,      /* the same ECID */
	TIE_UDID,      /* the same UDID, and not both have an ECID */
	TIE_DIFFERENT, /* two handsets */
};
enum identity_tie identity_compare(const struct identity *a, const struct identity *b);

/*
 * Adds what `news` knows to `known`. Returns 1 if something changed, 0 if not, -EXDEV if ECID or
 * UDID contradict each other (then nothing is changed: it is another phone).
 */
int identity_learn(struct identity *known, const struct identity *news);

/* Drops what belongs to one boot only: nonces, and the exploit that was active. */
void identity_forget_boot(struct identity *identity);

/* Name for people: owner's name, else model's name, else ProductType, else NULL. Borrowed. */
const char *identity_label(const struct identity *identity);
