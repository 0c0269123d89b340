/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the parts of the asker share; nobody else includes it:
 *
 *   ask.c         the asker: what is due, what may start
 *   ask_policy.c  who is asked what, when, and how often again: pure
 *   ask_list.c    the two lists: questions, and what became of the latest ones
 *   ask_answer.c  the requests to workers, and what their answers mean
 */
#include "service/ask.h"
#include "service/worker_link.h"

struct waiter {
	struct waiter *next;
	asker_answer_fn fn;
	void *user;
};

struct question {
	struct question *next;
	struct asker *asker;
	enum ask ask;
	unsigned phone_id;
	unsigned enumeration; /* phone->enumerations when it was asked */
	char syspath[SIGHTING_PATH_BYTES];
	struct worker_link *link; /* NULL while it waits for a slot */
	struct waiter *waiters;
};

/*
 * What became of the latest question about an enumeration, where that calls for another one: it was
 * not answered (err), or the answer is one that changes by itself (err of kind none).
 */
struct outcome {
	struct outcome *next;
	enum ask ask;
	unsigned phone_id;
	unsigned enumeration;
	unsigned attempts; /* questions in a row that ended so */
	uint64_t again_ms; /* when to ask once more, UINT64_MAX never */
	struct error err;
};

struct asker {
	struct fleet *fleet;
	struct worker_pool *pool;
	asker_touched_fn touched_fn;
	void *touched_user;
	struct question *questions; /* in the order in which they came */
	struct outcome *outcomes;
};

/* --- ask_policy.c */

/* Normal and restore mode: what usbmuxd carries. */
bool mode_is_booted(enum mode mode);
/* Must it be asked at some time, without anybody wanting it? */
bool ask_is_needed(const struct phone *phone, enum ask ask);

/* --- ask_list.c */

struct question *question_find(const struct asker *asker, unsigned phone_id, enum ask ask);
int question_add(struct asker *asker, const struct phone *phone, enum ask ask,
		 struct question **ret);
/* Takes it out of the list and cancels its worker. Waiters stay with it. */
void question_unlink(struct question *question);
void question_free(struct question *question);
/* Its answer has come, and its worker goes on with the check of trust of the phone. The waiters of
 * a check that waits in line join it. */
void question_becomes_trust(struct question *question, const struct phone *phone);
/* NULL if the enumeration that the question is about has ended. */
const struct phone *question_phone(const struct question *question);

const struct outcome *outcome_find(const struct asker *asker, const struct phone *phone,
				   enum ask ask);
void outcome_clear(struct asker *asker, unsigned phone_id, enum ask ask);
/* Notes that the question was not answered (err), or that its answer may change by itself (NULL).
 */
void outcome_set(struct asker *asker, const struct question *question, const struct error *err);
/* Whatever is noted of the phone is due now. */
void outcome_hurry(struct asker *asker, const struct phone *phone);
/* When to repeat the question, UINT64_MAX if never or not as things stand. */
uint64_t outcome_again_ms(const struct asker *asker, const struct phone *phone, enum ask ask);

/* --- ask_answer.c */

int question_start(struct question *question, const struct phone *phone, struct error *err);
/* The question is over and freed; waiters are told. */
void question_end(struct question *question, const struct error *err);
/* Why a question has no answer whose phone is gone. */
int ask_set_left(struct error *err);
