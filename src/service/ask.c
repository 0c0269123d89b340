/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The asker owns a list of questions, in the order in which they came, and a list of problems
 * (questions that were not answered).
 *
 *            slot free                result, error, limit
 *   waiting ───────────▶ running ──────────────────────────▶ answered (freed)
 *      └──────────────────┴── the phone left or re-enumerated ──▲
 *
 * Invariants: at most one question of a kind a phone, and one of them running (link != NULL); at
 * most ASK_AT_ONCE_MAX running in all. A question is about one enumeration: the same port can show
 * the same sysfs path with another mode a second later, so the count of enumerations is part of its
 * key. Who it is is asked first, trust only of a phone that answered that.
 */
#include "service/ask.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "service/fields.h"
#include "service/worker_link.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

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

struct problem {
	struct problem *next;
	enum ask ask;
	unsigned phone_id;
	unsigned enumeration;
	unsigned attempts; /* questions about this enumeration that failed */
	uint64_t again_ms; /* when to ask once more, UINT64_MAX never */
	struct error err;
};

struct asker {
	struct fleet *fleet;
	struct worker_pool *pool;
	asker_touched_fn touched_fn;
	void *touched_user;
	struct question *questions;
	struct problem *problems;
};

/* --- policy ---------------------------------------------------------------------------------- */

static bool mode_is_booted(enum mode mode)
{
	return mode == MODE_NORMAL || mode == MODE_RESTORE;
}

int ask_is_possible(const struct phone *phone, enum ask ask, struct error *err)
{
	if (!phone->on_bus)
		return error_set(err, ERROR_UNPLUGGED, "service", 0, "it is not on the USB bus");
	if (phone->presence == PRESENCE_AWAITED || phone->job[0] != '\0')
		return error_set(err, ERROR_BUSY, "service", 0, "a job is working on it");
	if (phone->mode == MODE_UNKNOWN)
		return error_set(err, ERROR_UNSUPPORTED, "service", 0, "its mode is not known");
	if (ask == ASK_TRUST && phone->mode != MODE_NORMAL)
		return error_set(err, ERROR_UNSUPPORTED, "service", 0,
				 "only a phone that runs iOS can trust a computer");
	if (mode_is_booted(phone->mode) && (!phone->in_mux || phone->identity.udid[0] == '\0'))
		return error_set(err, ERROR_SILENT, "usbmuxd", 0, "usbmuxd does not list it (yet)");
	return 0;
}

/* Must it be asked at some time, without anybody wanting it? */
static bool ask_is_needed(const struct phone *phone, enum ask ask)
{
	const struct usb_id *id = usb_id_find(phone->sighting.vid, phone->sighting.pid);

	if (ask == ASK_TRUST)
		return phone->mode == MODE_NORMAL && phone->asked && !phone->trust_known;
	/* A booted phone tells its model and name only to who asks; the others write into their USB
	 * strings who they are, unless the facts or the missing ECID say that they do not. */
	return mode_is_booted(phone->mode) || (id && id->ask) || phone->identity.ecid == 0;
}

bool ask_is_due(const struct phone *phone, enum ask ask)
{
	return (ask == ASK_TRUST || !phone->asked) && ask_is_possible(phone, ask, NULL) >= 0 &&
	       ask_is_needed(phone, ask);
}

bool ask_is_worth_again(enum error_kind kind)
{
	switch (kind) {
	case ERROR_SILENT:
	case ERROR_BUSY:
	case ERROR_PROTOCOL:
	case ERROR_NO_SERVICE:
		return true;
	case ERROR_NONE:
	case ERROR_USAGE:
	case ERROR_NO_PHONE:
	case ERROR_AMBIGUOUS:
	case ERROR_REFUSED:
	case ERROR_LOCKED:
	case ERROR_UNPLUGGED:
	case ERROR_NO_CONSENT:
	case ERROR_BAD_FILE:
	case ERROR_NOT_SIGNED:
	case ERROR_NO_SPACE:
	case ERROR_NETWORK:
	case ERROR_ENGINE:
	case ERROR_CANCELLED:
	case ERROR_UNSUPPORTED:
	case ERROR_BUG:
	case ERROR_KIND_MAX:
		return false;
	}
	return false;
}

