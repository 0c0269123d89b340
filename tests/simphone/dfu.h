/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * DFU 1.1 as boot ROMs speak it (also WTF and Port DFU).
 *
 *   IDLE 2 ─▶ DNLOAD-IDLE 5 ─▶ MANIFEST-SYNC 6 ─▶ MANIFEST 7 ─▶ WAIT-RESET 8
 *      DNLOAD    ▲  │    DNLOAD of 0     GETSTATUS      GETSTATUS
 *                └──┘ DNLOAD
 *
 *   7, 8 ──bus reset──▶ image accepted: recovery (iBSS); rejected: the boot ROM again
 *   any but ERROR ──ABORT, CLRSTATUS──▶ IDLE         2, 5, 6 ──bus reset──▶ IDLE
 *   any ──bad request, bad suffix──▶ ERROR 10 ──CLRSTATUS──▶ IDLE
 *   ERROR answers GETSTATUS and GETSTATE and stalls the rest.
 *
 * Where DFU 1.1 and libirecovery, which works with real phones, disagree, libirecovery is right: a
 * block may follow a block without GETSTATUS between them, so there is no DNLOAD-SYNC.
 *
 * Invariant: `image` holds what came since IDLE, in the order it came.
 */
#pragma once

#include "usbdev.h"

struct phone;

enum dfu_state {
	DFU_STATE_IDLE = 2,
	DFU_STATE_DNLOAD_SYNC = 3, /* only reported, by troubles */
	DFU_STATE_DNBUSY = 4,      /* same */
	DFU_STATE_DNLOAD_IDLE = 5,
	DFU_STATE_MANIFEST_SYNC = 6,
	DFU_STATE_MANIFEST = 7,
	DFU_STATE_MANIFEST_WAIT_RESET = 8,
	DFU_STATE_ERROR = 10,
};

enum { DFU_SUFFIX_BYTES = 16, DFU_BLOCK_BYTES = 2048 };

struct dfu {
	struct phone *phone; /* owner */
	enum dfu_state state;
	uint8_t fault; /* bStatus while in ERROR */
	struct buf image;
};

void dfu_init(struct dfu *d, struct phone *phone);
void dfu_done(struct dfu *d);
void dfu_boot(struct dfu *d);

/* Reflected CRC-32 without the final inversion; start with 0xffffffff. */
uint32_t dfu_crc(uint32_t crc, const uint8_t *bytes, size_t len);

/*
 * Judges the image (an iBSS in its container, with a ticket for this phone), writes size, hash and
 * verdict to the log and starts it, or the boot ROM again. Also used by debug-USB.
 * @linger_ms as in phone_leave().
 */
void dfu_start_image(struct phone *phone, const uint8_t *bytes, size_t len, unsigned linger_ms);

enum usb_reply dfu_control(void *user, const struct usb_setup *setup, const uint8_t *out,
			   struct buf *in);
void dfu_reset(void *user);
