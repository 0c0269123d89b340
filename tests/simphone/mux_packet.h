/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Packets of the mux (mux.h): headers and sequence numbers, and what faults and knobs do to a whole
 * packet. Knows nothing of connections.
 *
 *   mux.c ──parts──▶ header ──knobs──▶ faults ──(held back)──▶ pipe
 *
 * Invariant: while packets are held back, younger ones wait behind them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct buf;
struct mux;

enum {
	MUX_VERSION = 0,
	MUX_CONTROL = 1,
	MUX_SETUP = 2,
	MUX_TCP = 6,

	MUX_HEADER_V1_BYTES = 8,
	MUX_HEADER_V2_BYTES = 16,
	MUX_TCP_BYTES = 20,
	MUX_PACKET_MAX = 65536,

	MUX_FLAG_SYN = 0x02,
	MUX_FLAG_RST = 0x04,
	MUX_FLAG_PSH = 0x08,
	MUX_FLAG_ACK = 0x10,
};

struct mux_parts {
	uint32_t protocol;
	const void *head, *body;
	size_t head_len, body_len;
};

enum mux_verdict {
	MUX_PASS,
	MUX_DROP,  /* it is as if it had never been */
	MUX_RESET, /* the caller resets the packet's connection */
	MUX_WAIT,  /* got: the caller keeps it until mux_resume() is called */
};

size_t mux_header_bytes(const struct mux *m);

/* Sends a packet; what a fault does to it is done, but for MUX_RESET. */
enum mux_verdict mux_packet_send(struct mux *m, const struct mux_parts *parts);

/* Judges a whole packet that came (8 bytes at least); it may be spoilt or cut in place. */
enum mux_verdict mux_packet_got(struct mux *m, struct buf *packet);

/* Ends what is held back, unsent. */
void mux_packet_reset(struct mux *m);
