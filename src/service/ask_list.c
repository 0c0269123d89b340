/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lists of the asker: who is to be asked, and what became of the latest questions. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "service/ask_parts.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct question *question_find(const struct asker *asker, unsigned phone_id, enum ask ask)
{
	struct question *question = asker->questions;

	while (question && (question->phone_id != phone_id || question->ask != ask))
		question = question->next;
	return question;
}

void question_unlink(struct question *question)
{
	struct question **at = &question->asker->questions;

	while (*at && *at != question)
		at = &(*at)->next;
	if (*at)
		*at = question->next;
	question->link = worker_link_free(question->link);
}

void question_free(struct question *question)
{
	while (question->waiters) {
		struct waiter *waiter = question->waiters;

		question->waiters = waiter->next;
		free(waiter);
	}
	free(question);
}

int question_add(struct asker *asker, const struct phone *phone, enum ask ask,
		 struct question **ret)
{
	struct question *question = calloc(1, sizeof(*question)), **at = &asker->questions;

	if (!question)
		return -ENOMEM;
	*question = (struct question){
		.asker = asker,
		.ask = ask,
		.phone_id = phone->id,
		.enumeration = phone->enumerations,
	};
	snprintf(question->syspath, sizeof(question->syspath), "%s", phone->sighting.syspath);
	while (*at)
		at = &(*at)->next;
	*at = question;
	*ret = question;
	return 0;
}

void question_becomes_trust(struct question *question, const struct phone *phone)
{
	struct question *waiting = question_find(question->asker, phone->id, ASK_TRUST);

	question->ask = ASK_TRUST;
	question->phone_id = phone->id;
	question->enumeration = phone->enumerations;
	if (!waiting)
		return;
	question->waiters = TAKE(waiting->waiters);
	question_unlink(waiting);
	question_free(waiting);
}

const struct phone *question_phone(const struct question *question)
{
	const struct phone *phone = fleet_get(question->asker->fleet, question->phone_id);

	if (!phone || !phone->on_bus || phone->enumerations != question->enumeration ||
	    strcmp(phone->sighting.syspath, question->syspath) != 0)
		return NULL;
	return phone;
}

void outcome_clear(struct asker *asker, unsigned phone_id, enum ask ask)
{
	struct outcome **at = &asker->outcomes;

	while (*at) {
		struct outcome *outcome = *at;

		if (outcome->phone_id != phone_id || outcome->ask != ask) {
			at = &outcome->next;
			continue;
		}
		*at = outcome->next;
		free(outcome);
	}
}

static struct outcome *outcome_of(const struct asker *asker, unsigned phone_id,
				  unsigned enumeration, enum ask ask)
{
	struct outcome *o = asker->outcomes;

	while (o && (o->phone_id != phone_id || o->enumeration != enumeration || o->ask != ask))
		o = o->next;
	return o;
}

const struct outcome *outcome_find(const struct asker *asker, const struct phone *phone,
				   enum ask ask)
{
	return outcome_of(asker, phone->id, phone->enumerations, ask);
}

/* Of an answer a check is repeated for as long as the phone is there, ever more slowly; a question
 * that fails is given up. */
static uint64_t next_ms(const struct outcome *outcome)
{
	if (outcome->err.kind == ERROR_NONE)
		return clock_now_ms() + ask_pause_ms(outcome->attempts);
	if (outcome->attempts < ASK_ATTEMPTS_MAX && ask_is_worth_again(outcome->err.kind))
		return clock_now_ms() + timing_ms(TIMING_ASK_AGAIN);
	return UINT64_MAX;
}

void outcome_set(struct asker *asker, const struct question *question, const struct error *err)
{
	const struct outcome *before =
	    outcome_of(asker, question->phone_id, question->enumeration, question->ask);
	struct outcome *outcome = malloc(sizeof(*outcome));
	bool same = before && (before->err.kind == ERROR_NONE) == !err;
	unsigned attempts = same ? before->attempts + 1 : 1;

	outcome_clear(asker, question->phone_id, question->ask);
	if (!outcome)
		return; /* it was logged; what is lost is a line of `show` */
	*outcome = (struct outcome){
		.next = asker->outcomes,
		.ask = question->ask,
		.phone_id = question->phone_id,
		.enumeration = question->enumeration,
		.attempts = attempts,
		.err = err ? *err : (struct error){ 0 },
	};
	outcome->again_ms = next_ms(outcome);
	asker->outcomes = outcome;
}

void outcome_hurry(struct asker *asker, const struct phone *phone)
{
	for (struct outcome *o = asker->outcomes; o; o = o->next) {
		if (o->phone_id != phone->id || o->enumeration != phone->enumerations)
			continue;
		o->attempts = 0;
		o->again_ms = clock_now_ms();
	}
}

static const struct error *outcome_error(const struct asker *asker, const struct phone *phone,
					 enum ask ask)
{
	const struct outcome *outcome = outcome_find(asker, phone, ask);

	return outcome && outcome->err.kind != ERROR_NONE ? &outcome->err : NULL;
}

const struct error *asker_problem(const struct asker *asker, const struct phone *phone)
{
	const struct error *err = outcome_error(asker, phone, ASK_IDENTITY);

	return err ? err : outcome_error(asker, phone, ASK_TRUST);
}

/*
 * While the phone cannot be asked, or a question is on its way, there is no moment to wait for:
 * what changes that brings a review of its own.
 */
uint64_t outcome_again_ms(const struct asker *asker, const struct phone *phone, enum ask ask)
{
	const struct outcome *outcome = outcome_find(asker, phone, ask);

	if (!outcome || question_find(asker, phone->id, ask) ||
	    ask_is_possible(phone, ask, NULL) < 0)
		return UINT64_MAX;
	if (outcome->err.kind != ERROR_NONE && !ask_is_needed(phone, ask))
		return UINT64_MAX;
	return outcome->again_ms;
}

uint64_t asker_deadline(const struct asker *asker)
{
	const struct phone *phones[FLEET_PHONES_MAX];
	size_t count = asker->outcomes ? fleet_all(asker->fleet, phones) : 0;
	uint64_t deadline_ms = UINT64_MAX;

	for (size_t i = 0; i < count; i++)
		for (int ask = 0; ask < ASK_MAX; ask++) {
			uint64_t at_ms = outcome_again_ms(asker, phones[i], (enum ask)ask);

			if (at_ms < deadline_ms)
				deadline_ms = at_ms;
		}
	return deadline_ms;
}