/* --- lists ----------------------------------------------------------------------------------- */

static struct question *question_find(const struct asker *asker, unsigned phone_id, enum ask ask)
{
	struct question *question = asker->questions;

	while (question && (question->phone_id != phone_id || question->ask != ask))
		question = question->next;
	return question;
}

/* Takes it out of the list and cancels its worker. Waiters stay with it. */
static void question_unlink(struct question *question)
{
	struct question **at = &question->asker->questions;

	while (*at && *at != question)
		at = &(*at)->next;
	if (*at)
		*at = question->next;
	question->link = worker_link_free(question->link);
}

static void question_free(struct question *question)
{
	while (question->waiters) {
		struct waiter *waiter = question->waiters;

		question->waiters = waiter->next;
		free(waiter);
	}
	free(question);
}

static int question_add(struct asker *asker, const struct phone *phone, enum ask ask,
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

static void problem_clear(struct asker *asker, unsigned phone_id, enum ask ask)
{
	struct problem **at = &asker->problems;

	while (*at) {
		struct problem *problem = *at;

		if (problem->phone_id != phone_id || problem->ask != ask) {
			at = &problem->next;
			continue;
		}
		*at = problem->next;
		free(problem);
	}
}

static const struct problem *problem_find(const struct asker *asker, const struct phone *phone,
					  enum ask ask)
{
	const struct problem *p = asker->problems;

	while (p &&
	       (p->phone_id != phone->id || p->enumeration != phone->enumerations || p->ask != ask))
		p = p->next;
	return p;
}

static void problem_set(struct asker *asker, const struct question *question,
			const struct error *err)
{
	struct problem *problem = malloc(sizeof(*problem));
	unsigned attempts = 1;

	for (const struct problem *p = asker->problems; p; p = p->next)
		if (p->phone_id == question->phone_id && p->ask == question->ask &&
		    p->enumeration == question->enumeration)
			attempts = p->attempts + 1;
	problem_clear(asker, question->phone_id, question->ask);
	if (!problem)
		return; /* it was logged; what is lost is a line of `show` */
	*problem = (struct problem){
		.next = asker->problems,
		.ask = question->ask,
		.phone_id = question->phone_id,
		.enumeration = question->enumeration,
		.attempts = attempts,
		.again_ms = UINT64_MAX,
		.err = *err,
	};
	if (attempts < ASK_ATTEMPTS_MAX && ask_is_worth_again(err->kind))
		problem->again_ms = clock_now_ms() + timing_ms(TIMING_ASK_AGAIN);
	asker->problems = problem;
}

const struct error *asker_problem(const struct asker *asker, const struct phone *phone)
{
	const struct problem *problem = problem_find(asker, phone, ASK_IDENTITY);

	if (!problem)
		problem = problem_find(asker, phone, ASK_TRUST);
	return problem ? &problem->err : NULL;
}

/*
 * When to repeat the question that failed, UINT64_MAX if never or not as things stand. While the
 * phone cannot be asked, or a question is on its way, there is no moment to wait for: what changes
 * that brings a review of its own.
 */
static uint64_t again_ms(const struct asker *asker, const struct phone *phone, enum ask ask)
{
	const struct problem *problem = problem_find(asker, phone, ask);

	if (!problem || question_find(asker, phone->id, ask) ||
	    ask_is_possible(phone, ask, NULL) < 0 || !ask_is_needed(phone, ask))
		return UINT64_MAX;
	return problem->again_ms;
}

uint64_t asker_deadline(const struct asker *asker)
{
	uint64_t deadline_ms = UINT64_MAX;

	for (size_t i = 0; asker->problems && i < fleet_count(asker->fleet); i++) {
		const struct phone *phone = fleet_at(asker->fleet, i);

		for (int ask = 0; phone && ask < ASK_MAX; ask++) {
			uint64_t at_ms = again_ms(asker, phone, (enum ask)ask);

			if (at_ms < deadline_ms)
				deadline_ms = at_ms;
		}
	}
	return deadline_ms;
}

/* --- answers --------------------------------------------------------------------------------- */

/* By its place on the bus, because an answer may have merged it into a phone with another id. */
static const struct phone *phone_by_syspath(const struct fleet *fleet, const char *syspath)
{
	for (size_t i = 0; i < fleet_count(fleet); i++) {
		const struct phone *phone = fleet_at(fleet, i);

		if (phone && phone->on_bus && strcmp(phone->sighting.syspath, syspath) == 0)
			return phone;
	}
	return NULL;
}

/* The question is over and freed. */
static void question_end(struct question *question, const struct error *err)
{
	struct asker *asker = question->asker;

	question_unlink(question);
	if (err) {
		log_write(err->kind == ERROR_UNPLUGGED || err->kind == ERROR_BUSY ? LOG_INFO
										  : LOG_WARNING,
			  "the phone at %s was asked without success: %s: %s", question->syspath,
			  err->origin, err->text);
		problem_set(asker, question, err);
	} else {
		problem_clear(asker, question->phone_id, question->ask);
	}
	while (question->waiters) {
		struct waiter *waiter = question->waiters;

		question->waiters = waiter->next;
		waiter->fn(phone_by_syspath(asker->fleet, question->syspath), err, waiter->user);
		free(waiter);
	}
	question_free(question);
	asker->touched_fn(asker->touched_user);
}

static void on_probe_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct question *question = user;
	struct identity identity = { 0 };
	struct error bad;

	if (!err && identity_from_json(field_object(result, "identity"), &identity) < 0) {
		(void)error_set(&bad, ERROR_PROTOCOL, "service", 0,
				"worker probe answered with an identity that is not allowed");
		err = &bad;
	}
	if (!err)
		fleet_identity(question->asker->fleet, question->phone_id, question->syspath,
			       mode_from_name(field_string(result, "mode")), &identity,
			       clock_now_ms());
	question_end(question, err);
}

