/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A firmware file that lies whole in a folder already, under whatever name of it. */
#include "worker/fetch_part.h"

struct whole_options {
	bool rehash; /* whatever its note says */
	part_progress_fn progress;
	void *context;
};

/*
 * Looks for wanted. Returns 1 if it is there and right, with both hashes filled into *wanted: by
 * its note if size and time fit, else hashed anew. It has the name place->stem then, which is
 * changed only if the file is in use under another name or known by its SHA-256 alone, and
 * wanted->size is the file's. 0 if it is not there, or was wrong and is HASH.ipsw.bad now; a
 * negative errno with err set (ERROR_BUSY: it is being removed, or wrong and in use).
 */
int whole_find(struct fetch_place *place, struct ipsw *wanted, const struct whole_options *options,
	       struct error *err);
