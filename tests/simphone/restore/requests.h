/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Data requests: what restored asks the host for, and whether the answer is right.
 *
 * A request goes out on the restore's main connection; its answer comes there, or on a port of its
 * own (DataPort) that the host connects to and that is listened on before the request is sent.
 * Some requests go on: a list of images and then each of them; a file in pieces.
 *
 * request_begin() ──▶ ask ──answer──▶ judge ──▶ run_answered(NULL or what is wrong with it)
 *                      ▲                │
 *                      └── next image ──┘
 */
#pragma once

#include <openssl/evp.h>
#include <plist/plist.h>

#include "buf.h"
#include "restore/asr.h"
#include "restore/firmware.h"
#include "restore/steps.h"

struct run;
struct request;

enum { PART_NONCE_BYTES = 20 };

/* Of an encrypted image: the host is asked to fetch it, once the image begins. */
enum image_key { KEY_UNASKED, KEY_ASKED, KEY_GOOD };

/* What an answer is worth. */
enum judgement { ANSWER_GOOD, ANSWER_MORE, ANSWER_BAD };

struct request_kind {
	const char *data_type;
	const char *key; /* of the answer, when one data item is all of it */
	/* Fills the request's Arguments; NULL: it has none. */
	void (*describe)(struct request *q, plist_t arguments);
	/* Sets q->why if bad. NULL: any dictionary will do. */
	enum judgement (*judge)(struct request *q, plist_t answer);
	bool async;  /* AsyncDataRequestMsg */
	bool silent; /* no answer is waited for */
};

struct request {
	struct run *run;
	const struct step *step;
	const struct request_kind *kind;
	const char *why;        /* what is wrong with the answer; static text */
	uint16_t port;          /* DataPort, 0: the main connection */
	struct data_link *link; /* the host's connection to it, or NULL; belongs to its carrier */
	plist_t names;          /* images still to be had, as the host listed them; owned */
	unsigned name;          /* the one that is asked for */
	struct member *member;  /* what comes in pieces is compared with; owned */
	struct buf pieces;      /* or collected, to be judged at the end */
	EVP_MD_CTX *hash;       /* of the pieces; owned */
	uint64_t bytes;         /* of all that came */
	bool first;             /* no piece has come */
	enum image_key key;
	struct data_link *key_link;      /* the host's connection for it, or NULL; its carrier's */
	uint8_t nonce[PART_NONCE_BYTES]; /* of the chip that asks; its ticket must repeat it */
	struct asr asr;
};

void request_begin(struct request *q, struct run *run, const struct step *step);
/* A message of the host on the main connection or the DataPort. */
void request_take(struct request *q, plist_t message);
/* Nothing is asked any more. */
void request_end(struct request *q);

/* ---- for the kinds: request_kinds.c and updaters.c ---- */

const struct request_kind *request_kind_of(enum asked asked);
/* The name of the image that is to come, once the host has listed them. */
const char *request_image(const struct request *q);
/* Arguments of a GET of the scenario's url_asset; whether that was answered. */
void request_url(struct request *q, plist_t arguments);
enum judgement request_url_judge(struct request *q, plist_t answer);

/* The data item at @key, or NULL. */
const uint8_t *answer_data(plist_t answer, const char *key, size_t *ret_len);
/* Notes @len bytes and their SHA-256 for the log. */
void request_note(struct request *q, const uint8_t *bytes, size_t len);
enum judgement request_bad(struct request *q, const char *why);
/* The kind of install's identity, or NULL without IPSW. */
plist_t request_identity(const struct request *q);
/* Whether @bytes are the member @component, or there is no IPSW to tell. */
bool request_is_member(const struct request *q, const char *component, const uint8_t *bytes,
		       size_t len);

void updater_describe(struct request *q, plist_t arguments);
enum judgement updater_judge(struct request *q, plist_t answer);
void baseband_describe(struct request *q, plist_t arguments);
enum judgement baseband_judge(struct request *q, plist_t answer);
