/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Firmwares as sources list them, only those that the rules accept (reference: firmware.md §5.2):
 * final build, plain version, Apple's host, name, sane size, at least one hash. And how lists of
 * several sources become one.
 */
#include "worker/ipsw.h"
#include <stddef.h>

enum { CATALOGUE_ENTRIES_MAX = 4096, CATALOGUE_BYTES_MAX = 16 * 1024 * 1024 };

/* Who tells, best first: where two agree, the text (URL, version) of the better one is taken. */
enum catalogue_source {
	CATALOGUE_APPLE,     /* Apple's version list */
	CATALOGUE_IPSWME,    /* api.ipsw.me */
	CATALOGUE_APPLEDB,   /* api.appledb.dev */
	CATALOGUE_REFRESHED, /* our copy on the data partition */
	CATALOGUE_IMAGE,     /* the one that the image came with */
	CATALOGUE_GDMF,      /* Apple's freshness list: tells builds, no files */
	CATALOGUE_SOURCE_MAX,
};
/* "ipsw.me"; never NULL. CATALOGUE_SOURCE_MAX for a name that is none. */
const char *catalogue_source_name(enum catalogue_source source);
enum catalogue_source catalogue_source_from_name(const char *name);

struct catalogue_entry {
	struct ipsw ipsw;
	/* Bits 1 << source: who told it; who vouches for each hash. A copy of ours vouches for
	 * nothing: it names the sources it had the hash from. */
	unsigned told, sha1_from, sha256_from;
};

struct catalogue_list {
	struct catalogue_entry *entries; /* owned, any order until catalogue_list_finish() */
	size_t count;
	size_t refused; /* were there, and the rules did not take them */
};
void catalogue_list_done(struct catalogue_list *list);

/* Takes a record whose product, version, build, URL, hashes and size (0 unknown) are set, if the
 * rules take it; counts it as refused if not. from: who vouches for its hashes. 0 or -ENOMEM. */
int catalogue_list_add(struct catalogue_list *list, const struct ipsw *ipsw,
		       enum catalogue_source from, bool is_test);
/* The same for one that comes with its own sources. */
int catalogue_list_add_entry(struct catalogue_list *list, const struct catalogue_entry *entry,
			     bool is_test);

/*
 * What `from` tells goes into `into`, by product and build: gaps are filled, who tells a hash or
 * size that differs makes the entry a conflict, which nothing is filled into any more. Merge the
 * best source first. 0 or -ENOMEM.
 */
int catalogue_list_merge(struct catalogue_list *into, const struct catalogue_list *from);

/* Newest first, and what the merged entries say of themselves: sources, confirmed. */
void catalogue_list_finish(struct catalogue_list *list);

/* The first entry of this build (NULL: the first of all) in a finished list; NULL: none. */
const struct catalogue_entry *catalogue_list_find(const struct catalogue_list *list,
						  const char *build);
