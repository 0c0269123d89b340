/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Keeps a copy of this computer's pairing records on the data partition while the person wants it
 * (storage_records_folder()); without that wish they live in RAM and are gone at power-off. The
 * worker `record` does the work; which of it is the owner's wish is remembered on the partition
 * alone.
 */
#include "base/cleanup.h"
#include "base/error.h"
#include "service/storage.h"
#include "service/worker_pool.h"

struct keeper;

enum keeper_wish { KEEPER_LOOK, KEEPER_ON, KEEPER_OFF, KEEPER_WISH_MAX };

struct keeper_state {
	bool kept;        /* a copy is kept */
	bool lasting;     /* there is a data partition for it */
	uint64_t records; /* records in the copy if it is kept, else of this computer */
};

/* The answer to a wish: state, or err (borrowed for the call). Never from inside keeper_ask(). */
typedef void (*keeper_fn)(const struct keeper_state *state, const struct error *err, void *user);

/* pool (NULL: nothing can be done) and storage are borrowed. 0 or -ENOMEM. */
int keeper_new(struct worker_pool *pool, const struct storage *storage, struct keeper **ret);
struct keeper *keeper_free(struct keeper *keeper); /* NULL is fine; returns NULL */
DEFINE_CLEANUP(struct keeper *, keeper_free)

/* Returns 0, or a negative errno with err filled: without a data partition nothing is kept
 * (ERROR_UNSUPPORTED), and what storage_room() refuses. */
int keeper_ask(struct keeper *keeper, enum keeper_wish wish, keeper_fn fn, void *user,
	       struct error *err);

/* Nobody waits for what was asked with this user any more; a wish that was begun is carried out. */
void keeper_forget(struct keeper *keeper, const void *user);

/* A record may have been made or gone: the copy, if one is kept, is brought up to date soon. */
void keeper_touch(struct keeper *keeper);
