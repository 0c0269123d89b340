/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * How the phone's USB side may misbehave, beyond faults at a message (fault.h). Members of the
 * scenario, under the same names as keys; they may change while the phone runs. All zero: a polite
 * phone.
 */
#pragma once

#include <stdint.h>

struct usb_knobs {
	uint64_t drop_after_bytes; /* cable out once that many have passed since it was put in,
				      beyond chapter 9, both ways; 0: never */

	uint64_t max_power_ma; /* bMaxPower, from the next attach on; 0: as in shape.c */

	/* a loose plug or a weak port */
	uint64_t blink_every_ms; /* off the bus and back, that long after each attach; 0: never */
	uint64_t blink_times;    /* after a boot; 0: without end */

	/* coming back after a change of mode */
	bool no_reenum;           /* never; not by the cable either */
	uint64_t reenum_delay_ms; /* later, before scaling */
	bool reenum_twice;        /* on the bus, off at once, and on again */
	unsigned wrong_mode;      /* 0: the right one, else in this enum mode + 1 */

	/* requests and pipes */
	uint64_t stall_ep0;   /* 0xTTRR: this type and request stall always; 0: none */
	uint64_t stall_ep;    /* this pipe (0x04, 0x85 …) stalls always; 0: none */
	uint64_t delay_ep_ms; /* bulk transfers are answered that late */
	uint64_t bulk_short;  /* IN transfers end after that many bytes; 0: as they are */
	bool nak_forever;     /* bulk pipes take nothing and give nothing */

	/* enumeration, normal mode; from the next attach on */
	bool cfg1_stall;         /* the second configuration's descriptor stalls three times */
	bool one_config;         /* only the camera's */
	bool mode_switch_needed; /* no mux before SET_MODE 2 or 3 */

	/* the serial string */
	uint64_t serial_timeout; /* ms by which it comes late */
	bool serial_empty;       /* has no characters */
	bool serial_40hex;       /* the old form of the UDID, whatever the model */
};
