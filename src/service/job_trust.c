/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The work of the steps about trust that several goals share: forgetting, pairing, the proof. */
#include "base/clock.h"
#include "service/fields.h"
#include "service/job_run.h"
#include <string.h>

void work_mark_asked(struct run *run)
{
	fleet_mark_asked(run->jobs->options.fleet, run->phone_id);
}

static void on_forget_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	sd_json_variant *facts = NULL;

	if (!work_succeeded(run, err))
		return;
	if (repair_in_rung(run) && run_step_kind(run) == STEP_FORGET_RECORD &&
	    field_unsigned(result, "forgotten", 0) == 0) {
		run_step_passed(run, message_find("repair-pass-no-record")->text);
		return;
	}
	(void)sd_json_buildo(&facts, SD_JSON_BUILD_PAIR_UNSIGNED(
					 "forgotten", field_unsigned(result, "forgotten", 0)));
	run_step_done(run, facts, false);
}

static void forget(struct run *run, bool store)
{
	const char *udid = job_plan(run->job)->udid;
	sd_json_variant *fields = NULL;
	char folder[PLAN_ROOM_BYTES];
	bool kept = storage_records_kept(run->jobs->options.storage, folder);
	int r;

	/* what is kept on the data partition would come back at the next start */
	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_STRING("action", store ? "forget-store" : "forget"),
	    SD_JSON_BUILD_PAIR_CONDITION(!store, "udid", SD_JSON_BUILD_STRING(udid)),
	    SD_JSON_BUILD_PAIR_CONDITION(kept, "folder", SD_JSON_BUILD_STRING(folder)));
	work_ask(run, "record", r, fields, NULL, on_forget_end);
}

void work_forget(struct run *run, const struct phone *phone)
{
	forget(run, false);
}

void work_forget_store(struct run *run)
{
	forget(run, true);
}

static const char *trust_guidance(enum trust trust)
{
	const char *id = NULL;

	switch (trust) {
	case TRUST_LOCKED:
		id = "job-trust-locked";
		break;
	case TRUST_ASKING:
		id = "job-trust-asking";
		break;
	case TRUST_DENIED:
		id = "job-trust-denied";
		break;
	case TRUST_REFUSED_BY_POLICY:
		id = "job-trust-policy";
		break;
	case TRUST_UNKNOWN:
	case TRUST_STALE:
	case TRUST_TRUSTED:
	case TRUST_MAX:
		break;
	}
	return id ? message_find(id)->text : NULL;
}

static void tell_fleet(struct run *run, enum trust trust, const struct identity *identity)
{
	const struct phone *phone = run_phone(run);
	const struct trust_answer answer = {
		.trust = trust,
		.has_record = trust == TRUST_TRUSTED,
		.reach = trust == TRUST_TRUSTED ? REACH_SERVICE : REACH_LOCKDOWN,
		.news = identity,
	};

	if (!phone || !phone->on_bus || phone->enumerations != run->enumeration)
		return;
	work_mark_asked(run);
	fleet_trust(run->jobs->options.fleet, phone->id, phone->sighting.syspath, &answer,
		    clock_now_ms());
}

static void note_trust(struct run *run, enum trust trust, const char *text)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;

	if (sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("trust", trust_name(trust)),
			   SD_JSON_BUILD_PAIR_CONDITION(text != NULL, "text",
							SD_JSON_BUILD_STRING(text))) >= 0)
		(void)job_note(run->job, "trust", fields);
}

void work_tell_person(struct run *run, const char *text)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;

	run_guide(run, text);
	if (sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("text", text)) >= 0)
		(void)job_note(run->job, "guidance", fields);
	run_tell(run);
}

void work_take_trust(struct run *run, sd_json_variant *result)
{
	enum trust trust = trust_from_name(field_string(result, "trust"));
	sd_json_variant *object = field_object(result, "identity");
	struct identity identity = { 0 };
	bool known = object && identity_from_json(object, &identity) >= 0;

	run->trust = trust;
	note_trust(run, trust, field_string(field_object(result, "reason"), "text"));
	tell_fleet(run, trust, known ? &identity : NULL);
}

static void on_pair_event(const char *name, sd_json_variant *event, void *user)
{
	struct run *run = user;
	enum trust trust = trust_from_name(field_string(event, "trust"));
	const char *text = field_string(event, "text");

	if (strcmp(name, "forgotten") == 0) {
		work_tell_person(run, message_find("job-trust-forgotten")->text);
		return;
	}
	if (strcmp(name, "trust") != 0 || trust == TRUST_MAX || trust == run->trust)
		return;
	run->trust = trust;
	run_guide(run, trust_guidance(trust));
	note_trust(run, trust, text);
	tell_fleet(run, trust, NULL);
	run_tell(run);
}

