/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The ways to another mode. Each returns 0 when the phone has taken the command, or a negative
 * errno with err set; whether it has really gone is for others to see.
 */
#include "worker/request.h"

/* Where the phone is; as in struct request. */
struct mode_phone {
	enum mode mode;
	char udid[REQUEST_UDID_BYTES];
	unsigned bus, address;
	uint64_t ecid;
};

/* lockdownd's EnterRecovery, first plainly, then in a session if a record of this computer is
 * honoured (iOS wants one since 14.5). */
int mode_enter_recovery(const struct mode_phone *phone, struct error *err);

/* The relay of diagnostics, which only a trusted computer may start. */
int mode_restart_normal(const struct mode_phone *phone, struct error *err);

int mode_restart_restore(const struct mode_phone *phone, struct error *err);

/* iBoot's reboot; to_system: after auto-boot was set and saved, so that iOS starts. */
int mode_iboot(const struct mode_phone *phone, bool to_system, struct error *err);
