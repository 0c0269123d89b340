/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The text of HASH.ipsw.part.json, which tells what of a part is known to be on the disk. One JSON
 * object, version 1:
 *
 *   v, url (Apple's address of the file), etag, size, sha1, sha256 (as they were asked for; ""
 *   unknown), committed (bytes), prefixes: the SHA-256 of the first 64 MiB, 128 MiB … and, last,
 *   that of all committed bytes; from: the address that etag is of, if it is not url.
 */
#include "worker/http.h"
#include "worker/ipsw.h"

enum {
	STATE_BYTES_MAX = 256 * 1024,
	STATE_PREFIXES_MAX = 512, /* 32 GiB */
};
static const uint64_t state_segment_bytes = 64ULL << 20;

struct fetch_state {
	char url[IPSW_PATH_BYTES], from[IPSW_PATH_BYTES];
	char etag[HTTP_ETAG_BYTES];
	char sha1[IPSW_SHA1_BYTES], sha256[IPSW_SHA256_BYTES];
	uint64_t size, committed;            /* bytes; committed <= size */
	size_t prefix_count;                 /* what committed needs */
	char (*prefixes)[IPSW_SHA256_BYTES]; /* owned */
};
void fetch_state_done(struct fetch_state *state);

/* Reads n bytes (NUL behind them). 0 and *ret, to be ended with fetch_state_done(); -EBADMSG if
 * they are no state; -ENOMEM. */
int fetch_state_parse(const char *text, size_t n, struct fetch_state *ret);
/* Whether it is of the file that is wanted. */
bool fetch_state_fits(const struct fetch_state *state, const struct ipsw *wanted);
/* The caller frees *ret. 0 or -ENOMEM. */
int fetch_state_format(const struct fetch_state *state, char **ret);
