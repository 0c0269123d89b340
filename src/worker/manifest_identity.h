/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One identity of a BuildManifest as the signing server is asked about it: found by chip and board
 * number (as integers) and board name and exact variant, never by one of them alone, because two
 * boards share a number (n71ap, n71map) and research variants stand beside the others.
 */
#include "base/error.h"
#include "facts/facts.h"
#include "worker/property_list.h"
#include <stdint.h>

/*
 * An unsigned number of a manifest: an integer, or a text like "0x8101" or "6". 0, or -ENOENT if
 * there is none, -EINVAL for anything else.
 */
int manifest_number(plist_t dict, const char *key, uint64_t *ret);

/*
 * The identity in manifest_identities() for a model's board and a variant ("Customer Erase Install
 * (IPSW)", exact). Borrowed from the list. Returns 0, or a negative errno with err set
 * (ERROR_BAD_FILE): the firmware has none.
 */
int manifest_identity_find(plist_t identities, const struct model *model, const char *variant,
			   plist_t *ret, struct error *err);
