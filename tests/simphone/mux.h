/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The phone's side of usbmux: packets over a bulk pipe, and in them connections with TCP's header.
 *
 *   silent ──version from the host──▶ version 2, 16-byte headers ──SYN──▶ connections
 *      ▲────────────version again, bus reset, set configuration──────────┘ (drops every connection)
 *
 * Rules that usbmuxd insists on: initial sequence number 0, data with flags exactly ACK, no ACK for
 * a bare ACK, RST is the only way to close. At most the host's window is unacknowledged; the rest
 * waits in `pending`. How it may break them: mux_knobs.h.
 */
#pragma once

#include "mux_packet.h"
#include "stream.h"
#include "timers.h"
#include "usbdev.h"

struct phone;
struct mux_connection;

enum { MUX_EP_OUT = 0x04, MUX_EP_IN = 0x85, MUX_CONNECTIONS_MAX = 64 };

struct mux {
	struct phone *phone; /* owner */
	unsigned version;    /* 0: nothing agreed yet */
	uint16_t tx_seq, rx_seq;
	struct buf in; /* what has not been looked at yet */
	struct mux_connection *connections;
	struct timer reaper; /* frees connections that closed while they were busy */

	/* mux_packet.c's */
	uint64_t packets; /* sent since the version */
	bool stalled;     /* by a fault: deaf and dumb until the bus is reset */
	struct buf held;  /* packets that a fault holds back, each behind its length */
	struct timer held_timer;
	struct buf waiting;     /* the packet that came and is held back */
	struct timer got_timer; /* armed: nothing behind it is looked at */
};

void mux_init(struct mux *m, struct phone *phone);
void mux_done(struct mux *m);

/* Drops connections and everything under way; the host must begin again with a version packet. */
void mux_reset(struct mux *m);

/* Goes on with the packet that was held back, and those behind it. */
void mux_resume(struct mux *m);

/* One bulk transfer from the host; packets may be split over transfers. */
void mux_feed(struct mux *m, const uint8_t *bytes, size_t len);
