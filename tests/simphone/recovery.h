/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * iBoot in recovery mode: commands on EP0, the environment in RAM and in NVRAM, uploads on pipe 4.
 *
 *   NVRAM ──boot──▶ RAM environment ──saveenv──▶ NVRAM        setenv changes RAM only
 *
 *   stage 1 (iBoot, iBSS) ──iBEC, go──▶ leaves, same nonces ──▶ stage 2 (iBEC)
 *   any stage ──ramdisk … kernel, bootx──▶ restore; one missing or bad: a restart
 *
 * An upload stays in the load buffer, unjudged, until a command uses it. A command that does not
 * like it stalls and nothing else happens; that a real iBoot refuses `go` by staying is what
 * idevicerestore's message for it says, the stall is made up.
 *
 * Invariants: NVRAM lives as long as the phone; RAM, upload, what was loaded and the stage only
 * until iBoot is left.
 */
#pragma once

#include "env.h"
#include "restore/firmware.h"
#include "usbdev.h"

struct phone;

enum {
	UPLOAD_CEILING = 256 * 1024 * 1024, /* ramdisks of today have 130 MiB */
	LOADED_MAX = 64,
	/* time for the transfer that hosts send behind `go` */
	RECOVERY_LINGER_MS = 200,
};

struct recovery {
	struct phone *phone; /* owner */
	struct env nvram;
	struct env ram;
	char answer[ENV_VALUE_BYTES]; /* what the next C0 00 reads */
	struct buf upload;            /* the load buffer; empty: nothing loaded */
	unsigned stage;               /* 1: iBoot or iBSS, 2: iBEC */
	unsigned next_stage;          /* of the recovery that `go` starts */

	/* good images that commands took, by their key in the manifest */
	unsigned loaded_count;
	struct {
		char component[64];
		bool of[3]; /* by install_kind: whether that install has this very image */
	} loaded[LOADED_MAX];
	enum install_kind install; /* what the ramdisk among them is for */
};

void recovery_init(struct recovery *r, struct phone *phone);
void recovery_done(struct recovery *r);

/* iBoot comes up, or another mode does: nothing of the last iBoot stays. */
void recovery_boot(struct recovery *r);

/* Whether a boot of the phone goes on into the system (NVRAM auto-boot). */
bool recovery_auto_boot(const struct recovery *r);
/* What EnterRecovery and a restore write. */
void recovery_set_auto_boot(struct recovery *r, bool on);

enum usb_reply recovery_control(void *user, const struct usb_setup *setup, const uint8_t *out,
				struct buf *in);
enum usb_reply recovery_bulk_out(void *user, uint8_t ep, const uint8_t *bytes, size_t len);
