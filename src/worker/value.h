/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Reading property lists that a phone or usbmuxd sent: nothing in them is taken for granted. */
#include "base/cleanup.h"
#include <plist/plist.h>
#include <stdbool.h>
#include <stdint.h>

DEFINE_CLEANUP(plist_t, plist_free)

/* NULL is none. */
bool value_is_dict(plist_t node);

/* The text of a string in the dictionary, NULL for any other node. Borrowed. */
const char *value_text(plist_t dict, const char *key);

/* 0 for any other node than a positive integer. */
uint64_t value_number(plist_t dict, const char *key);

/* Returns whether there is an integer that is not negative; *ret is written then. */
bool value_whole(plist_t dict, const char *key, uint64_t *ret);

/* Returns whether there is a boolean; *ret is written then. */
bool value_bool(plist_t dict, const char *key, bool *ret);
