/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The framing of lockdownd and most services: 32-bit big-endian length, then a property list. Bytes
 * may come in any pieces. A message beyond the ceiling or one that is no property list closes the
 * stream.
 */
#pragma once

#include <plist/plist.h>

#include "buf.h"
#include "stream.h"

enum { PLIST_MESSAGE_MAX = 4 * 1024 * 1024, RESTORE_MESSAGE_MAX = 48 * 1024 * 1024 };

struct plist_stream {
	struct service service; /* first: the carrier's view */
	struct buf in;
	bool closing;
	bool pausing;     /* the rest of `in` is not for take() */
	uint32_t ceiling; /* of a message; 0: PLIST_MESSAGE_MAX */
	bool crumbs;      /* sends byte by byte */
	/* One request; @request is freed after the call. */
	void (*take)(struct plist_stream *s, plist_t request);
};

/* Feeds bytes; calls take() for each whole message. */
void plist_stream_feed(struct service *service, const uint8_t *bytes, size_t len);
void plist_stream_done(struct plist_stream *s);

/* Sends @message as XML, keys sorted, and frees it. Length and body go out as two pieces, as real
 * phones do. */
void plist_stream_send(struct plist_stream *s, plist_t message);
/* The same as a binary property list. */
void plist_stream_send_binary(struct plist_stream *s, plist_t message);
void plist_stream_close(struct plist_stream *s);

/* The string at @key, or NULL; borrowed from @dict. */
const char *plist_text(plist_t dict, const char *key);

/* A copy of a list that a host made, whose texts and keys end at their first NUL: only such may be
 * copied on or kept. Caller frees both. */
plist_t plist_washed(plist_t node);
