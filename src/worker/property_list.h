/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Foreign property lists by libplist: looked at before they are parsed, and read by type. */
#include <plist/plist.h>
#include <stdbool.h>
#include <stddef.h>

static inline void plist_freep(plist_t *node)
{
	plist_free(*node);
}

/* False for a list that is a trap for who parses it (property_list_guard.h). */
bool property_list_is_tame(const char *bytes, size_t n);
/* XML or binary, nothing else that libplist knows; a dictionary. NULL if it is none, or a trap. */
plist_t property_list_parse(const char *bytes, size_t n);

/* Members of a dictionary (NULL: none) by type: NULL if absent or of another type. Borrowed. */
plist_t property_list_dict(plist_t dict, const char *key);
plist_t property_list_array(plist_t dict, const char *key);
const char *property_list_text(plist_t dict, const char *key);
