/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the worker keeps of catalogues between its runs, in a folder on the data partition:
 *
 *   FOLDER/lock                one worker at a time asks and writes; the others find its answers
 *   FOLDER/catalogue.json      the refreshed catalogue (catalogue_own.c), newest of each product
 *   FOLDER/catalogue.old.json  the one before, if that one breaks
 *   FOLDER/answers/NAME        what a server said: a line
 * {"v","asked_ms","status","etag","sha256"}, and the body, whose hash that is
 *
 * Everything works without a folder, and with one that cannot be written or is held by somebody
 * else: then nothing is kept. Files are whole or not there (base/file.h).
 */
#include "worker/catalogue_parse.h"
#include "worker/http.h"

enum { CATALOGUE_ANSWER_NAME_BYTES = 160 };

struct catalogue_store {
	int folder_fd, answers_fd, lock_fd; /* -1: none */
	bool may_write;                     /* the lock is ours */
};

/* folder: absolute; NULL: none. Makes it if its parent is there. Waits some seconds for the lock;
 * cannot fail. http: for waiting; NULL: nothing will be written, no lock is needed. */
void catalogue_store_open(const char *folder, struct http *http, struct catalogue_store *ret);
void catalogue_store_done(struct catalogue_store *store);

struct catalogue_answer {
	unsigned status;   /* 200, 404 */
	uint64_t asked_ms; /* since the epoch: when the server last said so */
	char etag[HTTP_ETAG_BYTES];
	char *body; /* owned, NUL behind it */
	size_t body_bytes;
};
void catalogue_answer_done(struct catalogue_answer *answer);

/* 0; -ENOENT if there is none, or none that is whole: a broken one would be used for minutes, and
 * then kept for good by its ETag. */
int catalogue_store_load_answer(const struct catalogue_store *store, const char *name,
				struct catalogue_answer *ret);
void catalogue_store_save_answer(const struct catalogue_store *store, const char *name,
				 const struct catalogue_answer *answer);
/* Answers that nobody has asked for in a week go. */
void catalogue_store_sweep(const struct catalogue_store *store);

/*
 * The refreshed catalogue: the newest copy that is whole and no worse than the image's: not older,
 * not under 80 % of its entries. product NULL: all. 0, or -ENOENT.
 */
int catalogue_store_load(const struct catalogue_store *store, const char *product, bool is_test,
			 const struct catalogue_own *image, struct catalogue_list *ret,
			 struct catalogue_own *ret_own);

/*
 * Writes the refreshed catalogue anew: of each product the newest build that Apple tells or two
 * sources agree on. known: what image and copy have, all products; news: merged on top of it.
 */
void catalogue_store_refresh(const struct catalogue_store *store,
			     const struct catalogue_list *known, const struct catalogue_list *news,
			     uint64_t made_ms);