static void on_pair_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	sd_json_variant *object = field_object(result, "identity"), *facts = NULL;
	struct identity identity = { 0 };

	if (!work_succeeded(run, err))
		return;
	if (!field_is(result, "trust", "trusted") ||
	    (object && identity_from_json(object, &identity) < 0)) {
		work_answer_is_wrong(run);
		return;
	}
	tell_fleet(run, TRUST_TRUSTED, object ? &identity : NULL);
	(void)sd_json_buildo(
	    &facts, SD_JSON_BUILD_PAIR_STRING("by", field_string(result, "by") ?: "usbmuxd"));
	run_step_done(run, facts, false);
}

/* The worker ends by itself, and says what the phone said last, before the step's limit does. */
void work_pair(struct run *run, const struct phone *phone)
{
	enum { LIMIT_S_MIN = 10, LIMIT_S_MAX = 3600, MARGIN_S = 5 };
	unsigned total_s = repair_total_s(run);
	unsigned limit_s = total_s > LIMIT_S_MIN + MARGIN_S ? total_s - MARGIN_S : LIMIT_S_MIN;
	sd_json_variant *fields = NULL;
	int r;

	if (limit_s > LIMIT_S_MAX)
		limit_s = LIMIT_S_MAX;
	r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("udid", phone->identity.udid),
			   SD_JSON_BUILD_PAIR_STRING("action", "pair"),
			   SD_JSON_BUILD_PAIR_UNSIGNED("limit_s", limit_s));
	work_ask(run, "trust", r, fields, on_pair_event, on_pair_end);
}

/* What a verification proved besides: words of doctor/proof.c. */
static int put_proven(const struct run *run, const struct identity *identity, bool media,
		      sd_json_variant **proof)
{
	const struct plan *plan = job_plan(run->job);
	size_t at = job_step(run->job);
	bool replug = at > 0 && plan->steps[at - 1].kind == STEP_REPLUG;
	bool whole = identity->name[0] != '\0' && identity->serial_number[0] != '\0' &&
		     identity->capacity_bytes > 0;
	int r = sd_json_variant_set_field_boolean(proof, "session", true);

	if (r >= 0 && whole)
		r = sd_json_variant_set_field_boolean(proof, "identity", true);
	if (r >= 0 && media)
		r = sd_json_variant_set_field_boolean(proof, "media", true);
	if (r >= 0 && replug) /* else it would have been passed over */
		r = sd_json_variant_set_field_boolean(proof, "replug", true);
	return r;
}

/* {"proof":{…}}: what was read from the phone itself. */
int work_proof_build(const struct run *run, const struct identity *identity,
		     sd_json_variant *entries, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *proof = NULL;
	int r = sd_json_build(&proof, SD_JSON_BUILD_EMPTY_OBJECT);

#define PUT(name)                                                                                  \
	if (r >= 0 && identity->name[0] != '\0')                                                   \
	r = sd_json_variant_set_field_string(&proof, #name, identity->name)
	PUT(name);
	PUT(serial_number);
	PUT(version);
	PUT(build);
#undef PUT
	if (r >= 0 && identity->capacity_bytes > 0)
		r = sd_json_variant_set_field_unsigned(&proof, "capacity_bytes",
						       identity->capacity_bytes);
	if (r >= 0 && sd_json_variant_is_unsigned(entries))
		r = sd_json_variant_set_field(&proof, "media_entries", entries);
	if (r >= 0 && run_step_kind(run) == STEP_VERIFY_TRUST)
		r = put_proven(run, identity, sd_json_variant_is_unsigned(entries), &proof);
	return r < 0 ? r : sd_json_buildo(ret, SD_JSON_BUILD_PAIR_VARIANT("proof", proof));
}

static void on_verify_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct run *run = user;
	struct identity identity = { 0 };
	sd_json_variant *facts = NULL;

	if (!work_succeeded(run, err))
		return;
	if (!field_is(result, "trust", "trusted") ||
	    identity_from_json(field_object(result, "identity"), &identity) < 0) {
		work_answer_is_wrong(run);
		return;
	}
	tell_fleet(run, TRUST_TRUSTED, &identity);
	(void)work_proof_build(run, &identity, sd_json_variant_by_key(result, "media_entries"),
			       &facts);
	run_step_done(run, facts, false);
}

void work_verify(struct run *run, const struct phone *phone)
{
	sd_json_variant *fields = NULL;
	int r;

	r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("udid", phone->identity.udid),
			   SD_JSON_BUILD_PAIR_STRING("action", "verify"));
	work_ask(run, "trust", r, fields, NULL, on_verify_end);
}
