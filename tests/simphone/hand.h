/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The user's hand: what a person does to the phone, as lines of the control socket.
 *
 *   plug · unplug · button recovery|dfu|restart · unlock · lock · trust [tap-only] · type · deny
 *   passcode set|none · forget (Reset Location & Privacy) · setup done
 *
 * `trust` taps Trust and types the passcode if the phone wants it; `tap-only` leaves that to
 * `type`.
 */
#pragma once

struct phone;

/* Does @gesture with its arguments @rest (may be empty). 0; -ENOENT: no such gesture; -EINVAL and
 * *@why (static text): it could not be done. */
int hand_do(struct phone *phone, const char *gesture, const char *rest, const char **why);

/* The gestures, separated by ", ". */
extern const char hand_gestures[];
