/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How the phone holds on to the bus while it runs: it may leave for a moment without a boot
 * (SET_MODE, a loose plug), shows other configurations after SET_MODE, and may lose its cable after
 * some bytes.
 *
 *   there ──blink──▶ away ──a moment──▶ there            any ──boot──▶ there, USB mode 1
 *
 * USB modes: 1 is where it begins; 2 adds a fifth configuration with the screen's picture, 3 one
 * with Ethernet (CDC-NCM). Real phones know more.
 */
#pragma once

#include "shape.h"
#include "timers.h"

struct phone;

enum { USB_MODE_INITIAL = 1, USB_MODE_LAST = 3, USB_LINK_AWAY_MS = 300 };

struct usb_link {
	struct phone *phone; /* owner */
	bool away;           /* off the bus although the phone runs and its cable is in */
	struct timer timer;
	unsigned mode;     /* USB mode */
	bool leaves_again; /* as soon as it is on the bus: reenum_twice */
	uint64_t blinks;   /* of blink_every_ms since the boot */
	uint64_t moved;    /* bytes beyond chapter 9 since it is on the bus */
};

void usb_link_init(struct usb_link *l, struct phone *phone);
void usb_link_done(struct usb_link *l);

/* The phone boots. */
void usb_link_boot(struct usb_link *l);
/* It came on the bus. */
void usb_link_attached(struct usb_link *l);
/* Bytes have passed. */
void usb_link_moved(struct usb_link *l, size_t len);

/* Leaves the bus in @linger_ms and comes back after USB_LINK_AWAY_MS. */
void usb_link_blink(struct usb_link *l, unsigned linger_ms, const char *why);
/* SET_MODE. False: there is no such mode. */
bool usb_link_set_mode(struct usb_link *l, unsigned mode);

/* What the phone looks like on the bus now. */
const struct shape *usb_link_shape(const struct usb_link *l);
