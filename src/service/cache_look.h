/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* One look at the folder of firmware files, for service/cache.c. */
#include "base/cleanup.h"
#include "service/cache_note.h"
#include <sys/stat.h>

#define CACHE_WHOLE_END ".ipsw"

struct cache_locks;

struct cache_look {
	int fd; /* of the folder */
	char folder[PLAN_ROOM_BYTES];
	struct cache_place place;
	struct cache_locks *locks;   /* who held what, then */
	struct cache_entry *entries; /* the one that was used last first */
	size_t count;
};

/* 0, -ENOENT without a folder, or another negative errno. */
int cache_look_new(const struct room *room, struct cache_look **ret);
struct cache_look *cache_look_free(struct cache_look *look); /* NULL is fine; returns NULL */
DEFINE_CLEANUP(struct cache_look *, cache_look_free)

/* How much of a file's name is Apple's name or HASH.ipsw, without ".part" and ".bad". */
size_t cache_stem_bytes(const char *file);
