/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The computer itself, on which the error was seen: what stands in the way of its volumes, what its
 * clock is worth, and what follows when a phone works from the stick. Pure: facts in, words out.
 * Nothing is concluded that the evidence does not carry.
 */
#include "facts/facts.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What stands in the way of a volume; words of worker/README.md, host-look. */
enum computer_cause {
	COMPUTER_NONE,
	COMPUTER_HIBERNATED,
	COMPUTER_SLEEPER,
	COMPUTER_DIRTY,
	COMPUTER_LOG_OPEN,
	COMPUTER_RECOVER,
	COMPUTER_ERRORS,
	COMPUTER_BITLOCKER,
	COMPUTER_LUKS,
	COMPUTER_PROTECTED,
	COMPUTER_MACOS,
	COMPUTER_FILE_SYSTEM,
	COMPUTER_UNREADABLE,
	COMPUTER_CAUSE_MAX,
};
enum computer_cause computer_cause_from_name(const char *name); /* _MAX: none of ours, or NULL */
/* "ok", "hibernated", "dirty", "encrypted", "read-only", "unsupported" */
const char *computer_condition(enum computer_cause cause);
/* For people; NULL for COMPUTER_NONE. */
const char *computer_reason(enum computer_cause cause);
const char *computer_remedy(enum computer_cause cause);

/* The clock on the board, against all that is known of the time. ms since the epoch, 0 unknown. */
struct computer_times {
	uint64_t board_ms;  /* what it says; Windows keeps local time in it */
	uint64_t made_ms;   /* when this image was made: no right clock is before it */
	uint64_t true_ms;   /* the time that a server told */
	uint64_t record_ms; /* the latest record that a system of this computer has written */
};
enum computer_clock { CLOCK_UNKNOWN, CLOCK_FITS, CLOCK_BEHIND, CLOCK_AHEAD, CLOCK_MAX };
const char *computer_clock_name(enum computer_clock clock); /* "behind" */
/* ret_text: for people, allocated; NULL if there is nothing to say (or no memory). */
enum computer_clock computer_clock(const struct computer_times *times, char **ret_text);

/* A record of a phone in a system of this computer. */
struct computer_record {
	const char *udid; /* the phone's, as people write it */
	bool broken;
};

/* A phone that trusts the stick, proven by a session in which something was read. */
struct computer_phone {
	const char *udid, *label;
};

struct computer_facts {
	const struct computer_phone *phones;
	size_t phone_count;
	const struct computer_record *records;
	size_t record_count;
	size_t looked; /* systems that could be looked into */
	size_t closed; /* volumes of systems that could not: encrypted, out of reach, unreadable */
};

/* What follows. *ret_id: stable ("works-broken"); ret_text: for people, allocated. Returns true if
 * it is a conclusion, false if it says what is not known and what would tell. */
bool computer_conclude(const struct computer_facts *facts, const char **ret_id, char **ret_text);
