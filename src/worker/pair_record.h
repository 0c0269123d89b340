/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A pairing record as usbmuxd, iTunes and Finder keep it (device-protocols.md §4.4): a property
 * list with names, certificates and keys in PEM. Is it one that a session can be tried with? Pure:
 * bytes in, verdict out. Files may be half written, or be none at all.
 */
#include <plist/plist.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAIR_RECORD_NAME_BYTES = 64, PAIR_RECORD_WHY_BYTES = 96 };
/* Real ones have 8 to 12 KB, but a phone may send an escrow bag of any size; a larger file is none.
 */
enum { PAIR_RECORD_BYTES_MAX = 4 * 1024 * 1024 };

struct pair_record {
	bool broken;
	char why[PAIR_RECORD_WHY_BYTES]; /* what is wrong, for a person; "" when it is not broken */
	char host_id[PAIR_RECORD_NAME_BYTES];     /* this computer's name in it, "" none */
	char system_buid[PAIR_RECORD_NAME_BYTES]; /* "" none */
	bool has_escrow_bag;                      /* a backup needs it */
	/* seconds since 1970 between which its root certificate is valid; 0 unknown */
	int64_t not_before_s, not_after_s;
};

/* Judges it; never fails. */
void pair_record_judge(const char *bytes, size_t n, struct pair_record *ret);

/*
 * What this computer's clock (seconds since 1970) says of a record: before it was made (the clock
 * is wrong now, or was when the record was made), after it has expired, or nothing.
 */
enum pair_record_clock {
	PAIR_RECORD_CLOCK_FITS,
	PAIR_RECORD_CLOCK_BEFORE,
	PAIR_RECORD_CLOCK_AFTER
};
enum pair_record_clock pair_record_clock(const struct pair_record *record, int64_t now_s);

/* The bytes of a data node, borrowed; NULL if it is none or empty. */
const char *pair_record_data(plist_t record, const char *key, size_t *ret_n);
