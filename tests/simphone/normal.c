/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "normal.h"

#include "phone.h"

enum {
	REQUEST_MAC = 0xc000,      /* ipheth: the phone's side of the tether */
	REQUEST_CARRIER = 0xc045,  /* ipheth on interface 2; the mode of usbmuxd on interface 0 */
	REQUEST_SET_MODE = 0xc052, /* newer usbmuxd */
	REQUEST_CHARGE = 0x4040,   /* apple-mfi-fastcharge */

	INTERFACE_ETHERNET = 2,
};

/* The HID function of configuration 2 speaks iAP: nine sizes of packet each way. The report is read
 * in any configuration. */
static const uint8_t
    iap_report[96] = {
	    0x06, 0x00, 0xff, 0x09, 0x01, 0xa1, 0x01, 0x75, 0x08, 0x26, 0x80, 0x00,
	    0x15, 0x00, /* vendor, bytes */
	    0x09, 0x01, 0x85, 0x01, 0x95, 0x0c, 0x82, 0x02, 0x01, 0x09, 0x01, 0x85,
	    0x02, 0x95, 0x0e, 0x82, 0x02, 0x01, 0x09, 0x01, 0x85, 0x03, 0x95, 0x14,
	    0x82, 0x02, 0x01, 0x09, 0x01, 0x85, 0x04, 0x95, 0x3f, 0x82, 0x02, 0x01,
	    0x09, 0x01, 0x85, 0x05, 0x95, 0x08, 0x92, 0x02, 0x01, 0x09, 0x01, 0x85,
	    0x06, 0x95, 0x0a, 0x92, 0x02, 0x01, 0x09, 0x01, 0x85, 0x07, 0x95, 0x0e,
	    0x92, 0x02, 0x01, 0x09, 0x01, 0x85, 0x08, 0x95, 0x14, 0x92, 0x02, 0x01,
	    0x09, 0x01, 0x85, 0x09, 0x95, 0x3f, 0x92, 0x02, 0x01, 0xc0,
    };

enum usb_reply normal_control(struct phone *p, const struct usb_setup *setup, const uint8_t *out,
			      struct buf *in)
{
	static const uint8_t mac[] = { 0x02, 0x00, 0x00, 0x00, 0x00, 0x01 };
	const uint8_t usb_mode[] = { p->link.mode == USB_MODE_INITIAL ? 0x03 : 0x05, 0x03, 0x03,
				     0x00 };

	switch (usb_request(setup)) {
	case 0x8100 | USB_GET_DESCRIPTOR:
		if (setup->value >> 8 != USB_DT_HID_REPORT)
			return USB_STALL;
		buf_add(in, iap_report, sizeof(iap_report));
		return USB_OK;
	case REQUEST_MAC:
		if (setup->index != INTERFACE_ETHERNET)
			return USB_STALL;
		buf_add(in, mac, sizeof(mac));
		return USB_OK;
	case REQUEST_CARRIER:
		if (setup->index == INTERFACE_ETHERNET)
			buf_add(in, &(uint8_t){ 0x04 }, 1);
		else
			buf_add(in, usb_mode, sizeof(usb_mode));
		return USB_OK;
	case REQUEST_SET_MODE:
		if (!usb_link_set_mode(&p->link, setup->index))
			return USB_STALL;
		buf_add(in, &(uint8_t){ 0 }, 1);
		return USB_OK;
	case REQUEST_CHARGE:
		return USB_OK;
	default:
		return USB_STALL;
	}
}

enum usb_reply normal_bulk_out(struct phone *p, uint8_t ep, const uint8_t *bytes, size_t len)
{
	if (ep == MUX_EP_OUT)
		mux_feed(&p->mux, bytes, len);
	return USB_OK;
}
