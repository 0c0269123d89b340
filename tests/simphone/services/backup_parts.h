/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files of the errand "Backup" share: backup_ask.c has the questions, backup_before.c the
 * steps before the first file, backup_run.c the rest. Nobody else includes it.
 */
#pragma once

#include "services/backup_errand.h"
#include "services/backup_set.h"

enum {
	/* larger ones are left out: nothing here waits for a slow host */
	UPLOAD_FILE_MAX = 8 * 1024 * 1024,
	BATCH_BYTES = 2 * 1024 * 1024,
	BATCH_FILES = 32,
	MOVES = 128,
	ROOM_BEYOND = 128 * 1024 * 1024, /* what must be free on the host beyond the backup */
	PREFIXES = 256,
	LONG_PATH = 5000,
	MB_ERROR_HOST = 102,
};

enum got { GOT_STATUS, GOT_MANIFEST, GOT_DATABASE, GOTS };

struct run {
	struct errand errand; /* first */
	struct backup_set set;
	bool full, over;
	unsigned step, at;
	struct buf got[GOTS]; /* as the host sent them last */
	bool has[GOTS];
	struct buf sent[GOTS];
	struct buf removed; /* ids (with NUL) of files that the phone has no more */
	bool prefixes[PREFIXES];
	unsigned troubles; /* files that could not be read */
	bool leftovers;    /* of a backup that was broken off */
	bool purge;        /* the host has too little room */
};

extern const char *const errand_got_names[GOTS];

/* ---- backup_ask.c ---- */

/* Ends the errand with a number of MBErrorDomain. */
void errand_fail(struct run *r, unsigned code);
/* True the first time in a step. */
bool errand_once(struct run *r);
void errand_send(struct run *r, plist_t list);
/* @format with @rest, inside the folder of the backup; the text is @to's. */
const char *errand_path(const struct run *r, const char *format, const char *rest, struct buf *to);
void errand_folder_ask(struct run *r, const char *path);
/* These two take over their lists. */
void errand_remove_ask(struct run *r, plist_t paths);
void errand_moves_ask(struct run *r, plist_t moves);
/* A stream of files comes behind it. */
void errand_upload_begin(struct run *r, double progress, uint64_t bytes);
/* Asks for the host's Status.plist, and for the manifests; forgets those that it had. */
void errand_downloads_ask(struct run *r, bool status, bool manifests);
/* Status.plist with this state, as a temporary file of the phone. */
void errand_status_upload(struct run *r, const char *state);
/* Of all that is new. */
uint64_t errand_bytes_left(const struct run *r);
/* By id, for qsort() and bsearch(). */
int errand_entry_compare(const void *a, const void *b);

/* ---- backup_before.c: see struct step ---- */

bool errand_old_status_ask(struct run *r);
void errand_old_status_hear(struct run *r, int64_t code, plist_t payload);
bool errand_old_manifest_ask(struct run *r);
void errand_old_manifest_hear(struct run *r, int64_t code, plist_t payload);
bool errand_snapshot_list_ask(struct run *r);
void errand_snapshot_list_hear(struct run *r, int64_t code, plist_t payload);
bool errand_snapshot_remove_ask(struct run *r);
bool errand_space_ask(struct run *r);
void errand_space_hear(struct run *r, int64_t code, plist_t payload);
bool errand_purge_ask(struct run *r);
void errand_purge_hear(struct run *r, int64_t code, plist_t payload);
