/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What has Apple's vendor id and is no phone: a keyboard that nobody types on, and a disk (an iPod
 * in disk mode whose medium is not ready). Both behave, so that a host's drivers bind without a
 * complaint.
 */
#pragma once

#include "usbdev.h"

enum usb_reply keyboard_control(const struct usb_setup *setup, struct buf *in);

enum usb_reply disk_control(const struct usb_setup *setup, struct buf *in);
/* One command wrapper of bulk-only transport; the answer goes to pipe 81. */
enum usb_reply disk_bulk_out(struct usbdev *usb, const uint8_t *bytes, size_t len);
