/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Manifest.db of a backup: a SQLite 3 file with the tables Files and Properties, written and read
 * without SQLite, by the public description of its format. Pages of 64 KiB, so that no row needs
 * an overflow page; no index (phones declare fileID as the primary key, which would need one).
 */
#pragma once

#include <stdint.h>

#include "buf.h"

enum {
	BACKUP_ID_CHARS = 40,
	BACKUP_ROW_BYTES_MAX = 60000, /* of one row, whole */
};

struct backup_row {
	char id[BACKUP_ID_CHARS + 1]; /* SHA-1 of "domain-path", lower-case hex */
	const char *domain, *path;    /* borrowed */
	unsigned flags;               /* 1 file, 2 folder, 4 link */
	const uint8_t *blob;          /* borrowed: the archived MBFile */
	size_t blob_len;
};

struct backup_db {
	unsigned count;
	struct buf cells; /* of the table Files, one behind the other, in the order of rowid */
};

/* Adds one row. False: it is too long for a page, and is left out. */
bool backup_db_add(struct backup_db *db, const struct backup_row *row);
/* The whole file. */
void backup_db_write(const struct backup_db *db, struct buf *to);
void backup_db_done(struct backup_db *db);

/*
 * Reads the rows of Files in a foreign file; @row lives during the call. Returns 0, or -EINVAL:
 * it is damaged, or uses what is not understood here (overflow pages). take() returns false to
 * end with -EINVAL.
 */
int backup_db_read(const uint8_t *bytes, size_t len,
		   bool (*take)(void *user, const struct backup_row *row), void *user);
