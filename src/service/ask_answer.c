/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The requests to workers, and what their answers mean to the fleet. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "service/ask_parts.h"
#include "service/fields.h"
#include <string.h>

/* By its place on the bus, because an answer may have merged it into a phone with another id. */
static const struct phone *phone_by_syspath(const struct fleet *fleet, const char *syspath)
{
	const struct phone *phones[FLEET_PHONES_MAX];
	size_t count = fleet_all(fleet, phones);

	for (size_t i = 0; i < count; i++)
		if (phones[i]->on_bus && strcmp(phones[i]->sighting.syspath, syspath) == 0)
			return phones[i];
	return NULL;
}

/* A check of trust that ended in a word that changes by itself is to be repeated. */
static void note_answer(struct asker *asker, const struct question *question)
{
	const struct phone *phone = phone_by_syspath(asker->fleet, question->syspath);

	if (question->ask == ASK_TRUST && phone && phone->id == question->phone_id &&
	    ask_changes_by_itself(phone))
		outcome_set(asker, question, NULL);
	else
		outcome_clear(asker, question->phone_id, question->ask);
}

int ask_set_left(struct error *err)
{
	return error_set(err, ERROR_UNPLUGGED, "service", 0, "it left the USB bus meanwhile");
}

static void tell_waiters(struct question *question, const struct error *err)
{
	struct error left;

	while (question->waiters) {
		struct waiter *waiter = question->waiters;
		const struct phone *phone =
		    phone_by_syspath(question->asker->fleet, question->syspath);

		if (!err && !phone) {
			(void)ask_set_left(&left);
			err = &left;
		}
		question->waiters = waiter->next;
		waiter->fn(phone, err, waiter->user);
		free(waiter);
	}
}

void question_end(struct question *question, const struct error *err)
{
	struct asker *asker = question->asker;

	question_unlink(question);
	if (err) {
		log_write(err->kind == ERROR_UNPLUGGED || err->kind == ERROR_BUSY ? LOG_INFO
										  : LOG_WARNING,
			  "the phone at %s was asked without success: %s: %s", question->syspath,
			  err->origin, err->text);
		outcome_set(asker, question, err);
	} else {
		note_answer(asker, question);
	}
	tell_waiters(question, err);
	question_free(question);
	asker->touched_fn(asker->touched_user);
}

/*
 * How far a question came that was not a check of trust, or that failed. The worker says so also of
 * a failure; one that crashed or hung says nothing, and what was reached before counts on.
 */
static void tell_reach(const struct question *question, sd_json_variant *result,
		       const struct error *err)
{
	const struct phone *phone = question_phone(question);
	enum reach reach = reach_from_name(field_string(result, "reach"));

	if (!phone || !mode_is_booted(phone->mode))
		return;
	if (reach == REACH_MAX)
		reach = err ? phone->reach : REACH_LOCKDOWN; /* who answers a probe is lockdownd */
	fleet_reach(question->asker->fleet, phone->id, question->syspath, reach, err,
		    clock_now_ms());
}

/* What a probe found out. 0, or a negative errno with bad set. */
static int take_identity(const struct question *question, sd_json_variant *answer,
			 struct error *bad)
{
	struct identity identity = { 0 };

	if (identity_from_json(field_object(answer, "identity"), &identity) < 0)
		return error_set(bad, ERROR_PROTOCOL, "service", 0,
				 "worker probe answered with an identity that is not allowed");
	tell_reach(question, answer, NULL);
	fleet_identity(question->asker->fleet, question->phone_id, question->syspath,
		       mode_from_name(field_string(answer, "mode")), &identity, clock_now_ms());
	return 0;
}

static void on_probe_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct question *question = user;
	struct error bad;

	if (!err && take_identity(question, result, &bad) < 0)
		err = &bad;
	if (err)
		tell_reach(question, result, err);
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

