/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The words between a simulated phone (door_libusb) and programs that run with the stand-in for
 * libusb. The phone plays its device and the kernel in front of it: enumeration, claims, usbfs.
 *
 * Each phone listens on FOLDER/bus-NNN.sock, NNN being its bus number. A connection begins as a
 * watcher, which is told what is on the bus, at once and at each change:
 *
 *      watcher   ◀──PRESENCE───────────────────────────────
 *      handle    ──OPEN address──▶ ◀──DONE──  ──request id──▶ ◀──DONE id──
 *
 * OPEN turns it into an open file of usbfs: from then on every request gets one DONE of its id. A
 * transfer that the phone never answers gets it by CANCEL; if the answer and CANCEL cross, there
 * are two, so no id is used twice on a connection. Claims and requests end with the connection, and
 * the phone closes it when the device leaves the bus.
 *
 * Both ends are on one machine: numbers are in its byte order. A frame is a head and `length`
 * bytes.
 */
#pragma once

#include <stdint.h>

enum {
	WIRE_TRANSFER_MAX = 1024 * 1024, /* bytes of one transfer */
	WIRE_SETUP = 8, /* the setup packet before the bytes of a control transfer */
	WIRE_BODY_MAX = WIRE_TRANSFER_MAX + WIRE_SETUP,
	WIRE_CONTROL_MAX = 4096, /* bytes of a control transfer, as in Linux */
	WIRE_CONFIGS_MAX = 8,
};

enum wire_word : uint8_t {
	/* from the phone */
	WIRE_PRESENCE = 1, /* number: how often it changed; body: struct wire_presence, then of each
			      configuration a uint16_t length and its bytes */
	WIRE_DONE,         /* a: enum wire_result, number: bytes moved, or as the request says */
	/* to the phone */
	WIRE_OPEN,       /* a: address, of the enumeration that is meant */
	WIRE_CONTROL,    /* body: setup packet, and the bytes of an OUT transfer */
	WIRE_OUT,        /* bulk or interrupt; a: endpoint, body: bytes */
	WIRE_IN,         /* bulk or interrupt; a: endpoint, number: room for bytes */
	WIRE_CANCEL,     /* id: of the request that shall end */
	WIRE_SET_CONFIG, /* a: value, 0 for none; DONE's number: that of the presence it led to */
	WIRE_SET_ALT,    /* a: interface, b: alternate setting */
	WIRE_CLAIM,      /* a: interface */
	WIRE_RELEASE,    /* a: interface */
	WIRE_CLEAR_HALT, /* a: endpoint */
	WIRE_RESET,
};

enum wire_result : uint8_t {
	WIRE_OK,
	WIRE_STALLED,
	WIRE_CANCELLED,
	WIRE_GONE,    /* that device is not on the bus any more */
	WIRE_BUSY,    /* another open file has claimed it */
	WIRE_UNKNOWN, /* no such configuration, interface or endpoint */
};

struct wire_head {
	uint32_t length; /* of the body, at most WIRE_BODY_MAX */
	uint32_t id;     /* chosen by who asks; 0 in PRESENCE */
	uint32_t number;
	enum wire_word word;
	uint8_t a, b;
	uint8_t spare; /* 0 */
};
static_assert(sizeof(struct wire_head) == 16);

struct wire_presence {
	uint8_t attached; /* 0: nothing on the bus, and nothing below counts */
	uint8_t bus, address;
	uint8_t high_speed; /* 0: full speed */
	uint8_t config;     /* value of the active configuration, 0: none */
	uint8_t config_count;
	uint8_t device[18]; /* device descriptor */
};
static_assert(sizeof(struct wire_presence) == 24);
