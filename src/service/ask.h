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

/*
 * Questions that run at once; the others wait in line. usbmuxd 1.1.1 keeps five connections waiting
 * and loses the sixth, and while phones are plugged in its own preflight needs them; a phone whose
 * preflight lost one is never listed. More processes would only take the processor from each other:
 * asked all at once, twenty phones were known no sooner.
 */
enum { ASK_AT_ONCE_MAX = 3 };

/*
 * Questions about one enumeration that we begin by ourselves, TIMING_ASK_AGAIN apart: a phone that
 * is still booting answers the second or third.
 */
enum { ASK_ATTEMPTS_MAX = 3 };

enum ask {
	ASK_IDENTITY, /* worker probe: who it is */
	ASK_TRUST,    /* worker trust, action check; or the probe, which goes on with it */
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
 * The answer is in the fleet and phone is as it is now (err == NULL), or why there is no answer;
 * phone is NULL then if it is not on the bus any more. Both are borrowed for the call.
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

/*
 * Something happened that may change what the phone of this UDID answers (usbmuxd lists it anew, or
 * has a new record of it): trust is checked again, and what failed is tried again at once.
 */
void asker_ask_anew(struct asker *asker, const char *udid);

/* Why the latest question about this enumeration was not answered (who it is comes first); NULL if
 * there is no reason. */
const struct error *asker_problem(const struct asker *asker, const struct phone *phone);

/* When asker_review() has a question to repeat, UINT64_MAX if never. */
uint64_t asker_deadline(const struct asker *asker);

/* Policy: may the same question get an answer a little later? Pure. */
bool ask_is_worth_again(enum error_kind kind);

/* Policy: may trust, as it was told, change without anybody telling us? Pure. */
bool ask_changes_by_itself(const struct phone *phone);

/* Policy: pause before a check is repeated whose answer was the same `attempts` times. Pure. */
unsigned ask_pause_ms(unsigned attempts);

/* Policy: must this phone be asked without anybody wanting it? Pure. */
bool ask_is_due(const struct phone *phone, enum ask ask);

/* May it be asked at all? 0, or a negative errno with err filled. Pure. */
int ask_is_possible(const struct phone *phone, enum ask ask, struct error *err);

/* What a probe's request needs to name this phone in its mode; the caller unrefs. 0 or a negative
 * errno. */
int ask_place(const struct phone *phone, sd_json_variant **ret);
