/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a broken or malicious lockdownd sends, by the knobs of lockdown_knobs.h; with all of them at
 * rest, what a polite one does.
 */
#pragma once

#include "lockdown_verbs.h"

/* Sends and frees @reply to the request @name about @detail (both may be NULL), as
 * `lockdown_reply` and `lockdown_reply_to` say. */
void evil_reply_send(struct lockdown *l, const char *name, const char *detail, plist_t reply);

/* DeviceName. Caller frees. */
plist_t evil_name(const struct phone *p);
/* DevicePublicKey. Caller frees. */
plist_t evil_public_key(const struct phone *p);
/* Puts EscrowBag into the @reply to a Pair that succeeded. */
void evil_escrow_bag(const struct phone *p, const struct host *host, plist_t reply);
