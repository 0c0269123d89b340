/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The asker owns a list of questions, in the order in which they came, and a list of outcomes
 * (questions that were not answered, or whose answer may change by itself).
 *
 *            slot free                result, error, limit
 *   waiting ───────────▶ running ──────────────────────────▶ answered (freed)
 *      └──────────────────┴── the phone left or re-enumerated ──▲
 *
 * Invariants: at most one question of a kind a phone, and one of them running (link != NULL); at
 * most ASK_AT_ONCE_MAX running in all. A question is about one enumeration: the same port can show
 * the same sysfs path with another mode a second later, so the count of enumerations is part of its
 * key. Who it is is asked first, trust only of a phone that answered that. Of a phone whose trust
 * is not known one worker asks both: when it has told who the phone is, the question of
 * ASK_IDENTITY is answered and becomes, with its worker, the one of ASK_TRUST.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "service/ask_parts.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Ends the questions to phones that left or that a job has taken. */
static void review_left(struct asker *asker)
{
	struct question *question = asker->questions, *next;
	struct outcome *outcome = asker->outcomes, *next_outcome;
	struct error err;

	for (; question; question = next) {
		const struct phone *phone = question_phone(question);

		next = question->next;
		if (phone && phone->job[0] == '\0')
			continue;
		if (phone)
			(void)error_set(&err, ERROR_BUSY, "service", 0, "a job has taken it");
		else
			(void)ask_set_left(&err);
		question_end(question, &err);
	}
	for (; outcome; outcome = next_outcome) {
		const struct phone *phone = fleet_get(asker->fleet, outcome->phone_id);

		next_outcome = outcome->next;
		if (!phone || phone->enumerations != outcome->enumeration)
			outcome_clear(asker, outcome->phone_id, outcome->ask);
	}
}

/* Nobody wants it, but it must be asked now, for the first time or again. */
static bool review_wants(const struct asker *asker, const struct phone *phone, enum ask ask)
{
	if (question_find(asker, phone->id, ask))
		return false;
	if (outcome_again_ms(asker, phone, ask) <= clock_now_ms())
		return true;
	if (ask == ASK_TRUST && (question_find(asker, phone->id, ASK_IDENTITY) ||
				 outcome_find(asker, phone, ASK_IDENTITY)))
		return false;
	return ask_is_due(phone, ask) && !outcome_find(asker, phone, ask);
}

static void review_due(struct asker *asker)
{
	const struct phone *phones[FLEET_PHONES_MAX];
	size_t count = fleet_all(asker->fleet, phones);

	for (size_t i = 0; i < count; i++)
		for (int ask = 0; ask < ASK_MAX; ask++) {
			struct question *question;

			if (review_wants(asker, phones[i], (enum ask)ask) &&
			    question_add(asker, phones[i], (enum ask)ask, &question) < 0)
				log_error("no memory to ask a phone");
		}
}

/* Another question to the same phone is on its way. */
static bool question_must_wait(const struct question *question)
{
	for (int ask = 0; ask < ASK_MAX; ask++) {
		const struct question *other =
		    question_find(question->asker, question->phone_id, (enum ask)ask);

		if (other && other != question && (other->link || ask == ASK_IDENTITY))
			return true;
	}
	return false;
}

static void review_start(struct asker *asker)
{
	struct question *question = asker->questions, *next;
	unsigned running = 0;

	for (const struct question *q = asker->questions; q; q = q->next)
		running += q->link != NULL;
	for (; question && running < ASK_AT_ONCE_MAX; question = next) {
		const struct phone *phone = question_phone(question);
		struct error err;
		int r;

		next = question->next;
		if (question->link || !phone || question_must_wait(question))
			continue;
		r = ask_is_possible(phone, question->ask, &err);
		if (r >= 0)
			r = question_start(question, phone, &err);
		/* also one that failed at once was asked: it is not tried in a loop */
		fleet_mark_asked(asker->fleet, question->phone_id);
		if (r < 0)
			question_end(question, &err);
		else
			running++;
	}
}

void asker_review(struct asker *asker)
{
	review_left(asker);
	if (!asker->pool)
		return;
	review_due(asker);
	review_start(asker);
}

int asker_ask(struct asker *asker, const struct phone *phone, enum ask ask, asker_answer_fn fn,
	      void *user, struct error *err)
{
	struct question *question = question_find(asker, phone->id, ask);
	struct waiter *waiter;
	int r;

	if (!asker->pool)
		return error_set(err, ERROR_UNSUPPORTED, "service", 0,
				 "a tape is played: its phones cannot be asked");
	r = ask_is_possible(phone, ask, err);
	if (r < 0)
		return r;
	if (!question && question_add(asker, phone, ask, &question) < 0)
		return error_set_errno(err, ERROR_BUG, "service", ENOMEM, "question");
	waiter = malloc(sizeof(*waiter));
	if (!waiter)
		return error_set_errno(err, ERROR_BUG, "service", ENOMEM, "question");
	*waiter = (struct waiter){ .next = question->waiters, .fn = fn, .user = user };
	question->waiters = waiter;
	asker->touched_fn(asker->touched_user);
	return 0;
}

void asker_ask_anew(struct asker *asker, const char *udid)
{
	const struct phone *phones[FLEET_PHONES_MAX];
	size_t count = fleet_all(asker->fleet, phones);

	for (size_t i = 0; i < count; i++) {
		const struct phone *phone = phones[i];
		struct question *question;

		if (strcmp(phone->identity.udid, udid) != 0 || !phone->on_bus)
			continue;
		outcome_hurry(asker, phone);
		/* what was never asked is due anyway */
		if (asker->pool && phone->trust_known &&
		    ask_is_possible(phone, ASK_TRUST, NULL) >= 0 &&
		    !question_find(asker, phone->id, ASK_TRUST) &&
		    question_add(asker, phone, ASK_TRUST, &question) < 0)
			log_error("no memory to ask a phone");
	}
	asker->touched_fn(asker->touched_user);
}

void asker_forget(struct asker *asker, const void *user)
{
	for (struct question *question = asker->questions; question; question = question->next) {
		struct waiter **at = &question->waiters;

		while (*at) {
			struct waiter *waiter = *at;

			if (waiter->user != user) {
				at = &waiter->next;
				continue;
			}
			*at = waiter->next;
			free(waiter);
		}
	}
}

int asker_new(struct fleet *fleet, struct worker_pool *pool, asker_touched_fn fn, void *user,
	      struct asker **ret)
{
	struct asker *asker = calloc(1, sizeof(*asker));

	if (!asker)
		return -ENOMEM;
	*asker =
	    (struct asker){ .fleet = fleet, .pool = pool, .touched_fn = fn, .touched_user = user };
	*ret = asker;
	return 0;
}

struct asker *asker_free(struct asker *asker)
{
	if (!asker)
		return NULL;
	while (asker->questions) {
		struct question *question = asker->questions;

		question_unlink(question);
		question_free(question);
	}
	while (asker->outcomes)
		outcome_clear(asker, asker->outcomes->phone_id, asker->outcomes->ask);
	free(asker);
	return NULL;
}
