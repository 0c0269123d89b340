/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words of USB that the bus side (usbdev), the engines of the modes and the doors share. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	USB_VENDOR_APPLE = 0x05ac,
	USB_ENDPOINTS = 16, /* numbers 0 to 15, each way */
	USB_INTERFACES = 32,
	USB_CONFIGS = 5,

	/* standard requests */
	USB_GET_STATUS = 0,
	USB_CLEAR_FEATURE = 1,
	USB_SET_FEATURE = 3,
	USB_GET_DESCRIPTOR = 6,

	/* descriptor types */
	USB_DT_DEVICE = 1,
	USB_DT_CONFIG = 2,
	USB_DT_STRING = 3,
	USB_DT_INTERFACE = 4,
	USB_DT_ENDPOINT = 5,
	USB_DT_QUALIFIER = 6,
	USB_DT_OTHER_SPEED = 7,
	USB_DT_HID_REPORT = 0x22,
};

/* The eight bytes of a control transfer. */
struct usb_setup {
	uint8_t type; /* bmRequestType */
	uint8_t request;
	uint16_t value;
	uint16_t index;
	uint16_t length;
};

enum usb_reply {
	USB_OK,
	USB_STALL,
	USB_SILENT, /* never answered: the host runs into its time-out */
};

/* type and request in one number, for switches: 0xTTRR. */
static inline unsigned usb_request(const struct usb_setup *setup)
{
	return (unsigned)setup->type << 8 | setup->request;
}
