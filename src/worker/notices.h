/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A phone that is asked to trust a computer tells by a notification that Trust was tapped;
 * usbmuxd's preflight waits for the same one. The service for it needs no trust
 * (device-protocols.md §4.8, §4.9).
 */
#include "worker/handset.h"

struct notices;

/*
 * Begins to listen. Returns 0, or a negative errno: the phone starts no such service (then
 * usbmuxd's preflight did not get one either), or left.
 */
int notices_new(const char *udid, struct notices **ret);
struct notices *notices_free(struct notices *notices);
static inline void notices_freep(struct notices **p)
{
	notices_free(*p);
}

/* To wait on for input; belongs to the notices. */
int notices_fd(const struct notices *notices);

/* Takes everything that is there without waiting. Returns 1 if Trust was tapped, 0 if not, -EPIPE
 * when the phone has ended it. */
int notices_take(struct notices *notices);
