/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The bytes of a firmware file, here or on a server, through one window: so that both give the same
 * answers, and few requests are made.
 */
#include "base/error.h"
#include "worker/http.h"
#include "worker/remote.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ARCHIVE_WINDOW_BYTES = 256 * 1024, ARCHIVE_HEAD_BYTES = REMOTE_HEAD_BYTES };

/* Takes the bytes of the file in order. 0 or a negative errno, which ends the reading. */
typedef int (*archive_follow_fn)(void *context, const void *bytes, size_t n);

struct archive_bytes {
	int fd;                /* -1: remote */
	struct remote *remote; /* NULL: fd */
	uint64_t size;         /* bytes */
	uint8_t *window;       /* ARCHIVE_WINDOW_BYTES */
	uint64_t window_offset;
	size_t window_bytes;
	/* The end of the file from end_offset on, while it is looked at; NULL: not held. */
	uint8_t *end;
	uint64_t end_offset;
	bool following; /* reading goes forward only, and follow gets all of it */
	archive_follow_fn follow;
	void *context;
	struct error error; /* of the last read that failed */
};

/* As archive_open(); a file here is locked (flock, shared) as long as it is open. */
int archive_bytes_open(struct archive_bytes *bytes, const char *path, struct http *http,
		       const char *url, struct error *err);
void archive_bytes_done(struct archive_bytes *bytes);

/* All that follow return 0, or a negative errno with bytes->error set. */

/* The first bytes of the file; less than ARCHIVE_HEAD_BYTES are filled up with zeros. */
int archive_bytes_head(struct archive_bytes *bytes, uint8_t ret[static ARCHIVE_HEAD_BYTES]);
/* Holds the end of the file from offset on; what is held already is not read again. */
int archive_bytes_hold(struct archive_bytes *bytes, uint64_t offset);
/* Holds it no longer. */
void archive_bytes_let_go(struct archive_bytes *bytes);
/* n bytes at offset, which lie in the file. */
int archive_bytes_get(struct archive_bytes *bytes, uint64_t offset, void *ret, size_t n);
/*
 * Has the window hold the n bytes at offset, or those of them that the file and the window have.
 * On a server this is one request, for no more than is wanted. Returns where they are, and
 * *ret_bytes how many; NULL for a failure.
 */
const uint8_t *archive_bytes_peek(struct archive_bytes *bytes, uint64_t offset, size_t n,
				  size_t *ret_bytes);

/*
 * From here a file on a disk is read forward only and once, from its medium and not from memory;
 * follow (NULL: bytes that nobody asks for are skipped) gets every byte.
 */
void archive_bytes_follow(struct archive_bytes *bytes, archive_follow_fn follow, void *context);
/* The rest, after which nothing can be read. */
int archive_bytes_follow_end(struct archive_bytes *bytes);
