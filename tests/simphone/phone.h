/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One simulated phone: what it is, the mode it is in, and the ways between the modes.
 *
 *                     leave (transfer under way is still answered)
 *       RUNNING mode A ──────────────▶ BOOTING mode B ──gap──▶ RUNNING mode B
 *
 *        EnterRecovery, buttons          setenv auto-boot true, saveenv, reboot
 *   normal ─────────────▶ recovery ────────────────────────────────────▶ normal
 *     │ buttons             ▲  │ ▲ reboot with auto-boot=false: back to recovery
 *     ▼                     │  └─┘ go: recovery, stage 2        bootx: restore
 *    dfu ──image accepted───┘
 *     └┘ image rejected: dfu again
 *
 * Invariants: only phone_enter() assigns the mode. The phone is on the bus exactly when it is
 * RUNNING and its cable is in. ECID, UDID, serial number and NVRAM live as long as the process;
 * nonces change at each boot of boot ROM or iBoot. A boot goes on without a cable.
 *
 * The engines below are part of the phone and ask it for a change of mode through phone_leave();
 * they never touch the bus beyond their own pipes.
 */
#pragma once

#include "dfu.h"
#include "evlog.h"
#include "identity.h"
#include "kis.h"
#include "mux.h"
#include "recovery.h"
#include "scenario.h"
#include "timers.h"
#include "usbdev.h"

enum power { POWER_RUNNING, POWER_LEAVING, POWER_BOOTING };

struct phone {
	struct scenario scenario; /* knobs may change while it runs */
	struct identity identity;
	struct timers *timers; /* borrowed */
	struct evlog log;
	struct usbdev usb;

	enum mode mode;
	enum power power;
	bool plugged;
	enum mode next_mode; /* while LEAVING */
	struct timer timer;  /* end of LEAVING, end of BOOTING */
	unsigned boots;

	struct recovery recovery;
	struct dfu dfu;
	struct kis kis;
	struct mux mux;
};

/* The phone begins RUNNING in the scenario's mode; phone_start() puts it on the bus if its cable is
 * in. */
void phone_init(struct phone *p, const struct scenario *s, struct timers *timers, FILE *log);
void phone_start(struct phone *p);
void phone_done(struct phone *p);

void phone_plug(struct phone *p);
void phone_unplug(struct phone *p);

/*
 * Ends the mode in @linger_ms (time for an answer under way, or 0); @why goes to the log. A second
 * call before then changes nothing.
 */
enum { PHONE_LINGER_MS = 30 };
void phone_leave(struct phone *p, enum mode next, unsigned linger_ms, const char *why);

/* The user's hand: "recovery", "dfu" or "restart". -EINVAL: no such gesture. */
int phone_press(struct phone *p, const char *gesture);

/* The USB serial string it shows (or would show) now. */
void phone_usb_serial(const struct phone *p, struct buf *to);
