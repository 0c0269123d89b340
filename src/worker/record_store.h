/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * usbmuxd's folder of pairing records, and the copy of it that a person may keep on the data
 * partition:
 *
 *   UDID.plist                  one pairing each, in both
 *   SystemConfiguration.plist   this computer's own identity, in both
 *   kept.json                   in the copy only: {"v":1}, written last and removed first. Without
 *                               it the folder is no copy, whatever else lies there.
 *
 * Each file is replaced whole or not at all, and records do not depend on each other, so a copy is
 * usable whenever power fails. Other files stay untouched: no link is followed, no folder entered.
 * The paths are absolute. Returns are 0 or a negative errno if nothing else is said.
 */
#include <stdbool.h>
#include <stddef.h>

#define RECORD_STORE_USUAL "/var/lib/lockdown"

enum { RECORD_STORE_FILES_MAX = 512, RECORD_UDID_BYTES = 64 };

/* Where usbmuxd keeps them: IDEVICERESCUE_LOCKDOWN or the usual folder. Borrowed. */
const char *record_store_folder(void);

/* Is this a file that usbmuxd keeps a pairing in ("UDID.plist")? Its other file, this computer's
 * identity, is not. */
bool record_file_name(const char *name);

struct record_entry {
	char udid[RECORD_UDID_BYTES];
	bool broken; /* no session can be tried with it */
};

/* The records of a folder, at most max, by name. A folder that is not there has none. */
int record_store_list(const char *folder, struct record_entry *ret, size_t max, size_t *ret_count);

/* Removes one record, or all and the identity (udid NULL). ret_gone: how many records. */
int record_store_remove(const char *folder, const char *udid, size_t *ret_gone);

/* Is it a copy that is to be used and kept up to date? */
bool record_copy_is_kept(const char *copy);

/*
 * Brings the copy up to date and makes it one if it was none: what the store has goes over but for
 * broken records; records that only the copy has stay in it, so that a stick that was plugged in
 * late loses none.
 * ret_written: how many files were not the same already.
 */
int record_copy_keep(const char *store, const char *copy, size_t *ret_written);

/* Ends it: no record and no identity is left in it. ret_gone: how many records. */
int record_copy_unkeep(const char *copy, size_t *ret_gone);

/*
 * Copies what is kept into a store that has no record of its own, and its identity with it; broken
 * records are left out. ret_loaded: how many records, 0 also if nothing is kept or the store is not
 * empty.
 */
int record_copy_load(const char *copy, const char *store, size_t *ret_loaded);
