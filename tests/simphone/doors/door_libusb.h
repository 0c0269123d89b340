/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Carries a usbdev's transfers to programs that run with the stand-in for libusb: several at once,
 * as several programs share a bus. It is also the kernel between them and the phone: it
 * enumerates, hands out addresses, and keeps claims apart. The words are those of libusb_wire.h.
 *
 *   away ──attach──▶ enumerating ──reset, first configuration──▶ present ──detach──▶ away
 *
 * It owns its socket and all connections. Who sends what no stand-in sends, or does not read, is
 * cut off; the phone goes on.
 */
#pragma once

#include "evlog.h"
#include "loop.h"
#include "usbdev.h"

struct door_libusb;

/*
 * Listens in @folder, which must exist, under the first free bus number; ends the program if it
 * cannot. All but @folder are borrowed for its life. @usb must have no other door.
 */
struct door_libusb *door_libusb_new(struct loop *loop, struct usbdev *usb, const struct evlog *log,
				    const char *folder);
struct door_libusb *door_libusb_free(struct door_libusb *d);

/* Bus << 16 | address of what is on the bus now, or comes next. */
uint32_t door_libusb_location(const struct door_libusb *d);
