/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the phone accepts as firmware: the truth is an IPSW that was given to it (scenario key
 * `ipsw`), and tickets signed by the pretended signing server (tests/net). Used by boot ROM and
 * iBoot (dfu.c, recovery.c) and by restored.
 *
 * An image is good if its IMG4 container is whole, holds a ticket that is signed, names this
 * phone's ECID, chip, board and present nonce and the image's digest, and if that digest is the one
 * of the IPSW's BuildManifest for this board.
 */
#pragma once

#include <plist/plist.h>

#include "model.h"

struct phone;
struct firmware;
struct member; /* one file of the IPSW, read along */

/* Which install a ramdisk or an identity is for. */
enum install_kind { INSTALL_NONE, INSTALL_ERASE, INSTALL_UPDATE };
/* "none", "erase", "update". */
const char *install_name(enum install_kind kind);

struct image_verdict {
	const char *why;    /* NULL: good; else static text */
	char component[64]; /* key in the manifest, "" if none fits */
	char type[5];       /* four-character type in the container */
	char sha256[65];    /* of the bytes as they came */
	bool erase, update; /* identities of this board that hold this component with this digest */
};

/* Reads the manifest of @path. NULL, and the reason in @why, if it is no IPSW for @model. */
struct firmware *firmware_open(const char *path, const struct model *model, char *why,
			       size_t why_bytes);
struct firmware *firmware_free(struct firmware *f);

const char *firmware_path(const struct firmware *f);
const char *firmware_version(const struct firmware *f);
const char *firmware_build(const struct firmware *f);
/* The board's identity for @kind (the customer variant, never a Research one), or NULL; borrowed.
 */
plist_t firmware_identity(const struct firmware *f, enum install_kind kind);
/* An entry of that identity's Manifest, or NULL; borrowed. */
plist_t firmware_component(const struct firmware *f, enum install_kind kind, const char *component);

/*
 * Checks an IMG4 container as it came from the host. @component: key in the manifest
 * ("RestoreDeviceTree"), or NULL for any of that type. The phone's firmware may be NULL (no `ipsw`
 * given): then only container and ticket are judged. Writes "image" to the event log.
 */
bool firmware_check_image(struct phone *p, const char *component, const uint8_t *bytes, size_t len,
			  struct image_verdict *ret_verdict);
/* Same for the bare ticket (RootTicketData). */
bool firmware_check_ticket(struct phone *p, const uint8_t *bytes, size_t len,
			   struct image_verdict *ret_verdict);

/* A member of the IPSW by @component of the identity for @kind. NULL: the identity has none. */
struct member *firmware_member(const struct firmware *f, enum install_kind kind,
			       const char *component);
uint64_t member_bytes(const struct member *m);
/* Whether the next @len bytes of the member are @bytes. False for good after the first difference.
 */
bool member_follow(struct member *m, const uint8_t *bytes, size_t len);
/* Whether all of it was followed. */
bool member_whole(const struct member *m);
struct member *member_free(struct member *m);
