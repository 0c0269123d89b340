/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Faults at the USB transfers of a mode (fault.h): names the transfer, asks the rules, and hands to
 * the mode's engine what they let pass.
 */
#pragma once

#include "usbdev.h"

struct phone;

typedef enum usb_reply (*usb_control_fn)(struct phone *p, const struct usb_setup *setup,
					 const uint8_t *out, struct buf *in);
typedef enum usb_reply (*usb_bulk_fn)(struct phone *p, uint8_t ep, const uint8_t *bytes,
				      size_t len);

enum usb_reply usb_faults_control(struct phone *p, const struct usb_setup *setup,
				  const uint8_t *out, struct buf *in, usb_control_fn engine);
enum usb_reply usb_faults_bulk_out(struct phone *p, uint8_t ep, const uint8_t *bytes, size_t len,
				   usb_bulk_fn engine);