/* The reason that a check of trust gave, kind none if it gave none. */
static void trust_reason(sd_json_variant *result, struct error *ret)
{
	sd_json_variant *reason = field_object(result, "reason");
	const char *origin = field_string(reason, "origin");

	*ret = (struct error){ 0 };
	if (reason)
		(void)error_set(ret, ERROR_REFUSED, origin ? origin : "lockdownd",
				field_integer(reason, "code", 0), "%s",
				field_string(reason, "text") ?: "the phone gave no reason");
}

static void on_trust_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct question *question = user;
	enum trust trust = trust_from_name(field_string(result, "trust"));
	sd_json_variant *object = field_object(result, "identity");
	struct identity identity = { 0 };
	struct error bad, reason;

	if (!err && (trust == TRUST_MAX || (object && identity_from_json(object, &identity) < 0))) {
		(void)error_set(&bad, ERROR_PROTOCOL, "service", 0,
				"worker trust answered with something that is not allowed");
		err = &bad;
	}
	if (!err) {
		trust_reason(result, &reason);
		fleet_trust(question->asker->fleet, question->phone_id, question->syspath, trust,
			    field_true(result, "record"), &reason, object ? &identity : NULL,
			    clock_now_ms());
	}
	question_end(question, err);
}

int ask_place(const struct phone *phone, sd_json_variant **ret)
{
	char ecid[2 + 16 + 1];

	snprintf(ecid, sizeof(ecid), "0x%016" PRIx64, phone->identity.ecid);
	if (mode_is_booted(phone->mode))
		return sd_json_buildo(ret,
				      SD_JSON_BUILD_PAIR_STRING("mode", mode_name(phone->mode)),
				      SD_JSON_BUILD_PAIR_STRING("udid", phone->identity.udid));
	return sd_json_buildo(ret, SD_JSON_BUILD_PAIR_STRING("mode", mode_name(phone->mode)),
			      SD_JSON_BUILD_PAIR_UNSIGNED("bus", phone->sighting.bus),
			      SD_JSON_BUILD_PAIR_UNSIGNED("address", phone->sighting.address),
			      SD_JSON_BUILD_PAIR_CONDITION(phone->identity.ecid != 0, "ecid",
							   SD_JSON_BUILD_STRING(ecid)));
}

