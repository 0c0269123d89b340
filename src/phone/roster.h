/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The phones of a fleet, and what became of them since the last report. A part of fleet.c, which
 * alone includes it.
 */
#include "phone/fleet.h"

struct member {
	struct phone phone;
	uint64_t sequence; /* of its latest sighting, in the fleet's count of what happened */
	bool visible;      /* was not gone at the last report */
	bool touched;      /* something is to be reported */
	bool dead;         /* merged into another one; freed by the next report */
};

/* members[0…count) are the phones, in no order. */
struct roster {
	size_t count;
	unsigned last_id;
	bool full; /* said so already */
	struct member *members[FLEET_PHONES_MAX];
};

/* A new phone with the next id; the longest gone makes room. NULL (logged) if there is none. */
struct member *roster_add(struct roster *roster);
void roster_drop(struct roster *roster, struct member *member);
void roster_clear(struct roster *roster);

struct member *roster_get(const struct roster *roster, unsigned id);

/* The member that has the enumeration of this syspath now, NULL if none. */
struct member *roster_on_bus(const struct roster *roster, const char *syspath);

/* The earliest deadline_ms, UINT64_MAX if there is none. */
uint64_t roster_deadline(const struct roster *roster);

/* The member that fits best: strongest match, of equal ones the latest sighting. NULL if none.
 * `not` is left out. */
struct member *roster_match(const struct roster *roster, const struct identity *news,
			    const char *port, const struct member * not);

/* Reports all that was touched: first what was removed, then the rest; frees the dead. */
void roster_report(struct roster *roster, fleet_event_fn fn, void *user);

/* The visible phones in the order of their ports into ret; returns how many. */
size_t roster_sorted(const struct roster *roster, const struct phone *ret[FLEET_PHONES_MAX]);
