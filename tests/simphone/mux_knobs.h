/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How the phone's mux may misbehave, beyond faults at a packet (fault.h). Members of the scenario
 * with keys mux_…; they may change while the phone runs. As mux_knobs_polite() sets them: a phone
 * as usbmuxd knows it.
 */
#pragma once

#include <stdint.h>

struct mux_knobs {
	uint64_t version; /* answered to the version packet: 2; 1: old headers from then on;
			     anything else: nothing is agreed */
	bool no_version;  /* the version packet is not answered */
	bool stale_v2_before_version; /* a segment of an old conversation comes before the answer */
	bool psh_flag;                /* data with PSH and ACK */
	uint64_t refuse_port;         /* reset although somebody listens; 0: none */
	bool no_synack;               /* SYN is not answered */
	uint64_t rst_after;           /* bytes to the host, then RST, each connection; 0: never */
	bool no_ack;                  /* the host's data is taken but never acknowledged */
	uint64_t window;              /* announced, in bytes; 131072 */
	uint64_t mss;                 /* bytes in a segment at most; 0: as fit */
	bool split_prefix;            /* each piece of a service is a segment, as on real phones;
					 else what a turn says goes out together */
	uint64_t truncate_packet;     /* the n-th packet since the version lacks its second half */
	uint64_t oversize;            /* the n-th packet is longer than the host's 65536 bytes */
	char control_text[128];       /* sent as an error of the mux after each setup */
	bool seq_wrap;                /* sequence numbers of packets begin at 0xfff0 */
};

static inline struct mux_knobs mux_knobs_polite(void)
{
	return (struct mux_knobs){ .version = 2, .window = 131072, .split_prefix = true };
}
