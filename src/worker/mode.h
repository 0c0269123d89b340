/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Tells a phone to change its mode or to restart (README.md). Nothing on it is written but iBoot's
 * auto-boot. */
#include "worker/request.h"

enum mode_action {
	MODE_ACTION_ENTER_RECOVERY,
	MODE_ACTION_EXIT_RECOVERY,
	MODE_ACTION_RESTART,
	MODE_ACTION_MAX
};

/* The way that an action takes from a mode. */
enum mode_way {
	MODE_WAY_NONE,      /* only its buttons can */
	MODE_WAY_LOCKDOWND, /* asks lockdownd for recovery */
	MODE_WAY_RELAY,     /* the relay of diagnostics restarts */
	MODE_WAY_RESTORED,  /* restored reboots */
	MODE_WAY_IBOOT,     /* iBoot's commands */
	MODE_WAY_MAX,
};
enum mode_way mode_way(enum mode_action action, enum mode mode);

/* Runs the kind; the result has no fields: the phone has taken the command. Returns 0, or a
 * negative errno with err set. */
int mode_run(const struct request *request, struct error *err);
