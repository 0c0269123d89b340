/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Who is here. The fleet owns all phones, takes in what the bus, the mux and workers say, and
 * reports what became of it. It does no I/O and reads no clock: the caller brings the time, so that
 * a test can replay an afternoon in a millisecond.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "phone/phone.h"

/* Phones at most, gone ones included; the longest gone makes room, and a new one beyond that is
 * logged and not shown. */
enum { FLEET_PHONES_MAX = 128 };

enum fleet_event {
	FLEET_ADDED,   /* a phone that was not here came */
	FLEET_CHANGED, /* mode, presence, identity, mux, sighting: see the phone */
	FLEET_REMOVED, /* presence became gone; the phone can still be read */
	FLEET_EVENT_MAX,
};
/*
 * Called at the end of a call below, when all is consistent: removals first, one report a phone.
 * From within, only const functions and fleet_mark_asked() may be called.
 */
typedef void (*fleet_event_fn)(enum fleet_event event, const struct phone *phone, void *user);

struct fleet;

int fleet_new(fleet_event_fn fn, void *user, struct fleet **ret);
struct fleet *fleet_free(struct fleet *fleet);
DEFINE_CLEANUP(struct fleet *, fleet_free)

/*
 * A change on the bus. Devices that are no phones are ignored: those that the facts call so, and
 * those with a USB id that the facts do not have, unless their serial string is iBoot's (mode
 * unknown). A sighting at a port, or of a phone, whose last one did not leave replaces that one.
 */
void fleet_sighting(struct fleet *fleet, enum sighting_change change,
		    const struct sighting *sighting, uint64_t now_ms);

/* usbmuxd lists this UDID (bus and address when location is known: bus << 16 | address, 0 unknown),
 * or no longer. May come before the sighting. Makes no phone of its own; may give one its UDID. */
void fleet_mux(struct fleet *fleet, const char *udid, unsigned location, bool listed,
	       uint64_t now_ms);

/* usbmuxd itself came or went: no phone is listed until it says so again. */
void fleet_mux_reset(struct fleet *fleet, uint64_t now_ms);

/*
 * A worker's answer about phone `id`, asked when it was enumerated as `syspath`; ignored if it
 * re-enumerated since (that is: if it has left, or nobody asked about the present enumeration, or
 * the mode cannot be that of its USB id). mode: MODE_UNKNOWN if the answer does not say. May merge
 * the phone into one that was known before: the older id stays. An answer that contradicts what is
 * known of the phone moves the enumeration to the phone that it names.
 */
void fleet_identity(struct fleet *fleet, unsigned id, const char *syspath, enum mode mode,
		    const struct identity *identity, uint64_t now_ms);

/*
 * A worker's answer about trust, for the enumeration `syspath` as above. Trust of an enumeration
 * that has left is unknown again. One that names another phone is ignored (logged). That there is
 * no record does not undo what the phone itself said meanwhile.
 */
void fleet_trust(struct fleet *fleet, unsigned id, const char *syspath,
		 const struct trust_answer *answer, uint64_t now_ms);

/*
 * How far a question about the enumeration `syspath` came that was no check of trust, or a check
 * that failed. problem: why it came no further; NULL or kind none if nothing stood in its way: then
 * what a question before it reached counts on.
 */
void fleet_reach(struct fleet *fleet, unsigned id, const char *syspath, enum reach reach,
		 const struct error *problem, uint64_t now_ms);

/* A job takes the phone ("" gives it back). Survives re-enumeration. -ENODEV, -EBUSY (another job
 * has it). */
int fleet_set_job(struct fleet *fleet, unsigned id, const char *job, uint64_t now_ms);

/* Marks that a worker was asked about the present enumeration. */
void fleet_mark_asked(struct fleet *fleet, unsigned id);

/* A job expects the phone back within limit_ms: it is awaited until it came and settled, or the
 * limit passes. -ENODEV. */
int fleet_expect(struct fleet *fleet, unsigned id, unsigned limit_ms, uint64_t now_ms);

/* Lets time pass: ends settling and awaiting, forgets. Call at fleet_deadline() or later. */
void fleet_tick(struct fleet *fleet, uint64_t now_ms);

/* The next moment at which fleet_tick() has work, UINT64_MAX if none. */
uint64_t fleet_deadline(const struct fleet *fleet);

/* Borrowed until the next call that is not const. NULL at the end or if there is none. */
const struct phone *fleet_get(const struct fleet *fleet, unsigned id);
/* The phones in the order of their ports (natural order: 1-2 before 1-10), without gone ones. index
 * from 0. */
const struct phone *fleet_at(const struct fleet *fleet, size_t index);
size_t fleet_count(const struct fleet *fleet);
/* The phone with this UDID (in usbmuxd's form or without its hyphen, in any case), here or gone and
 * still remembered; NULL if none. */
const struct phone *fleet_by_udid(const struct fleet *fleet, const char *udid);
/* All of them at once, in that order; returns how many. */
size_t fleet_all(const struct fleet *fleet, const struct phone *ret[static FLEET_PHONES_MAX]);

/*
 * Finds the phone that a person named: "ecid:0x…", "udid:…", "port:1-2.3", "name:…", or bare text
 * if it fits exactly one phone; a name never shadows an id. Hexadecimal digits and names are
 * compared without regard to case, an ECID with or without 0x and leading zeros, a UDID with or
 * without its hyphen; a name is the owner's, or what the screen shows without one. Gone phones are
 * not found; of two at one port (one is awaited there) the one on the bus. Returns 0; -ENODEV
 * (ERROR_NO_PHONE), -ENOTUNIQ (ERROR_AMBIGUOUS, the text lists the matches' keys) or -EINVAL
 * (ERROR_USAGE).
 */
int fleet_find(const struct fleet *fleet, const char *wanted, const struct phone **ret,
	       struct error *err);

/*
 * All phones that `wanted` fits, as fleet_find() understands it, in the order of fleet_at(): the
 * first `max` of them into ret. Returns how many there are, 0 also for a name that is not allowed.
 */
size_t fleet_match(const struct fleet *fleet, const char *wanted, const struct phone **ret,
		   size_t max);
