/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A firmware file and what its manifest says, as workers report it (worker/README.md). */
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-json.h>

enum {
	FIRMWARE_TEXT_BYTES = 64,
	FIRMWARE_PATH_BYTES = 1024,
	VARIANT_NAME_BYTES = 128,
	SHA1_HEX_BYTES = 41,
	SHA256_HEX_BYTES = 65,
	SOURCES_BYTES = 96,
	SAID_SIGNED_BYTES = 4,
};

struct firmware {
	char product[FIRMWARE_TEXT_BYTES];
	char version[FIRMWARE_TEXT_BYTES];
	char build[FIRMWARE_TEXT_BYTES];
	char name[FIRMWARE_PATH_BYTES]; /* Apple's file name: one that a file can have, or "" */
	char url[FIRMWARE_PATH_BYTES];  /* "" for a file that the person brought */
	char path[FIRMWARE_PATH_BYTES]; /* where it lies whole; "" not here yet */
	uint64_t size;                  /* bytes, 0 unknown */
	char sha1[SHA1_HEX_BYTES];      /* lower-case hex, "" unknown */
	char sha256[SHA256_HEX_BYTES];
	bool verified; /* its hash was computed here and is right */
	/* what catalogues told; all of these may be missing */
	char sources[SOURCES_BYTES]; /* who knows it, words parted by a space: image refreshed apple
					ipsw.me appledb file mirror */
	bool confirmed;              /* two sources tell the same hash */
	bool conflict; /* two sources tell different hashes or sizes: never used by itself */
	char said_signed[SAID_SIGNED_BYTES]; /* "yes", "no": what a third party says, no proof */
	uint64_t released_ms;                /* since the epoch, 0 unknown */
};

/* One way of installing, for one board: a build identity of the manifest. */
struct variant {
	char name[VARIANT_NAME_BYTES]; /* exact Info/Variant, "Customer Erase Install (IPSW)" */
	bool erases;                   /* Info/RestoreBehavior is Erase */
	uint64_t os_bytes;             /* size of the system image */
	bool os_packed; /* compressed in the archive: the engine unpacks it first, os_bytes of room
			 */
};

/* Objects of the interfaces and the journal, fields named as the members. 0 or a negative errno;
 * from_json: -EBADMSG for wrong types and over-long texts, absent fields are empty. Of what
 * catalogues told, only what is set is written. */
int firmware_to_json(const struct firmware *firmware, sd_json_variant **ret);
int firmware_from_json(sd_json_variant *object, struct firmware *ret);
int variant_to_json(const struct variant *variant, sd_json_variant **ret);
int variant_from_json(sd_json_variant *object, struct variant *ret);
