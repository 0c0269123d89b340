/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "shape.h"

/* clang-format off */
#define CONFIG(total, interfaces, value, name, attributes, power) \
	0x09, 0x02, (total) & 0xff, (total) >> 8, \
	(interfaces), (value), (name), (attributes), (power)
#define INTERFACE(number, alt, endpoints, class, subclass, protocol, name) \
	0x09, 0x04, (number), (alt), (endpoints), (class), (subclass), (protocol), (name)
#define BULK(address) 0x07, 0x05, (address), 0x02, 0x00, 0x02, 0x00
#define INTERRUPT(address, bytes, interval) 0x07, 0x05, (address), 0x03, (bytes), 0x00, (interval)

#define PTP INTERFACE(0, 0, 3, 0x06, 0x01, 0x01, 0x1b), \
	BULK(0x02), BULK(0x81), INTERRUPT(0x83, 64, 10)
#define MUX INTERFACE(1, 0, 2, 0xff, 0xfe, 0x02, 0x0f), BULK(0x04), BULK(0x85)
#define ETH INTERFACE(2, 0, 0, 0xff, 0xfd, 0x01, 0x11), \
	INTERFACE(2, 1, 2, 0xff, 0xfd, 0x01, 0x11), BULK(0x86), BULK(0x05), \
	INTERFACE(2, 2, 2, 0xff, 0xfd, 0x01, 0x11), BULK(0x86), BULK(0x05)

/* Normal mode, configurations 1, 3 and 4: bytes of a real phone. */
static const uint8_t normal_1[] = { CONFIG(39, 1, 1, 5, 0xc0, 0xfa), PTP };
static const uint8_t normal_3[] = { CONFIG(62, 2, 3, 7, 0xc0, 0xfa), PTP, MUX };
static const uint8_t normal_4[] = { CONFIG(117, 3, 4, 8, 0xc0, 0xfa), PTP, MUX, ETH };

/* The fifth of USB modes 2 and 3: which interfaces they have is known; the rest is made up. */
static const uint8_t normal_picture[] = {
	CONFIG(85, 3, 5, 9, 0xc0, 0xfa), PTP, MUX,
	INTERFACE(2, 0, 2, 0xff, 0x2a, 0xff, 0x13), BULK(0x86), BULK(0x05),
};
static const uint8_t normal_ncm[] = {
	CONFIG(139, 4, 5, 10, 0xc0, 0xfa), PTP, MUX,
	INTERFACE(2, 0, 1, 0x02, 0x0d, 0x00, 0x14),
	0x05, 0x24, 0x00, 0x10, 0x01,	    /* header of the class */
	0x05, 0x24, 0x06, 0x02, 0x03,	    /* union of both interfaces */
	0x0d, 0x24, 0x0f, 0x15, 0x00, 0x00, 0x00, 0x00, 0xea, 0x05, 0x00, 0x00, 0x00, /* Ethernet */
	0x06, 0x24, 0x1a, 0x00, 0x01, 0x00, /* NCM 1.0 */
	INTERRUPT(0x87, 16, 9),
	INTERFACE(3, 0, 0, 0x0a, 0x00, 0x01, 0),
	INTERFACE(3, 1, 2, 0x0a, 0x00, 0x01, 0), BULK(0x86), BULK(0x05),
};

