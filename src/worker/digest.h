/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* SHA-1 and SHA-256 of the same bytes, as they come. */
#include "worker/ipsw.h"
#include <stddef.h>

struct digest;

int digest_new(struct digest **ret);               /* 0 or -ENOMEM */
struct digest *digest_free(struct digest *digest); /* NULL is fine; returns NULL */
static inline void digest_freep(struct digest **p)
{
	digest_free(*p);
}

/* Forgets all bytes. As all of these: 0 or -ENOMEM. */
int digest_reset(struct digest *digest);
int digest_add(struct digest *digest, const void *bytes, size_t n);
/* One of both alone; the two may be called by two threads at once. Each gets all bytes. */
int digest_add_sha1(struct digest *digest, const void *bytes, size_t n);
int digest_add_sha256(struct digest *digest, const void *bytes, size_t n);
/* As if src's bytes had been dst's. */
int digest_copy(struct digest *dst, const struct digest *src);
/* What the bytes so far have; more may follow. Lower-case hex. */
int digest_sha1(const struct digest *digest, char ret[static IPSW_SHA1_BYTES]);
int digest_sha256(const struct digest *digest, char ret[static IPSW_SHA256_BYTES]);

/* True if every hash that ipsw knows is that of the bytes; at least one is known. */
bool digest_fits(const struct digest *digest, const struct ipsw *ipsw);
