/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Where a firmware file lies and what it is called there (README.md, fetch). */
#include "worker/ipsw.h"
#include <stddef.h>

enum { PLACE_NAME_BYTES = 256 };

struct fetch_place {
	int folder_fd;               /* borrowed */
	const char *folder;          /* its path, for texts; borrowed */
	char stem[PLACE_NAME_BYTES]; /* "HASH.ipsw": the whole file */
};

/* Gives place the name for wanted: of its SHA-256 if that is known, else of its SHA-1. */
void fetch_place_set_stem(struct fetch_place *place, const struct ipsw *wanted);

/* The stem with an ending: "", ".part", ".part.json", ".json", ".bad". */
void fetch_place_name(const struct fetch_place *place, const char *ending,
		      char ret[static PLACE_NAME_BYTES]);

/*
 * Other names that the same file may have: of its SHA-1, and Apple's own. i counts from 0; false
 * when there are no more.
 */
bool fetch_place_other_name(const struct fetch_place *place, const struct ipsw *wanted, size_t i,
			    char ret[static PLACE_NAME_BYTES]);