/* Configuration 2: real phones have USB audio and HID in 149 bytes; the usual form of that size. */
static const uint8_t normal_2[] = {
	CONFIG(149, 3, 2, 6, 0xc0, 0xfa),
	INTERFACE(0, 0, 0, 0x01, 0x01, 0x00, 0),	      /* audio control */
	0x09, 0x24, 0x01, 0x00, 0x01, 0x1e, 0x00, 0x01, 0x01, /* header, 30 bytes in all */
	0x0c, 0x24, 0x02, 0x01, 0x01, 0x02, 0x00, 0x02, 0x03, 0x00, 0x00, 0x00, /* input terminal */
	0x09, 0x24, 0x03, 0x02, 0x01, 0x01, 0x00, 0x01, 0x00, /* output terminal: the host */
	INTERFACE(1, 0, 0, 0x01, 0x02, 0x00, 0),
	INTERFACE(1, 1, 1, 0x01, 0x02, 0x00, 0),
	0x07, 0x24, 0x01, 0x02, 0x01, 0x01, 0x00,	      /* PCM */
	0x23, 0x24, 0x02, 0x01, 0x02, 0x02, 0x10, 0x09, /* two channels, 16 bits, nine rates */
	0x40, 0x1f, 0x00, 0x11, 0x2b, 0x00, 0xe0, 0x2e, 0x00, 0x80, 0x3e, 0x00, 0x22, 0x56, 0x00,
	0xc0, 0x5d, 0x00, 0x00, 0x7d, 0x00, 0x44, 0xac, 0x00, 0x80, 0xbb, 0x00,
	0x09, 0x05, 0x81, 0x01, 0xc0, 0x00, 0x04, 0x00, 0x00, /* isochronous in */
	0x07, 0x25, 0x01, 0x01, 0x00, 0x00, 0x00,
	INTERFACE(2, 0, 1, 0x03, 0x00, 0x00, 0),
	0x09, 0x21, 0x11, 0x01, 0x00, 0x01, 0x22, 0x60, 0x00, /* HID 1.11, report of 96 bytes */
	INTERRUPT(0x83, 64, 4),
};

/* Recovery: file pipe 0x04; the serial console is setting 1 of interface 1. Reconstruction. */
static const uint8_t recovery_1[] = {
	CONFIG(57, 2, 1, 5, 0x80, 0xfa),
	INTERFACE(0, 0, 1, 0xfe, 0xfe, 0x02, 0), BULK(0x04),
	INTERFACE(1, 0, 0, 0xff, 0xff, 0x51, 6),
	INTERFACE(1, 1, 2, 0xff, 0xff, 0x51, 6), BULK(0x81), BULK(0x02),
};

/* DFU 1.1a with 2048-byte blocks. Reconstruction. */
static const uint8_t dfu_1[] = {
	CONFIG(27, 1, 1, 5, 0x80, 0xfa),
	INTERFACE(0, 0, 0, 0xfe, 0x01, 0x00, 0),
	0x09, 0x21, 0x01, 0x0a, 0x00, 0x00, 0x08, 0x00, 0x00,
};

/* Debug-USB: two portals, a pair of pipes each. Reconstruction; only the pipes are known. */
static const uint8_t debug_usb_1[] = {
	CONFIG(46, 1, 1, 0, 0x80, 0xfa),
	INTERFACE(0, 0, 4, 0xff, 0xff, 0xff, 0), BULK(0x01), BULK(0x81), BULK(0x03), BULK(0x83),
};

static const uint8_t keyboard_1[] = {
	CONFIG(34, 1, 1, 0, 0xa0, 0x32),
	INTERFACE(0, 0, 1, 0x03, 0x01, 0x01, 0),
	0x09, 0x21, 0x11, 0x01, 0x00, 0x01, 0x22, 0x3f, 0x00, /* report of 63 bytes */
	INTERRUPT(0x81, 8, 8),
};

static const uint8_t disk_1[] = {
	CONFIG(32, 1, 1, 0, 0xc0, 0xfa),
	INTERFACE(0, 0, 2, 0x08, 0x06, 0x50, 0), BULK(0x81), BULK(0x02),
};
/* clang-format on */

#define ONE(config)   .config_count = 1, .configs = { { (config), sizeof(config) } }
#define SIZED(config) { (config), sizeof(config) }

/* clang-format off */
#define NORMAL(count, ...) \
	{ USB_VENDOR_APPLE, 0, 0x1407, 1, 2, 3, (count), { __VA_ARGS__ } }
#define FOUR SIZED(normal_1), SIZED(normal_2), SIZED(normal_3), SIZED(normal_4)

static const struct shape normal_shapes[] = {
	[SHAPE_INITIAL] = NORMAL(4, FOUR),
	[SHAPE_CAMERA] = NORMAL(1, SIZED(normal_1)),
	[SHAPE_NO_MUX] = NORMAL(2, SIZED(normal_1), SIZED(normal_2)),
	[SHAPE_PICTURE] = NORMAL(5, FOUR, SIZED(normal_picture)),
	[SHAPE_NCM] = NORMAL(5, FOUR, SIZED(normal_ncm)),
};

