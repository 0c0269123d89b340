/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Debug-USB (05ac:1881): a boot ROM behind two portals. Portal 1 (pipes 01/81) takes settings,
 * portal 0x10 (pipes 03/83) tells who the phone is and takes an image. Layout as libirecovery 1.3.1
 * reads it.
 */
#pragma once

#include "usbdev.h"

struct phone;

enum { KIS_HEADER_BYTES = 12, KIS_RECORD_BYTES = 0x300 };

struct kis {
	struct phone *phone; /* owner */
	struct buf image;    /* uploaded so far */
};

void kis_init(struct kis *k, struct phone *phone);
void kis_done(struct kis *k);
void kis_boot(struct kis *k);

/* The record that names the phone. */
void kis_record(const struct phone *phone, uint8_t ret_record[KIS_RECORD_BYTES]);

enum usb_reply kis_bulk_out(void *user, uint8_t ep, const uint8_t *bytes, size_t len);
