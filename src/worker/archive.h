/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A firmware file as a zip, here or on a server: its directory, and small members of it. */
#include "base/error.h"
#include "worker/http.h"
#include <stdbool.h>

struct archive;

/* Opens the file at path, or (path NULL) the one at url by ranges; http is borrowed, needed for a
 * URL. 0, or a negative errno with err set: ERROR_BAD_FILE says what is wrong with it. */
int archive_open(const char *path, struct http *http, const char *url, struct archive **ret,
		 struct error *err);
struct archive *archive_free(struct archive *archive); /* NULL is fine; returns NULL */
static inline void archive_freep(struct archive **p)
{
	archive_free(*p);
}

uint64_t archive_size(const struct archive *archive);    /* bytes of the file */
uint64_t archive_members(const struct archive *archive); /* how many */

struct archive_member {
	uint64_t bytes; /* unpacked */
	bool packed;    /* compressed */
};
/* By exact name. True if it is there. */
bool archive_find(const struct archive *archive, const char *name, struct archive_member *ret);

/* Reads a member of at most bytes_max bytes, its checksum verified, into memory with a NUL behind
 * it. 0, or a negative errno with err set. */
int archive_read(struct archive *archive, const char *name, size_t bytes_max, char **ret,
		 size_t *ret_bytes, struct error *err);
