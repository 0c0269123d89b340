/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A file on one of Apple's hosts for firmware, read in pieces: its end and its lists cost some
 * hundred kilobytes instead of ten gigabytes. Every piece is of the same file (If-Range with its
 * ETag; the total of Content-Range), or reading fails.
 */
#include "base/error.h"
#include "worker/http.h"

/* More than the lists of any real file; a hostile directory must not become a download. */
enum { REMOTE_BYTES_MAX = 64 * 1024 * 1024, REMOTE_HEAD_BYTES = 4 };

struct remote;

/* http is borrowed. Asks for size, ETag and the first bytes. 0, or a negative errno with err set.
 */
int remote_open(struct http *http, const char *url, struct remote **ret, struct error *err);
struct remote *remote_free(struct remote *remote); /* NULL is fine; returns NULL */
static inline void remote_freep(struct remote **p)
{
	remote_free(*p);
}
uint64_t remote_size(const struct remote *remote); /* bytes */
/* The first REMOTE_HEAD_BYTES, which came with the size; zeros behind a shorter file. */
const uint8_t *remote_head(const struct remote *remote);

/* What reading has cost so far: requests, the tries that failed among them, and bytes of the file.
 */
struct remote_cost {
	unsigned requests;
	uint64_t bytes;
};
struct remote_cost remote_cost(const struct remote *remote);

/* Reads exactly n bytes at offset, which must lie in the file. */
int remote_read(struct remote *remote, uint64_t offset, void *ret, size_t n, struct error *err);
