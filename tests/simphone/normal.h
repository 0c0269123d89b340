/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The running system (and the restore ramdisk, which looks alike): vendor requests on EP0 and who
 * owns which pipe. Pipes 04/85 are the mux; PTP (02/81/83) and Ethernet (05/86) take what comes and
 * say nothing.
 */
#pragma once

#include "usbdev.h"

struct phone;

enum usb_reply normal_control(struct phone *p, const struct usb_setup *setup, const uint8_t *out,
			      struct buf *in);
enum usb_reply normal_bulk_out(struct phone *p, uint8_t ep, const uint8_t *bytes, size_t len);
