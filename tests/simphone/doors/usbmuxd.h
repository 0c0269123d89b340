/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The usbmuxd door from inside: door_usbmuxd.c owns sockets, clients and the phone's presence;
 * usbmuxd_requests.c says what a message means. Nobody else includes this.
 *
 *             ┌──────── refused, no such phone ────────┐
 *             ▼                                        │
 *   FREE ▶ COMMAND ──Connect──▶ CONNECTING ──result 0──┴─▶ CONNECTED     (raw bytes both ways)
 *             └────Listen────▶ LISTENING  (events)
 *   every one of them ──hang-up, garbage, cable out──▶ DEAD ──reaper──▶ FREE
 *
 * Invariants: a client has a service exactly while CONNECTED (or DEAD, until the reaper frees it: a
 * service may close its own connection while it is being fed). `fd` is open unless FREE or DEAD.
 * The result of Connect goes out before the service's first byte. A client that does not drain its
 * output is not read either.
 */
#pragma once

#include <plist/plist.h>

#include "doors/door_usbmuxd.h"

enum {
	CLIENTS_MAX = 64,
	HEADER_BYTES = 16,
	MESSAGE_MAX = 65536,           /* usbmuxd's input buffer, header and all */
	OUTPUT_HIGH = 131072,          /* beyond it the client is not read; usbmuxd's window */
	OUTPUT_MAX = 32 * 1024 * 1024, /* beyond it the client is dropped */
	SERIAL_BYTES = 256,
	PATH_BYTES = 512,
};

enum mux_result {
	RESULT_OK = 0,
	RESULT_BAD_COMMAND = 1,
	RESULT_BAD_DEVICE = 2,
	RESULT_REFUSED = 3,
	RESULT_BAD_VERSION = 6,
};

enum client_state {
	CLIENT_FREE,
	CLIENT_COMMAND,
	CLIENT_LISTENING,
	CLIENT_CONNECTING,
	CLIENT_CONNECTED,
	CLIENT_DEAD,
};

struct mux_client {
	struct door_usbmuxd *door; /* owner */
	enum client_state state;
	int fd;
	unsigned number;  /* for the log and ListListeners */
	uint32_t version; /* of its messages: 0 binary, 1 property lists */
	plist_t about;    /* what it last said of itself; NULL before */
	struct buf in, out;

	uint32_t connect_tag;
	uint16_t port;
	struct timer connect; /* armed while CONNECTING, unless the phone is silent */
	struct service *service;
	bool opening;     /* ports_open() is under way */
	struct buf early; /* what the service said meanwhile */
	bool closing;     /* ends once `out` is out */
	bool hung_up;     /* a delay holds what it had sent before */
};

struct door_usbmuxd {
	struct loop *loop;   /* borrowed */
	struct phone *phone; /* borrowed */
	const struct door_libusb
	    *libusb; /* borrowed: tells where the phone hangs; NULL: nobody does */
	struct presence presence;
	int fd;
	char path[PATH_BYTES], records[PATH_BYTES];
	unsigned accepted;
	struct mux_client clients[CLIENTS_MAX];
	struct timer reaper;

	uint32_t device_id;  /* of the attached phone; a new one at each attach */
	bool attached;       /* in a mode with a mux */
	bool visible;        /* clients know of it */
	struct timer appear; /* armed: attached, and not yet visible */
};

/* ---- usbmuxd_requests.c ---- */

/* One whole message, header and all; changes the client's state. */
void mux_request_take(struct mux_client *c, const uint8_t *message, size_t len);
void mux_result_send(struct mux_client *c, uint32_t tag, unsigned number);

enum mux_event { EVENT_ATTACHED, EVENT_DETACHED, EVENT_PAIRED };
void mux_event_send(struct mux_client *c, enum mux_event event);

/* ---- door_usbmuxd.c ---- */

/* Queues; drops the client if it is beyond the ceiling. */
void mux_client_send(struct mux_client *c, const void *bytes, size_t len);
void mux_client_kill(struct mux_client *c, const char *why);
void mux_client_connect(struct mux_client *c, uint32_t tag, uint32_t device_id, uint16_t port);
/* The same event to all that listen. */
void mux_door_tell(struct door_usbmuxd *d, enum mux_event event);
/* The phone's UDID as usbmuxd spells it. */
void mux_door_serial(const struct door_usbmuxd *d, char ret_serial[SERIAL_BYTES]);
