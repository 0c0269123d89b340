/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Firmware files that are kept for the next phone. They lie in one folder (room_firmware_folder())
 * under the name of their hash, with a note beside each; what stands in it: worker/README.md.
 *
 *   HASH.ipsw  HASH.ipsw.json       whole files (older releases: Apple's NAME instead of the hash)
 *   HASH.ipsw.part  ….part.json     on its way
 *   HASH.ipsw.bad                   came, and was wrong
 *   use.json                        whether the folder was left in order (cache_close())
 *
 * Nothing is remembered between two calls: a stick may be pulled, and workers write here, too. Who
 * uses a file holds a shared lock (flock) on it, who writes one an exclusive lock on its .part or
 * .lock; a locked file is never dropped, nor is one that a job needs (cache_needed_fn).
 */
#include "base/error.h"
#include "doctor/plan.h"

enum {
	CACHE_FILE_BYTES = PLAN_DROP_FILE_BYTES,
	CACHE_FILES_MAX = 512, /* of one folder; more are not seen */
	CACHE_PRODUCTS_BYTES = 512,
};

enum cache_kind { CACHE_WHOLE, CACHE_PART, CACHE_BAD };

struct cache_entry {
	enum cache_kind kind;
	char file[CACHE_FILE_BYTES]; /* name in the folder */
	struct firmware firmware;    /* of the note; path is where it lies now. A part: name */
	char products[CACHE_PRODUCTS_BYTES]; /* that it serves, parted by spaces */
	uint64_t bytes;                      /* that it takes */
	uint64_t used_ms;                    /* since the epoch; never used: when it came */
	uint64_t verified_ms;                /* its hashes were right; 0 never */
	unsigned verified_level;             /* firmware.md's levels, 0 to 3 */
	bool in_use;                         /* somebody holds a lock */
	bool stale;                          /* whose hash is to be computed anew before use */
};

/* What is looked for; NULL and "": any. A file fits by any hash or address that both sides have,
 * else by product and build. */
struct cache_query {
	const char *product, *build, *sha1, *sha256, *url;
};

/* True if an unfinished job needs the file of this path. */
typedef bool (*cache_needed_fn)(const char *path, void *user);

/*
 * The whole file that fits best, its `path` filled: by a hash before by its address before by
 * names; of equals the newest build, then the file that was written last. The firmware's product is
 * the query's, if it names one. 0, or -ENOENT.
 */
int cache_find(const struct room *room, const struct cache_query *query, struct firmware *ret);

/* All files, the one that was used last first; a folder that is not there has none. The caller
 * frees *ret. 0 or a negative errno: a disk that cannot be read is not empty. */
int cache_list(const struct room *room, struct cache_entry **ret, size_t *ret_count);

/* Does this path name a file right in the folder of firmware files? */
bool cache_holds(const struct room *room, const char *path);

/* Is the file of this path (whole, part or bad) this firmware, by its path or its name? */
bool cache_file_is_of(const char *path, const struct firmware *firmware);

/* Bytes of this firmware that lie there already: a part that will be gone on with. */
uint64_t cache_part_bytes(const struct room *room, const struct firmware *firmware);

/*
 * What may go to make room for `keep`, in this order: what is wrong, parts older than 14 days, then
 * whole files, oldest use first. Never what is locked or needed, never `keep` itself or its part;
 * while offline never the last file of a product. Returns how many. needed_fn may be NULL.
 */
size_t cache_may_go(const struct room *room, const struct firmware *keep, bool offline,
		    cache_needed_fn needed_fn, void *user,
		    struct plan_drop ret[static PLAN_DROPS_MAX]);

/*
 * Deletes a file with its notes. word: its name in the folder, Apple's name, or the first eight
 * digits (or more) of a hash. ret: what it was; may be NULL. 0; or -EBUSY (ERROR_BUSY: in use),
 * -ENOENT (ERROR_USAGE: none, or more than one), -ENOSPC (ERROR_NO_SPACE: the disk is gone, or
 * takes no change), -ENOMEM (ERROR_BUG).
 */
int cache_drop(const struct room *room, const char *word, cache_needed_fn needed_fn, void *user,
	       struct cache_entry *ret, struct error *err);
/* The same for the file of exactly this name, which a person agreed to: never another one for it.
 */
int cache_drop_file(const struct room *room, const char *file, cache_needed_fn needed_fn,
		    void *user, struct error *err);

/* --- notes; 0 or a negative errno that costs nothing but knowledge --- */

/* What the file at firmware->path is, beside what its note says already. Its product joins those
 * of the note; so do `products`, parted by spaces (NULL: none). It counts as used now. */
int cache_note(const struct firmware *firmware, const char *products);

/*
 * Before a use: is it more than a week since the hashes of the file at `path` were computed, was
 * that on another computer, or was the folder not left in order since? Then worker fetch is asked
 * to compute them anew (`rehash`). Also for a file that has no note, or is not in this room.
 */
bool cache_is_stale(const struct room *room, const char *path);

/* The array of words that are parted by spaces. 0 or a negative errno. */
int cache_products_build(const char *words, sd_json_variant **ret);

/*
 * When the service ends in order. The folder counts as open from the first cache_note() or
 * cache_is_stale() on.
 */
void cache_close(const struct room *room);
