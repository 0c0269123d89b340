/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * HASH.ipsw.json, the note beside a whole firmware file: what it is, that its hashes were right,
 * and how to see that it is the same file still. Fields in README.md, fetch.
 */
#include "worker/fetch_place.h"
#include <sys/stat.h>

/*
 * When the file was hashed (ms since the epoch, not 0) if the note of the file `name` in place's
 * folder, whose stat is st, may be believed, and is of the file that is wanted: both hashes are in
 * *wanted then. Notes of the old form are read, too.
 */
uint64_t note_read(const struct fetch_place *place, const char *name, struct ipsw *wanted,
		   const struct stat *st);

/* Finds a file by the SHA-1 that its note tells: its name in *ret. The note is not believed yet. */
bool note_find_sha1(const struct fetch_place *place, const char *sha1,
		    char ret[static PLACE_NAME_BYTES]);

/* Writes the note for the file at place, whose hashes (both set in ipsw) are known to be right
 * since verified_ms (ms since the epoch); fields that others added stay. A negative errno costs
 * nothing but hashing it the next time. */
int note_write(const struct fetch_place *place, const struct ipsw *ipsw, uint64_t verified_ms);
