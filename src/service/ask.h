/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Asks phones who they are and whether they trust this computer: by itself where the bus does not
 * tell, and when a person wants it. The answers go into the fleet. A phone that a job has is the
 * job's alone: it is not asked.
 */
#include "base/error.h"
#include "phone/fleet.h"
#include "service/worker_pool.h"

/* Probes that run at once; the others wait in line. Each is a process of some megabytes. */
enum { ASK_AT_ONCE_MAX = 4 };

/*
 * Questions about one enumeration that we begin by ourselves, TIMING_ASK_AGAIN apart: a phone that
 * is still booting answers the second or third.
 */
enum { ASK_ATTEMPTS_MAX = 3 };

enum ask {
	ASK_IDENTITY, /* worker probe: who it is */
	ASK_TRUST,    /* worker trust, action check; after a probe that was answered */
	ASK_MAX,
};

struct asker;

/* The fleet may have changed: the owner calls asker_review() soon, from the loop. */
typedef void (*asker_touched_fn)(void *user);

/* fleet and pool are borrowed; pool may be NULL, then nothing is ever asked. */
int asker_new(struct fleet *fleet, struct worker_pool *pool, asker_touched_fn fn, void *user,
	      struct asker **ret);
/* Cancels what runs; waiters are not called. NULL is fine; returns NULL. */
struct asker *asker_free(struct asker *asker);

/*
 * After any change of the fleet: gives up questions to phones that left, finds the phones that must
 * be asked, starts what may start. Not from inside a fleet event.
 */
void asker_review(struct asker *asker);

/*
 * The answer is in the fleet (err == NULL), or why there is none. phone: as it is now, NULL if it
 * is not on the bus any more; borrowed for the call, as err is.
 */
typedef void (*asker_answer_fn)(const struct phone *phone, const struct error *err, void *user);

/*
 * Asks this phone because somebody wants to know; joins a question of the kind that is already on
 * its way. fn is called once, from the loop, unless asker_forget(user) came first. Returns 0, or a
 * negative errno with err filled when the phone cannot be asked now.
 */
int asker_ask(struct asker *asker, const struct phone *phone, enum ask ask, asker_answer_fn fn,
	      void *user, struct error *err);
void asker_forget(struct asker *asker, const void *user);

/* Why the latest question about this enumeration was not answered (who it is comes first); NULL if
 * there is no reason. */
const struct error *asker_problem(const struct asker *asker, const struct phone *phone);

/* When asker_review() has a question to repeat, UINT64_MAX if never. */
uint64_t asker_deadline(const struct asker *asker);

/* Policy: may the same question get an answer a little later? Pure. */
bool ask_is_worth_again(enum error_kind kind);

/* Policy: must this phone be asked without anybody wanting it? Pure. */
bool ask_is_due(const struct phone *phone, enum ask ask);

/* May it be asked at all? 0, or a negative errno with err filled. Pure. */
int ask_is_possible(const struct phone *phone, enum ask ask, struct error *err);

/* What a probe's request needs to name this phone in its mode; the caller unrefs. 0 or a negative
 * errno. */
int ask_place(const struct phone *phone, sd_json_variant **ret);
