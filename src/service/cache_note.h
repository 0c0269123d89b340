/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What stands beside a firmware file: FILE.json, and use.json of the whole folder. Parts of
 * service/cache.h.
 *
 * FILE.json is written by worker fetch (what it is, its hashes, verified_ms; worker/README.md). The
 * service adds: products (array), used_ms, and once it saw the hashes come right: machine, order.
 * use.json: v, boot (which start of which computer has the folder open; "" closed), order (another
 * number after it was found open by another one, or without a use.json that can be read).
 */
#include "service/cache.h"

enum { CACHE_MACHINE_BYTES = 17 };

/* What a proof must have been made with, to be believed. */
struct cache_place {
	char machine[CACHE_MACHINE_BYTES]; /* this computer, by the names that its makers gave it */
	bool ordered;    /* what became of the folder is known; else no proof is believed */
	uint64_t order;  /* that a proof is of; with `ordered` */
	uint64_t now_ms; /* since the epoch */
};

/* As it stands in the folder; nothing is written. */
void cache_place_read(int folder_fd, struct cache_place *ret);

/* The note of `file`, NULL if there is none that is an object. The caller unrefs. */
sd_json_variant *cache_note_read(int folder_fd, const char *file);

/* Fills firmware, products, used_ms and the proof from a note; what is wrong in it stays empty, and
 * so does what catalogues told: a note is no source. */
void cache_note_take(sd_json_variant *note, const struct cache_place *place,
		     struct cache_entry *entry);

/* Adds the words of `more` (parted by spaces) that `list` does not hold; what does not fit is left
 * out. True if the list has changed. */
bool words_add(char *list, size_t bytes, const char *more);
bool words_have(const char *list, const char *word, size_t n);
