/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The device at (bus, address), and no other, through libusb. libirecovery cannot be told which one
 * to open, and with a debug-USB phone on the bus finds no other by ECID (seen with 1.3.1).
 */
#include "base/error.h"
#include "facts/facts.h"
#include "worker/iboot_strings.h"
#include <libusb.h>

struct usb_place {
	enum mode mode;
	libusb_context *context; /* owned, as the next two */
	libusb_device *device;
	libusb_device_handle *handle;
	uint8_t serial_index; /* of the string descriptor */
};

/*
 * Opens the device, if it is a phone in this mode. Nothing is claimed, no configuration is set.
 * Returns 0 (the caller ends it with usb_place_done()), or a negative errno with err set:
 * ERROR_NO_PHONE when nothing or something else is there, and what libusb says.
 */
int usb_place_open(enum mode mode, unsigned bus, unsigned address, struct usb_place *ret,
		   struct error *err);
void usb_place_done(struct usb_place *place);

/*
 * Reads the strings in which it says who it is. ecid is 0 or who it must be: another phone is
 * ERROR_NO_PHONE (but in Port DFU, which shows an ECID of its own). Returns 0 or a negative errno
 * with err set.
 */
int usb_place_strings(const struct usb_place *place, uint64_t ecid, struct iboot_strings *ret,
		      struct error *err);
