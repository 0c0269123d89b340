/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Services of a phone whose session is open, asked for as little as proves that they work. */
#include "worker/handset.h"

/*
 * Starts the notification proxy and has it end again: nothing on the phone changes. *ret_code (may
 * be NULL) is lockdownd's answer to the start, 0 if it did start. Returns 0, or a negative errno
 * with err set.
 */
int services_try(const struct handset *handset, int *ret_code, struct error *err);

/*
 * Starts afc, which a phone that was not unlocked since it started refuses (the notification proxy
 * it does not), and leaves it alone. Returns lockdownd's answer, 0 if it did start.
 */
int services_try_files(const struct handset *handset);

/*
 * Does the phone start the one service that strangers may have? usbmuxd asks the same of each phone
 * without a record. Returns lockdownd's answer, 0 if it did start: a phone that must be unlocked
 * first says so here, without a Pair.
 */
int services_try_stranger(const struct handset *handset);

/* How many entries the media folder has, by afc. Returns 0, or a negative errno with err set. */
int services_count_media(const struct handset *handset, uint64_t *ret, struct error *err);
