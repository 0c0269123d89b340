/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "normal.h"

#include "phone.h"

enum {
	REQUEST_MAC = 0xc000,	   /* ipheth: the phone's side of the tether */
	REQUEST_CARRIER = 0xc045,  /* ipheth on interface 2; the mode of usbmuxd on interface 0 */
	REQUEST_SET_MODE = 0xc052, /* newer usbmuxd */
	REQUEST_CHARGE = 0x4040,   /* apple-mfi-fastcharge */

	INTERFACE_ETHERNET = 2,
};

enum usb_reply normal_control(struct phone *p, const struct usb_setup *setup, const uint8_t *out, struct buf *in)
{
	static const uint8_t mac[] = { 0x02, 0x00, 0x00, 0x00, 0x00, 0x01 };
	static const uint8_t usb_mode[] = { 0x03, 0x03, 0x03, 0x00 };

	switch (usb_request(setup)) {
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
		/* other modes add a fifth configuration; this phone keeps its four, but re-enumerates */
		buf_add(in, &(uint8_t){ 0 }, 1);
		phone_leave(p, p->mode, PHONE_LINGER_MS, "usb-mode");
		return USB_OK;
	case REQUEST_CHARGE: return USB_OK;
	default: return USB_STALL;
	}
}

enum usb_reply normal_bulk_out(struct phone *p, uint8_t ep, const uint8_t *bytes, size_t len)
{
	if (ep == MUX_EP_OUT)
		mux_feed(&p->mux, bytes, len);
	return USB_OK;
}