static const struct shape phone_shapes[] = {
	[MODE_NORMAL] = NORMAL(4, FOUR),
	[MODE_RESTORE] = NORMAL(4, FOUR),
	[MODE_RECOVERY] = { USB_VENDOR_APPLE, 0x1281, 0x0000, 2, 3, 4, ONE(recovery_1) },
	[MODE_DFU] = { USB_VENDOR_APPLE, 0x1227, 0x0000, 2, 3, 4, ONE(dfu_1) },
	[MODE_WTF] = { USB_VENDOR_APPLE, 0x1222, 0x0000, 2, 3, 4, ONE(dfu_1) },
	[MODE_PORT_DFU] = { USB_VENDOR_APPLE, 0xf014, 0x0000, 2, 3, 4, ONE(dfu_1) },
	[MODE_DEBUG_USB] = { USB_VENDOR_APPLE, 0x1881, 0x0000, 2, 3, 0, ONE(debug_usb_1) },
};
/* clang-format on */

const struct shape *shape_normal(enum shape_variant variant)
{
	return &normal_shapes[variant];
}

static const struct shape keyboard_shape = { USB_VENDOR_APPLE, 0x024f, 0x0074, 1, 2, 0,
					     ONE(keyboard_1) };
static const struct shape disk_shape = { USB_VENDOR_APPLE, 0x1261, 0x0001, 1, 2, 3, ONE(disk_1) };

const struct shape *shape_of(enum body body, enum mode mode)
{
	switch (body) {
	case BODY_PHONE:
		return &phone_shapes[mode];
	case BODY_KEYBOARD:
		return &keyboard_shape;
	case BODY_DISK:
		return &disk_shape;
	}
	return nullptr;
}

/* Index 1 is the nonces', 4 the serial string's, and 5 names the configuration like the product. */
static const char *iboot_string(const char *product, uint8_t index)
{
	switch (index) {
	case 2:
		return "Apple Inc.";
	case 3:
	case 5:
		return product;
	case 6:
		return "Apple USB Serial Interface";
	default:
		return nullptr;
	}
}

static const char *normal_string(uint8_t index)
{
	switch (index) {
	case 1:
		return "Apple Inc.";
	case 5:
	case 0x1b:
		return "PTP";
	case 6:
		return "iPod USB Interface";
	case 7:
		return "PTP + Apple Mobile Device";
	case 8:
		return "PTP + Apple Mobile Device + Apple USB Ethernet";
	case 9:
		return "PTP + Apple Mobile Device + Valeria";
	case 10:
		return "PTP + Apple Mobile Device + Apple CDC-NCM";
	case 0x13:
		return "Valeria";
	case 0x14:
		return "CDC Network Control Model (NCM)";
	case 0x15:
		return "020000000001";
	case 0x0f:
		return "Apple USB Multiplexor";
	case 0x11:
		return "Apple USB Ethernet";
	default:
		return nullptr;
	}
}

static const char *phone_string(enum mode mode, uint8_t index)
{
	switch (mode) {
	case MODE_NORMAL:
	case MODE_RESTORE:
		return normal_string(index);
	case MODE_RECOVERY:
		return iboot_string("Apple Mobile Device (Recovery Mode)", index);
	case MODE_DFU:
		return iboot_string("Apple Mobile Device (DFU Mode)", index);
	case MODE_WTF:
		return iboot_string("Apple Mobile Device (WTF Mode)", index);
	case MODE_PORT_DFU:
		return iboot_string("Apple Mobile Device (Port DFU Mode)", index);
	case MODE_DEBUG_USB:
		return iboot_string("Debug USB", index);
	}
	return nullptr;
}

const char *shape_string(enum body body, enum mode mode, uint8_t index)
{
	switch (body) {
	case BODY_PHONE:
		return phone_string(mode, index);
	case BODY_KEYBOARD:
		return index == 1 ? "Apple Inc." : index == 2 ? "Apple Keyboard" : nullptr;
	case BODY_DISK:
		return index == 1 ? "Apple Inc." : index == 2 ? "iPod" : nullptr;
	}
	return nullptr;
}
