/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The phone's side of usbmux: packets over a bulk pipe, and in them connections with TCP's header.
 *
 *   silent ──version from the host──▶ version 2, 16-byte headers ──SYN──▶ connections
 *      ▲────────────version again, bus reset, set configuration──────────┘ (drops every connection)
 *
 * Rules that usbmuxd insists on: initial sequence number 0, data with flags exactly ACK, no ACK for
 * a bare ACK, RST is the only way to close. At most the host's window is unacknowledged; the rest
 * waits in `pending`.
 */
#pragma once

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
	struct buf in; /* a packet that is not complete yet */
	struct mux_connection *connections;
	struct timer reaper; /* frees connections that closed while they were busy */
};

void mux_init(struct mux *m, struct phone *phone);
void mux_done(struct mux *m);

/* Drops connections and everything under way; the host must begin again with a version packet. */
void mux_reset(struct mux *m);

/* One bulk transfer from the host; packets may be split over transfers. */
void mux_feed(struct mux *m, const uint8_t *bytes, size_t len);
