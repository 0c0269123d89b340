/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The TCP ports of the phone as seen through usbmux: who listens, and the connections' faults.
 * Both carriers (mux.c over USB, door_usbmuxd) open connections here.
 *
 * Invariants: a boot of the phone (ports_reset) leaves nothing listening; connections belong to
 * their carriers, which drop them when the phone leaves the bus. A connection that is dropped while
 * a delay holds back what its host sent is an orphan of `ports` until that was delivered.
 */
#pragma once

#include "stream.h"

enum { PORTS_MAX = 64, PORT_EPHEMERAL_FIRST = 49152 };

struct connection;

struct ports {
	struct phone *phone; /* owner */
	uint16_t next;       /* ephemeral port */
	unsigned count;
	struct port_listener {
		uint16_t port;
		const char *conversation; /* static text */
		service_open_fn open;
		void *user; /* borrowed */
	} listeners[PORTS_MAX];
	struct connection *orphans; /* owned */
};

void ports_init(struct ports *p, struct phone *phone);
void ports_reset(struct ports *p);
void ports_done(struct ports *p);

/*
 * Listens on @port, or on the next free ephemeral port if it is 0, until ports_unlisten() or the
 * next boot. @conversation (static text) is the name under which faults and the event log know
 * it. Returns the port.
 */
uint16_t ports_listen(struct ports *p, uint16_t port, const char *conversation,
		      service_open_fn open, void *user);
void ports_unlisten(struct ports *p, uint16_t port);

/* The host connects. NULL: refused. The carrier owns what it gets. */
struct service *ports_open(struct ports *p, uint16_t port, const struct stream *stream);

/* Whether the phone takes what comes now. False after a stall, and while a delay holds much: a
 * carrier with back-pressure leaves the host's bytes where they are. @connection comes from
 * ports_open(). */
bool ports_taking(const struct service *connection);
/* Whether a delay holds back what the host sent: who hung up may have sent more. */
bool ports_holding(const struct service *connection);
/* @taking is called, with the user of the stream, when that may have become true again. */
void ports_on_taking(struct service *connection, void (*taking)(void *user));