/* Without the worker's word: what the answer shows to have been reached at least. */
static enum reach reach_of_answer(enum trust trust, bool has_record)
{
	if (trust == TRUST_TRUSTED)
		return REACH_SESSION;
	return has_record ? REACH_RECORD : REACH_LOCKDOWN;
}

static void take_trust(const struct question *question, sd_json_variant *result, enum trust trust,
		       const struct identity *news)
{
	struct error reason;
	struct trust_answer answer = {
		.trust = trust,
		.detail = trust_detail_from_name(field_string(result, "detail")),
		.has_record = field_true(result, "record"),
		.record_broken = field_true(result, "record_broken"),
		.reason = &reason,
		.reach = reach_from_name(field_string(result, "reach")),
		.news = news,
	};

	trust_reason(result, &reason);
	if (answer.reach == REACH_MAX)
		answer.reach = reach_of_answer(trust, answer.has_record);
	fleet_trust(question->asker->fleet, question->phone_id, question->syspath, &answer,
		    clock_now_ms());
}

static void on_trust_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct question *question = user;
	enum trust trust = trust_from_name(field_string(result, "trust"));
	sd_json_variant *object = field_object(result, "identity");
	struct identity identity = { 0 };
	struct error bad;

	if (!err && (trust == TRUST_MAX || (object && identity_from_json(object, &identity) < 0))) {
		(void)error_set(&bad, ERROR_PROTOCOL, "service", 0,
				"worker trust answered with something that is not allowed");
		err = &bad;
	}
	if (err)
		tell_reach(question, result, err);
	else
		take_trust(question, result, trust, object ? &identity : NULL);
	question_end(question, err);
}

/*
 * A probe that goes on with a check of trust has told who the phone is: that question is answered,
 * and what runs on is the other one. Its waiters, and those who asked it meanwhile, are told later.
 */
static void on_probe_event(const char *name, sd_json_variant *event, void *user)
{
	struct question *question = user;
	struct asker *asker = question->asker;
	const struct phone *phone;
	struct error bad;

	if (strcmp(name, "identity") != 0 || question->ask != ASK_IDENTITY)
		return;
	if (take_identity(question, event, &bad) < 0) {
		question_end(question, &bad);
		return;
	}
	outcome_clear(asker, question->phone_id, ASK_IDENTITY);
	tell_waiters(question, NULL);
	/* it may have been merged into one that was known before */
	phone = phone_by_syspath(asker->fleet, question->syspath);
	if (phone)
		question_becomes_trust(question, phone);
	asker->touched_fn(asker->touched_user);
}

/* One worker for both questions answers only the first of a phone that is in restore mode. */
static void on_both_end(sd_json_variant *result, const struct error *err, void *user)
{
	const struct question *question = user;

	if (question->ask == ASK_TRUST)
		on_trust_end(result, err, user);
	else
		on_probe_end(result, err, user);
}

/* Both questions must be asked of a phone that has just come: that is half the work in one. */
static bool asks_both(const struct phone *phone)
{
	return phone->mode == MODE_NORMAL && !phone->trust_known &&
	       ask_is_possible(phone, ASK_TRUST, NULL) >= 0;
}

static int request_identity(const struct phone *phone, struct worker_request *request,
			    sd_json_variant **fields)
{
	int r = ask_place(phone, fields);

	if (r < 0 || !asks_both(phone))
		return r;
	/* the worker keeps the limit of each by itself */
	request->silence_ms = timing_ms(TIMING_TRUST_CHECK);
	request->total_ms = timing_ms(TIMING_PROBE_TOTAL) + timing_ms(TIMING_TRUST_CHECK);
	request->event_fn = on_probe_event;
	request->end_fn = on_both_end;
	return sd_json_variant_set_field_boolean(fields, "trust", true);
}

int question_start(struct question *question, const struct phone *phone, struct error *err)
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
		r = request_identity(phone, &request, &fields);
	}
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "service", -r, "request of a worker");
	request.fields = fields;
	return worker_link_new(question->asker->pool, &request, &question->link, err);
}
