/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stranger.h"

#include <string.h>

/* The boot keyboard of the HID specification, appendix E.6. */
static const uint8_t keyboard_report[63] = {
	0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, 0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15,
	0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02, 0x95, 0x01, 0x75, 0x08,
	0x81, 0x01, 0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x91,
	0x02, 0x95, 0x01, 0x75, 0x03, 0x91, 0x01, 0x95, 0x06, 0x75, 0x08, 0x15, 0x00,
	0x25, 0x65, 0x05, 0x07, 0x19, 0x00, 0x29, 0x65, 0x81, 0x00, 0xc0,
};

enum usb_reply keyboard_control(const struct usb_setup *setup, struct buf *in)
{
	static const uint8_t no_keys[8];

	switch (usb_request(setup)) {
	case 0x8100 | USB_GET_DESCRIPTOR:
		if (setup->value >> 8 != USB_DT_HID_REPORT)
			return USB_STALL;
		buf_add(in, keyboard_report, sizeof(keyboard_report));
		return USB_OK;
	case 0xa101: /* GET_REPORT */
		buf_add(in, no_keys, sizeof(no_keys));
		return USB_OK;
	case 0x2109: /* SET_REPORT: the lights */
	case 0x210a: /* SET_IDLE */
	case 0x210b: /* SET_PROTOCOL */
		return USB_OK;
	default:
		return USB_STALL;
	}
}

enum {
	CBW_BYTES = 31,
	CSW_BYTES = 13,
	CBW_TAG = 4,
	CBW_LENGTH = 8,
	CBW_COMMAND = 15,

	SCSI_REQUEST_SENSE = 0x03,
	SCSI_INQUIRY = 0x12,
};

enum usb_reply disk_control(const struct usb_setup *setup, struct buf *in)
{
	switch (usb_request(setup)) {
	case 0xa1fe: /* GET_MAX_LUN */
		buf_add(in, &(uint8_t){ 0 }, 1);
		return USB_OK;
	case 0x21ff:
		return USB_OK; /* reset of the transport */
	default:
		return USB_STALL;
	}
}

/* Fills @to with the data of the two commands that every disk answers; returns its length, 0 for
 * any other. */
static size_t disk_answer(uint8_t command, uint8_t to[36])
{
	memset(to, 0, 36);
	switch (command) {
	case SCSI_INQUIRY:
		to[1] = 0x80; /* removable */
		to[2] = 0x02;
		to[3] = 0x02;
		to[4] = 31;
		memcpy(to + 8, "Apple   iPod            1.62", 28);
		return 36;
	case SCSI_REQUEST_SENSE:
		to[0] = 0x70;
		to[2] = 0x02; /* not ready … */
		to[7] = 10;
		to[12] = 0x3a; /* … no medium */
		return 18;
	default:
		return 0;
	}
}

enum usb_reply disk_bulk_out(struct usbdev *usb, const uint8_t *bytes, size_t len)
{
	uint8_t answer[36], csw[CSW_BYTES] = { 'U', 'S', 'B', 'S' };
	uint32_t wanted;
	size_t done;

	if (len != CBW_BYTES || memcmp(bytes, "USBC", 4) != 0)
		return USB_STALL;
	wanted = get_le32(bytes + CBW_LENGTH);
	done = disk_answer(bytes[CBW_COMMAND], answer);
	memcpy(csw + CBW_TAG, bytes + CBW_TAG, 4);
	csw[12] = done == 0; /* not ready: the host asks for the sense */
	if (done > wanted)
		done = wanted;
	put_le32(csw + 8, wanted - (uint32_t)done);
	if (wanted > 0)
		usbdev_send(usb, 0x81, answer, done);
	usbdev_send(usb, 0x81, csw, sizeof(csw));
	return USB_OK;
}
