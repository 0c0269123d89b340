/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What usbdev.c and usb_pipes.c, the two halves of usbdev.h, know of each other. */
#pragma once

#include "usbdev.h"

/* Index into tables of both directions: OUT n → n, IN n → 16 + n. */
static inline size_t usb_slot(uint8_t ep)
{
	return (ep & 0x80 ? USB_ENDPOINTS : 0) + (ep & 0x0f);
}

/* Forgets all requests and messages, unanswered. */
void usb_pipes_drop(struct usbdev *dev);
