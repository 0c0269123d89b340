/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the two files of the libusb door share: door_libusb.c has presence, connections and life,
 * libusb_requests.c what handles ask. Nobody else includes it.
 *
 * Invariants: watchers are told of a change before the request that caused it is answered. A
 * connection is closed by its own turn in the loop only, never below the code that handles one of
 * its requests: `closing` marks it until then. An interface is claimed by one handle at most.
 * usbdev knows a transfer exactly while it waits here; its id there is the connection's serial
 * number above the host's id.
 */
#pragma once

#include <sys/un.h>

#include "doors/door_libusb.h"
#include "doors/libusb_wire.h"

enum {
	CLIENTS_MAX = 32,
	WAITING_MAX = 256, /* transfers of a handle under way */
	ADDRESS_FIRST = 2, /* 1 is the root hub */
	ADDRESSES = 126,
};

/* Sets of pipes: a bit an interface, and one more. */
#define CONTROL_PIPE ((uint64_t)1 << USB_INTERFACES)
#define ALL_PIPES    UINT64_MAX

struct client {
	struct door_libusb *door; /* owner */
	int fd;                   /* -1: free */
	uint32_t serial;
	bool opened;      /* a handle */
	bool closing;     /* no more is read */
	uint32_t claimed; /* a bit an interface */
	struct buf in, out;
	struct {
		uint32_t id;
		uint64_t pipe; /* bit of its interface, or CONTROL_PIPE */
	} waiting[WAITING_MAX];
	unsigned waiting_count;
};

struct door_libusb {
	struct loop *loop;       /* borrowed */
	struct usbdev *usb;      /* borrowed */
	const struct evlog *log; /* borrowed */
	int fd;
	char path[sizeof(((struct sockaddr_un *)nullptr)->sun_path)];
	uint8_t bus;
	bool present;      /* enumerated */
	uint32_t attaches; /* makes the address */
	uint32_t changes;  /* of what PRESENCE tells */
	uint32_t serials;
	struct timer enumeration;
	struct client clients[CLIENTS_MAX];
};

/* Of what is on the bus now. */
static inline uint8_t door_address(const struct door_libusb *d)
{
	return (uint8_t)(ADDRESS_FIRST + (d->attaches - 1) % ADDRESSES);
}

/* Nothing is sent to a connection that is closing. @head gets its length here. */
void wire_send(struct client *c, struct wire_head head, const void *body, size_t len);
void wire_done(struct client *c, uint32_t id, enum wire_result result, uint32_t number);

/* Tells all watchers. */
void wire_presence_changed(struct door_libusb *d);

/* Handles one frame; false: no stand-in sends this. */
bool wire_request(struct client *c, const struct wire_head *h, const uint8_t *body);

/* Ends the transfers on @pipes. */
void wire_waiting_end(struct client *c, uint64_t pipes);

/* usbdev's answers. */
void wire_control_done(void *user, uint64_t id, const struct usb_setup *setup, enum usb_reply reply,
		       const uint8_t *bytes, size_t len);
void wire_in_done(void *user, uint64_t id, uint8_t ep, enum usb_reply reply, const uint8_t *bytes,
		  size_t len);
void wire_out_done(void *user, uint64_t id, uint8_t ep, enum usb_reply reply, size_t len);
