/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the parts of the fleet share; nobody else includes it:
 *
 *   fleet.c         the phones, what comes and goes on the bus and in the mux, time
 *   fleet_answer.c  what workers answered
 */
#include "phone/fleet.h"
#include "phone/mux_list.h"
#include "phone/roster.h"

struct fleet {
	fleet_event_fn fn;
	void *user;
	uint64_t sequence; /* counts sightings and words of usbmuxd: which was first */
	struct roster roster;
	struct mux_list mux;
};

/* Each call from outside: lets time pass, then acts, then lays the mux list over the phones and
 * reports. */
void fleet_pass(struct fleet *fleet, uint64_t now_ms);
void fleet_settle(struct fleet *fleet, uint64_t now_ms);

/* Takes in what is said of the phone; another UDID than before is believed (logged). */
void member_learn(struct member *member, const struct identity *news);
void member_enter_mode(struct member *member, enum mode mode, uint64_t now_ms);

/* Merges the phone with every other that has one of its names. */
void fleet_merge_all(struct fleet *fleet, struct member *member, uint64_t now_ms);

/* The enumeration is another phone's than was thought (its port had decided). NULL: no room. */
struct member *fleet_move_enumeration(struct fleet *fleet, struct member *member, enum mode mode,
				      const struct identity *news, uint64_t now_ms);
