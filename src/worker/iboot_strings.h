/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The two strings in which a phone in iBoot or SecureROM says who it is, and the two ways to read
 * them. Texts are valid UTF-8.
 */
#include "base/error.h"
#include <libusb.h>
#include <stddef.h>
#include <stdint.h>

/* A string descriptor holds at most 126 characters; bytes that are none become U+FFFD. */
enum { IBOOT_STRING_BYTES = 126 * 3 + 1 };

struct iboot_strings {
	char serial[IBOOT_STRING_BYTES]; /* "CPID:8110 … ECID:…"; never "" */
	char nonces[IBOOT_STRING_BYTES]; /* "NONC:… SNON:…"; "" if it has none */
};

/*
 * Recovery, DFU, WTF and Port DFU: string descriptors, over the control endpoint. index is the
 * device descriptor's iSerialNumber. Nothing is claimed or configured. Returns 0 or a negative
 * errno with err set.
 */
int iboot_strings_read(libusb_device_handle *handle, uint8_t index, struct iboot_strings *ret,
		       struct error *err);

/*
 * Debug USB ("KIS", 05ac:1881): claims interface 0, enables it as Apple's own host does and asks
 * for the record of the device; the mode does not change. Returns as above.
 */
int debug_usb_strings_read(libusb_device_handle *handle, struct iboot_strings *ret,
			   struct error *err);

/*
 * The strings in that record, n bytes as the phone sent them behind the header. Returns 0, or
 * -EBADMSG if there is no serial string in it.
 */
int debug_usb_record_parse(const uint8_t *record, size_t n, struct iboot_strings *ret);
