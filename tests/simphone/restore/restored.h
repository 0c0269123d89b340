/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * restored: what answers in the restore ramdisk on lockdownd's port. Any number of connections may
 * ask who the phone is; the one that says StartRestore becomes the restore's own (run.h).
 *
 * Owns the run. Invariant: questions never change anything; only StartRestore, Reboot and the
 * restore's own connection do.
 */
#pragma once

#include "restore/run.h"
#include "timers.h"

struct phone;

struct restored {
	struct phone *phone; /* owner */
	struct run run;
	struct timer start; /* the host has so long to start */
};

struct restored *restored_new(struct phone *phone);
struct restored *restored_free(struct restored *r);

/* The phone has booted: whatever was under way is over. */
void restored_reset(struct restored *r);
/* The ramdisk is up. */
void restored_listen(struct restored *r);
