/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * asr, the phone's receiver of the system image: XML property lists without a length in front, then
 * the image itself in chunks, each behind its SHA-1.
 *
 *   CLOSED ──connect──▶ INITIATE ──packet info──▶ OOB (header, trailer, tables) ──▶ PAYLOAD ──▶
 * DONE
 *
 * Every byte of the image is compared with the IPSW's as it comes; the out-of-band pieces are kept
 * and compared with the image when it passes. Owns the IPSW's member; the connection belongs to its
 * carrier.
 */
#pragma once

#include <openssl/evp.h>

#include "buf.h"
#include "restore/firmware.h"
#include "stream.h"
#include "timers.h"

enum { ASR_PORT = 12345, ASR_CHUNK_BYTES = 131072, ASR_SHA1_BYTES = 20, ASR_PIECES_MAX = 8 };

enum asr_state { ASR_CLOSED, ASR_INITIATE, ASR_OOB, ASR_PAYLOAD, ASR_DONE };

struct run;

struct asr_piece {
	uint64_t offset;
	uint32_t len;
	uint8_t *bytes; /* owned; NULL: not asked yet */
	bool differs;
};

struct asr {
	struct run *run;
	enum asr_state state;
	uint16_t port;
	struct service *link; /* the connection, or NULL */
	struct member *member;
	EVP_MD_CTX *hash;
	struct buf in;
	uint64_t size; /* of the image as the host tells it */
	uint64_t got;  /* of the image */
	struct asr_piece pieces[ASR_PIECES_MAX];
	unsigned piece, piece_count;
	int percent;           /* told last */
	bool begun;            /* the first bytes of the image came */
	struct timer patience; /* with a host that does not connect or stops */
};

/* Listens on @port (0: an ephemeral one) and returns it. */
uint16_t asr_begin(struct asr *a, struct run *run, uint16_t port);
/* Also closes the connection. */
void asr_end(struct asr *a);
