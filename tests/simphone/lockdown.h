/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lockdownd of the running system: who the phone is, whom it trusts, and the ports behind it. In
 * the restore ramdisk the same port answers as restored.
 */
#pragma once

#include <plist/plist.h>

#include "stream.h"

struct phone;

enum { LOCKDOWN_PORT = 62078 };

/* Listens on LOCKDOWN_PORT, at each boot of the system. */
void lockdown_listen(struct phone *phone);
/* Services that were started and wait for a connection are gone: at a boot, and at the end. */
void lockdown_services_drop(struct phone *phone);

/* The board as phones spell it: d17ap is "D17AP". */
plist_t lockdown_hardware_model(const struct phone *phone);
