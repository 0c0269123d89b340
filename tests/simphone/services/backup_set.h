/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a backup consists of: the user's files by domain, their ids, and the three property lists
 * and the database that describe them.
 */
#pragma once

#include <plist/plist.h>

#include "phone.h"
#include "services/backup_db.h"

enum { BACKUP_FILE = 1, BACKUP_FOLDER = 2, BACKUP_LINK = 4, BACKUP_DIGEST_BYTES = 20 };

/* One file, folder or link of the phone. */
struct backup_entry {
	char id[BACKUP_ID_CHARS + 1];
	const char *domain; /* static */
	char *path;         /* in the domain: "Media/DCIM/…"; owned */
	unsigned flags;
	uint64_t bytes;
	uint8_t digest[BACKUP_DIGEST_BYTES]; /* SHA-1 of the content */
	bool is_new;                         /* not in the host's backup already, as it is now */
	bool gone;                           /* was there when the backup began */
};

struct backup_set {
	unsigned count;
	struct backup_entry *entries; /* owned */
};

/* All that is backed up now. */
void backup_set_make(struct backup_set *set, struct phone *phone);
void backup_set_done(struct backup_set *set);

/* Where an entry lies in the user's files (files.h); NULL: it is in no domain of theirs. */
const char *backup_files_path(const char *domain, const char *path);

/* What the database says of a row: size and digest of its content. False: it says neither. */
bool backup_row_content(const struct backup_row *row, uint64_t *ret_bytes,
			uint8_t ret_digest[BACKUP_DIGEST_BYTES]);
/* Where the link of a row points. */
void backup_row_target(const struct backup_row *row, struct buf *to);
/* SHA-1. */
void backup_digest(const void *bytes, size_t len, uint8_t ret_digest[BACKUP_DIGEST_BYTES]);

/* Manifest.db, Manifest.plist, Status.plist as files. */
void backup_database(const struct backup_set *set, struct phone *phone, struct buf *to);
void backup_manifest(struct phone *phone, struct buf *to);
void backup_status(struct phone *phone, const char *state, bool full, struct buf *to);

/* The dictionary in a file that a host sent, or NULL. Caller frees. */
plist_t backup_list_read(const struct buf *bytes);
/* Whether @password (may be NULL) opens a backup with this Manifest.plist. */
bool backup_opens(plist_t manifest, const char *password);
