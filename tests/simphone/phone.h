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
 * Shut down, it is OFF until a button or the cable starts it again.
 *
 * Invariants: only phone_enter() assigns the mode. The phone is on the bus exactly when it is
 * RUNNING and its cable is in. ECID, UDID, serial number and NVRAM live as long as the process;
 * nonces change at each boot of boot ROM or iBoot but `go`. A boot goes on without a cable.
 *
 * The engines below are part of the phone and ask it for a change of mode through phone_leave();
 * they never touch the bus beyond their own pipes.
 */
#pragma once

#include "dfu.h"
#include "evlog.h"
#include "fault.h"
#include "files.h"
#include "identity.h"
#include "kis.h"
#include "mux.h"
#include "notices.h"
#include "ports.h"
#include "recovery.h"
#include "restore/firmware.h"
#include "scenario.h"
#include "services/mobilebackup2.h"
#include "settings.h"
#include "timers.h"
#include "trust.h"
#include "usb_link.h"
#include "usbdev.h"

enum power { POWER_RUNNING, POWER_LEAVING, POWER_BOOTING, POWER_OFF };

/* Who wants to know when the phone comes on the bus or leaves it, besides the USB door. */
struct presence {
	void (*changed)(void *user, bool attached);
	void *user;
	struct presence *next;
};

/* The system on the phone's disk. A restore changes it. */
struct system {
	char version[16];
	char build[16];
	unsigned erases, updates; /* restores that came to their end, by kind */
	bool partial;             /* a restore has begun and not ended: it cannot boot */
};

/* Whether "17.6.1" is at least @major.@minor. */
bool version_at_least(const char *version, unsigned major, unsigned minor);

struct phone {
	struct scenario scenario; /* knobs may change while it runs */
	struct identity identity;
	struct timers *timers; /* borrowed */
	struct evlog log;
	struct usbdev usb;
	struct usb_link link;

	enum mode mode;
	enum power power;
	bool plugged;
	enum mode next_mode; /* while LEAVING */
	bool going_off;      /* LEAVING ends in OFF */
	struct timer timer;  /* end of LEAVING, end of BOOTING */
	struct timer again;  /* recovery_again_ms */
	unsigned boots;

	struct recovery recovery;
	struct dfu dfu;
	struct kis kis;
	struct mux mux;

	struct ports ports;
	struct faults faults;
	struct system system;
	struct restored *restored; /* the restore ramdisk; owned */
	struct firmware *firmware; /* of the scenario's `ipsw`; NULL: none was given */
	/* while RESTORE is next or runs: what the ramdisk that iBoot started installs */
	enum install_kind install;
	struct files files; /* the user's */
	struct trust trust;
	struct settings settings;
	struct notices notices;
	struct backup_keep backup;
	struct started *started;    /* services that wait for a connection (lockdown_service.c) */
	unsigned services;          /* connections to services that lockdownd started */
	struct presence *presences; /* borrowed */
};

/* The phone begins RUNNING in the scenario's mode; phone_start() puts it on the bus if its cable is
 * in. */
void phone_init(struct phone *p, const struct scenario *s, struct timers *timers, FILE *log);
void phone_start(struct phone *p);
void phone_done(struct phone *p);

/* Puts the phone on the bus, or takes it off, as its state says. */
void phone_show(struct phone *p);

void phone_plug(struct phone *p);
void phone_unplug(struct phone *p);

/*
 * Ends the mode in @linger_ms (time for an answer under way, or 0); @why goes to the log. A second
 * call before then changes nothing.
 */
enum {
	PHONE_LINGER_MS = 30,
	/* A running system goes down slowly: what it said arrives first, in a slow emulated machine
	 * too. */
	PHONE_SHUTDOWN_MS = 1000,
	/* Scaling makes no gap shorter than this: hosts wait for "gone" and then for "back", and
	 * may miss the first if both come at once. A shorter gap_ms is taken as it is. */
	PHONE_GAP_FLOOR_MS = 1000,
};
void phone_leave(struct phone *p, enum mode next, unsigned linger_ms, const char *why);

/* Adds @pr until phone_unwatch() or phone_done(). */
void phone_watch(struct phone *p, struct presence *pr);
void phone_unwatch(struct phone *p, struct presence *pr);

/* What an erase install destroys: the user's files, pair records, passcode. */
void phone_erase(struct phone *p);

/* A restart by itself: into the system, or into recovery if NVRAM says so. */
void phone_restart(struct phone *p, const char *why);
void phone_restart_after(struct phone *p, unsigned linger_ms, const char *why);

/* Off until its cable is plugged in (again) or a button is pressed. */
void phone_power_off(struct phone *p, unsigned linger_ms, const char *why);

/* The user's hand: "recovery", "dfu" or "restart". -EINVAL: no such gesture. */
int phone_press(struct phone *p, const char *gesture);

/* The first number of the system's version. */
unsigned phone_major(const struct phone *p);

/* The USB serial string it shows (or would show) now. */
void phone_usb_serial(const struct phone *p, struct buf *to);
