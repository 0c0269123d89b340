/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What usbmuxd lists now. It and the bus speak over different ways, in any order: its word about an
 * enumeration may come before the sighting, and its "detached" long after.
 */
#include "phone/phone.h"

enum { MUX_LIST_MAX = 128 };

struct mux_entry {
	char udid[UDID_BYTES];
	unsigned location; /* bus << 16 | address, 0 unknown */
	uint64_t sequence; /* when it was listed, in the fleet's count of what happened */
};

struct mux_list {
	bool full; /* said so already */
	size_t count;
	struct mux_entry entries[MUX_LIST_MAX];
};

/* udid in the form of udid_from_serial(). A list that is full takes no more (logged). */
void mux_list_add(struct mux_list *list, const char *udid, unsigned location, uint64_t sequence);
/* The entry of that location, or of an unknown one, or all of the UDID if location is 0. */
void mux_list_remove(struct mux_list *list, const char *udid, unsigned location);

/* Only a booted phone that is plugged in can be listed. */
bool phone_speaks_mux(const struct phone *phone);

/*
 * True if the phone's present enumeration (seen at `sequence`) is listed: by its location; or by
 * its UDID, if the entry is younger than the sighting or has no location.
 */
bool mux_list_has(const struct mux_list *list, const struct phone *phone, uint64_t sequence);

/* The entry at that location, NULL if none. */
const struct mux_entry *mux_list_at(const struct mux_list *list, unsigned location);

unsigned sighting_location(const struct sighting *sighting);
