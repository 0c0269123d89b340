/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A firmware file as a zip, here or on a server: its directory, small members of it, and all of it
 * once from begin to end. What opens is no trap: see archive_directory.h for what is refused.
 */
#include "base/error.h"
#include "worker/archive_bytes.h"
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
/* What reading it over the network has cost; nothing for a file here. */
struct remote_cost archive_cost(const struct archive *archive);

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

/*
 * Who gets the file's content. Each returns 0, or a negative errno with err set, which ends the
 * sweep. Members come in the order in which they lie in the file, folders among them; their data in
 * pieces of ARCHIVE_BLOCK_BYTES, the last one shorter.
 */
enum { ARCHIVE_BLOCK_BYTES = 64 * 1024 };
struct archive_sink {
	/* every byte of the file, 0 or a negative errno; NULL: not wanted */
	archive_follow_fn file;
	/* NULL: the members are not looked at */
	int (*begin)(void *context, const char *name, uint64_t bytes, struct error *err);
	int (*data)(void *context, const void *bytes, size_t n, struct error *err);
	int (*end)(void *context, struct error *err); /* its checksum was right */
	/* bytes of the file that were read so far; often */
	void (*progress)(void *context, uint64_t done);
	void *context;
};

/*
 * Reads a file here once, forward: every member unpacked with its checksum compared, its local
 * header with the directory. The last that can be done with the archive but archive_free() and what
 * only tells. 0, or a negative errno with err set.
 */
int archive_sweep(struct archive *archive, const struct archive_sink *sink, struct error *err);