static int question_start(struct question *question, const struct phone *phone, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	struct worker_request request = {
		.kind = "probe",
		.silence_ms = timing_ms(TIMING_PROBE_SILENCE),
		.total_ms = timing_ms(TIMING_PROBE_TOTAL),
		.end_fn = on_probe_end,
		.user = question,
	};
	int r;

	if (question->ask == ASK_TRUST) {
		request.kind = "trust";
		request.silence_ms = 0;
		request.total_ms = timing_ms(TIMING_TRUST_CHECK);
		request.end_fn = on_trust_end;
		r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("udid", phone->identity.udid),
				   SD_JSON_BUILD_PAIR_STRING("action", "check"));
	} else {
		r = ask_place(phone, &fields);
	}
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "service", -r, "request of a worker");
	request.fields = fields;
	return worker_link_new(question->asker->pool, &request, &question->link, err);
}

/* --- the asker ------------------------------------------------------------------------------- */

/* NULL if the enumeration that the question is about has ended. */
static const struct phone *question_phone(const struct question *question)
{
	const struct phone *phone = fleet_get(question->asker->fleet, question->phone_id);

	if (!phone || !phone->on_bus || phone->enumerations != question->enumeration ||
	    strcmp(phone->sighting.syspath, question->syspath) != 0)
		return NULL;
	return phone;
}

/* Ends the questions to phones that left or that a job has taken. */
static void review_left(struct asker *asker)
{
	struct question *question = asker->questions, *next;
	struct problem *problem = asker->problems, *next_problem;
	struct error err;

	for (; question; question = next) {
		const struct phone *phone = question_phone(question);

		next = question->next;
		if (phone && phone->job[0] == '\0')
			continue;
		if (phone)
			(void)error_set(&err, ERROR_BUSY, "service", 0, "a job has taken it");
		else
			(void)error_set(&err, ERROR_UNPLUGGED, "service", 0,
					"it left the USB bus meanwhile");
		question_end(question, &err);
	}
	for (; problem; problem = next_problem) {
		const struct phone *phone = fleet_get(asker->fleet, problem->phone_id);

		next_problem = problem->next;
		if (!phone || phone->enumerations != problem->enumeration)
			problem_clear(asker, problem->phone_id, problem->ask);
	}
}

/* Nobody wants it, but it must be asked now, for the first time or again. */
static bool review_wants(const struct asker *asker, const struct phone *phone, enum ask ask)
{
	if (question_find(asker, phone->id, ask))
		return false;
	if (again_ms(asker, phone, ask) <= clock_now_ms())
		return true;
	if (ask == ASK_TRUST && (question_find(asker, phone->id, ASK_IDENTITY) ||
				 problem_find(asker, phone, ASK_IDENTITY)))
		return false;
	return ask_is_due(phone, ask) && !problem_find(asker, phone, ask);
}

static void review_due(struct asker *asker)
{
	for (size_t i = 0; i < fleet_count(asker->fleet); i++) {
		const struct phone *phone = fleet_at(asker->fleet, i);

		for (int ask = 0; phone && ask < ASK_MAX; ask++) {
			struct question *question;

			if (review_wants(asker, phone, (enum ask)ask) &&
			    question_add(asker, phone, (enum ask)ask, &question) < 0)
				log_error("no memory to ask a phone");
		}
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
	while (asker->problems)
		problem_clear(asker, asker->problems->phone_id, asker->problems->ask);
	free(asker);
	return NULL;
}
