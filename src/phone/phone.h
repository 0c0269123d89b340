/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A phone is one handset, whatever it re-enumerates as. Presence is its only state machine; mode
 * and trust are facts.
 *
 *            sighting                 quiet for TIMING_SETTLE            fleet_expect()
 *   (new) ──────────────▶ settling ──────────────────────────▶ present ──────────────▶ awaited
 *                            ▲  ▲        left the bus             │                       │
 *                            │  └──────── gone ◀──────────────────┴── limit passed ───────┤
 *                            └──────────────────── sighting of the same phone ────────────┘
 *
 * awaited: a job expects it back; leaving the bus is no loss until the limit passes. gone:
 * remembered for TIMING_FORGET, so that the same phone gets its name back.
 */
#include "phone/identity.h"
#include "phone/lately.h"
#include "phone/trust.h"

enum presence {
	PRESENCE_SETTLING,
	PRESENCE_PRESENT,
	PRESENCE_AWAITED,
	PRESENCE_GONE,
	PRESENCE_MAX
};

enum {
	PHONE_JOB_BYTES = 32,
	PHONE_FLAP_WINDOW_MS = 2 * 60 * 1000,
	PHONE_RECOVERY_WINDOW_MS = 10 * 60 * 1000,
};

struct phone {
	unsigned id; /* 1, 2, … within one run of the service; never reused */
	enum presence presence;
	enum mode mode;
	enum trust trust;
	struct identity identity;
	struct sighting sighting; /* the latest enumeration; the port stays when it left */
	bool on_bus;              /* the sighting lasts */
	bool in_mux;              /* usbmuxd lists it now */
	bool asked;         /* a worker was asked about this enumeration (or its answer is here) */
	bool trust_known;   /* a worker said what trust is, in this enumeration */
	bool has_record;    /* this computer holds a pairing record of it; with trust_known */
	bool had_record;    /* it held one at some time of this enumeration */
	bool record_broken; /* that record is unusable in itself; with trust_known */
	enum trust_detail detail;   /* what the word of trust does not say; with trust_known */
	struct error trust_reason;  /* why trust is what it is; kind none: nothing to say */
	enum reach reach;           /* how far the latest question came, in this enumeration */
	struct error reach_problem; /* why it came no further; kind none: nothing stood in the way,
				       or nobody asked */
	char job[PHONE_JOB_BYTES]; /* the job that has it, "" none: nobody else may ask it anything;
				      it is not forgotten until the job gives it back */
	unsigned enumerations;     /* sightings so far */
	unsigned flaps;        /* enumerations of the last PHONE_FLAP_WINDOW_MS, without those that
				  a job brought about */
	unsigned recoveries;   /* how often it came into recovery, the last
				  PHONE_RECOVERY_WINDOW_MS */
	unsigned trust_losses; /* how often it trusted this computer and then did not any more,
				  without a job of ours in between */
	bool was_trusted;      /* the latest word of an earlier check was trusted; see above */
	struct lately flap_times, recovery_times;
	uint64_t since_ms;    /* when presence or mode last changed, clock_now_ms() */
	uint64_t deadline_ms; /* end of settling or awaiting, or when it is forgotten; 0 none */
	char awaited_port[SIGHTING_PORT_BYTES]; /* port at which a job expects it, "" none */
	uint64_t awaited_until_ms; /* limit of that; a phone that came back but left again before it
				      settled is awaited on; 0 none */
};

/* So many are no chance any more. Below that the counts are told to nobody. */
enum { PHONE_FLAPS_MANY = 4, PHONE_RECOVERIES_MANY = 3 };

/* Forgets what happened long ago; returns whether a count that is told changed by it. */
bool phone_fade(struct phone *phone, uint64_t now_ms);
/* When it may do so next, UINT64_MAX if no count is told. */
uint64_t phone_fade_deadline(const struct phone *phone);

const char *presence_name(enum presence presence);

/*
 * Strongest name of this phone that the PHONE argument understands: "ecid:0x…", "udid:…" or
 * "port:1-2". ret must hold PHONE_KEY_BYTES.
 */
enum { PHONE_KEY_BYTES = 80 };
void phone_key(const struct phone *phone, char *ret);

/*
 * The object `phone` of the JSON interfaces. Absent fields are left out. Caller unrefs.
 *
 *   always            key (as phone_key()), presence, mode, mode_label (for people), trust, port,
 *                     in_mux (boolean), enumerations (integer), since_ms (integer, ms since the
 *                     epoch: when presence or mode last changed)
 *   if known          job (id of the job that has it), has_record (boolean), record_broken
 *                     (true), trust_reason (text), trust_detail (name of enum trust_detail),
 *                     reach (name of enum reach; of a normal phone), capacity_bytes, free_bytes,
 *                     battery_percent (integers), battery_charging (boolean),
 *                     activation (text), setup_done, supervised, lost_mode, passcode_set
 *                     (booleans), recoveries, trust_losses, flaps (integers),
 *                     ecid ("0x" and 16 digits), udid, name (the owner's), label (best name for
 *                     people), product ("iPhone14,5"), version, build, serial_number
 *   known model       board, model (its name), family, buttons, year (integer)
 *   seen in recovery  cpid ("0x8110"), bdid, cprv, cpfm, scep, ibfl ("0x3d"), iboot_flags (ids of
 *   or DFU            the facts, goes with ibfl), srtg, srnm, imei, pwnd
 *   in this boot      ap_nonce, sep_nonce (lower-case hex)
 *   on the bus        bus, address, usb_id ("05ac:1281"), hub_depth, configuration (integers),
 *                     speed_mbps (integer, if the kernel knows it)
 */
int phone_to_json(const struct phone *phone, sd_json_variant **ret);
