/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What each mode looks like on the bus: descriptors as constant bytes, high speed. Grades as in the
 * protocol notes: normal mode is bytes of a real phone; recovery, DFU and debug-USB are
 * reconstructions that satisfy the judges.
 */
#pragma once

#include "scenario.h"
#include "usb.h"

struct shape {
	uint16_t vendor, product; /* product 0: the model's own */
	uint16_t bcd_device;
	uint8_t i_manufacturer, i_product, i_serial; /* string indexes */
	uint8_t config_count;
	struct {
		const uint8_t *bytes;
		size_t len;
	} configs[USB_CONFIGS];
};

const struct shape *shape_of(enum body body, enum mode mode);

/* Normal mode may look different: see usb_link.h and usb_knobs.h. */
enum shape_variant {
	SHAPE_INITIAL, /* as shape_of() says: four configurations, two of them with the mux */
	SHAPE_CAMERA,  /* one configuration */
	SHAPE_NO_MUX,  /* the two without the mux */
	SHAPE_PICTURE, /* five: the last with the picture of the screen */
	SHAPE_NCM,     /* five: the last with CDC-NCM */
};
const struct shape *shape_normal(enum shape_variant variant);

/*
 * The fixed strings of a shape (index >= 1), UTF-8. NULL if it has none at @index, or if that
 * string depends on the phone (serial number, nonces, product of normal mode).
 */
const char *shape_string(enum body body, enum mode mode, uint8_t index);
