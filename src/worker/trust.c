/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/trust.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "worker/inquiry.h"
#include "worker/library_error.h"
#include "worker/pairing.h"
#include "worker/services.h"
#include "worker/trust_word.h"
#include "worker/unpair.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

enum { LIMIT_S_MIN = 10, LIMIT_S_MAX = 3600, LOWEST_PRIORITY = 19 };

struct fields {
	const char *udid, *action;
	uint64_t limit_s; /* 0: not there */
};

static const sd_json_dispatch_field fields_table[] = {
	{ "udid", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, udid), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL },
	{ "action", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, action), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL },
	{ "limit_s", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,
	  offsetof(struct fields, limit_s), SD_JSON_REFUSE_NULL },
	{},
};

static enum trust_action action_from_name(const char *name)
{
	static const char *const names[TRUST_ACTION_MAX] = {
		[TRUST_CHECK] = "check",   [TRUST_PAIR] = "pair",     [TRUST_AWAIT] = "await",
		[TRUST_VERIFY] = "verify", [TRUST_UNPAIR] = "unpair",
	};

	for (size_t i = 0; i < TRUST_ACTION_MAX; i++)
		if (strcmp(names[i], name) == 0)
			return (enum trust_action)i;
	return TRUST_ACTION_MAX;
}

int trust_request_parse(const struct request *request, struct trust_request *ret, struct error *err)
{
	struct trust_request parsed = {};
	struct fields fields = {};
	bool limited;
	int r = request_fields(request, fields_table, &fields, err);

	if (r == 0)
		r = request_check_udid(fields.udid, parsed.udid, err);
	if (r < 0)
		return r;
	parsed.action = action_from_name(fields.action);
	if (parsed.action == TRUST_ACTION_MAX)
		return error_set(err, ERROR_USAGE, "worker", 0, "Field \"action\" is no action");
	limited = parsed.action == TRUST_PAIR || parsed.action == TRUST_AWAIT;
	if (!limited && sd_json_variant_by_key(request->object, "limit_s") != NULL)
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"limit_s\" is for pairing only");
	if (limited && (fields.limit_s < LIMIT_S_MIN || fields.limit_s > LIMIT_S_MAX))
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"limit_s\" is missing or out of range");
	parsed.limit_s = (unsigned)fields.limit_s;
	*ret = parsed;
	return 0;
}

static int result_failed(int r, struct error *err)
{
	return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result");
}

/* A service that wants the phone unlocked first says more than that the phone trusts. */
static void take_locked(struct session *session, int code)
{
	enum trust_word word;

	if (!trust_word_from_lockdownd(code, &word) || word != TRUST_WORD_LOCKED)
		return;
	session->trust = word;
	session->detail = trust_detail_from_lockdownd(code);
	(void)lockdownd_error_set(&session->reason, code);
}

/* A session opened: does a service start, too? 0, or a negative errno with err set when the phone
 * left, or usbmuxd. */
static int try_service(struct session *session, struct inquiry *inquiry, struct error *err)
{
	int code = 0;
	int r = services_try(&session->handset, &code, &session->reason);

	if (r == 0) {
		inquiry_reached(inquiry, REACHED_SERVICE);
		code = services_try_files(&session->handset);
	} else if (session->reason.kind == ERROR_UNPLUGGED ||
		   session->reason.kind == ERROR_NO_SERVICE) {
		*err = session->reason;
		return r;
	}
	take_locked(session, code);
	return 0;
}

/* A phone that trusts may still be of little use: what it says of itself. */
static const char *identity_detail(sd_json_variant *identity)
{
	sd_json_variant *activation = sd_json_variant_by_key(identity, "activation");
	sd_json_variant *setup = sd_json_variant_by_key(identity, "setup_done");

	if (activation && strcmp(sd_json_variant_string(activation), "Unactivated") == 0)
		return "not-activated";
	return setup && !sd_json_variant_boolean(setup) ? "setup" : NULL;
}

/* What the session shows, whatever came of it. */
static int check(struct session *session, struct inquiry *inquiry, sd_json_variant **ret_fields,
		 struct error *err)
{
	const struct error *why = &session->reason;
	int r = session->trust == TRUST_WORD_TRUSTED ? try_service(session, inquiry, err) : 0;

	if (r < 0)
		return r;
	inquiry_detail(inquiry,
		       session->detail ? session->detail : identity_detail(session->identity));
	r = sd_json_buildo(
	    ret_fields, SD_JSON_BUILD_PAIR_STRING("trust", trust_word_name(session->trust)),
	    SD_JSON_BUILD_PAIR_VARIANT("identity", session->identity),
	    SD_JSON_BUILD_PAIR_CONDITION(
		why->kind != ERROR_NONE, "reason",
		SD_JSON_BUILD_OBJECT(SD_JSON_BUILD_PAIR_STRING("kind", error_kind_name(why->kind)),
				     SD_JSON_BUILD_PAIR_STRING("origin", why->origin),
				     SD_JSON_BUILD_PAIR_INTEGER("code", why->code),
				     SD_JSON_BUILD_PAIR_STRING("text", why->text))));
	return r < 0 ? result_failed(r, err) : 0;
}

static int run_check(const char *udid, struct inquiry *inquiry, sd_json_variant **ret_fields,
		     struct error *err)
{
	_cleanup_(session_done) struct session session = {};
	int r = session_open(udid, inquiry, &session, err);

	return r < 0 ? r : check(&session, inquiry, ret_fields, err);
}

static int run_pair(const struct trust_request *request, sd_json_variant **ret_fields,
		    struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *identity = NULL;
	struct pairing_result result = {};
	struct pairing_news news;
	bool awaits = request->action == TRUST_AWAIT;
	int r =
	    pairing_run(request->udid, request->limit_s,
			awaits ? PAIRING_UNTIL_RECORD : PAIRING_UNTIL_TRUSTED, &result, &news, err);

	if (r < 0) {
		(void)pairing_news_fields(&news, ret_fields);
		return r;
	}
	identity = result.identity;
	r = sd_json_buildo(
	    ret_fields,
	    SD_JSON_BUILD_PAIR_STRING(
		"trust", trust_word_name(awaits ? TRUST_WORD_UNKNOWN : TRUST_WORD_TRUSTED)),
	    SD_JSON_BUILD_PAIR_CONDITION(awaits, "record", SD_JSON_BUILD_BOOLEAN(true)),
	    SD_JSON_BUILD_PAIR_STRING("by", result.by_us ? "us" : "usbmuxd"),
	    SD_JSON_BUILD_PAIR_CONDITION(!awaits, "identity", SD_JSON_BUILD_VARIANT(identity)));
	return r < 0 ? result_failed(r, err) : 0;
}

/* The phone tells these to nobody whom it does not trust. */
static int proof_is_whole(sd_json_variant *identity, struct error *err)
{
	static const char *const wanted[] = { "name", "serial_number", "capacity_bytes" };

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (!sd_json_variant_by_key(identity, wanted[i]))
			return error_set(err, ERROR_PROTOCOL, "worker", 0,
					 "The phone lets a session begin, but does not tell its "
					 "name, capacity and serial number");
	return 0;
}

static int run_verify(const char *udid, struct inquiry *inquiry, sd_json_variant **ret_fields,
		      struct error *err)
{
	_cleanup_(session_done) struct session session = {};
	uint64_t media_entries = 0;
	int r = session_open(udid, inquiry, &session, err);

	if (r < 0)
		return r;
	if (session.trust != TRUST_WORD_TRUSTED)
		return session_refused(&session, err);
	r = proof_is_whole(session.identity, err);
	if (r == 0)
		r = services_count_media(&session.handset, &media_entries, err);
	if (r < 0)
		return r;
	inquiry_reached(inquiry, REACHED_SERVICE);
	/* the worker is a process of its own: nothing of an older connection is in it */
	r = sd_json_buildo(ret_fields,
			   SD_JSON_BUILD_PAIR_STRING("trust", trust_word_name(session.trust)),
			   SD_JSON_BUILD_PAIR_BOOLEAN("fresh", true),
			   SD_JSON_BUILD_PAIR_VARIANT("identity", session.identity),
			   SD_JSON_BUILD_PAIR_UNSIGNED("media_entries", media_entries));
	return r < 0 ? result_failed(r, err) : 0;
}

static int run_unpair(const char *udid, struct inquiry *inquiry, sd_json_variant **ret_fields,
		      struct error *err)
{
	int r = unpair_run(udid, inquiry, err);

	if (r < 0)
		return r;
	r = sd_json_buildo(ret_fields,
			   SD_JSON_BUILD_PAIR_STRING("trust", trust_word_name(TRUST_WORD_UNKNOWN)));
	return r < 0 ? result_failed(r, err) : 0;
}

/* The limit of what asks once and is answered once. */
static int begin(struct inquiry *inquiry, struct error *err)
{
	return inquiry_begin(inquiry, timing_ms(TIMING_TRUST_CHECK) - INQUIRY_MARGIN_MS, err);
}

static void end(struct inquiry *inquiry, sd_json_variant **ret_fields)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *known = NULL;

	inquiry_end(inquiry);
	if (inquiry_fields(inquiry, &known) == 0)
		(void)sd_json_variant_merge_object(ret_fields, known);
}

static int run_asking(const struct trust_request *request, sd_json_variant **ret_fields,
		      struct error *err)
{
	struct inquiry inquiry;
	int r = begin(&inquiry, err);

	if (r < 0)
		return r;
	if (request->action == TRUST_CHECK)
		r = run_check(request->udid, &inquiry, ret_fields, err);
	else if (request->action == TRUST_VERIFY)
		r = run_verify(request->udid, &inquiry, ret_fields, err);
	else
		r = run_unpair(request->udid, &inquiry, ret_fields, err);
	end(&inquiry, ret_fields);
	return r;
}

int trust_check_on(struct handset *handset, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_(session_done) struct session session = {};
	struct inquiry inquiry;
	int r = begin(&inquiry, err);

	if (r < 0)
		return r;
	r = session_open_on(handset, &inquiry, &session, err);
	if (r == 0)
		r = check(&session, &inquiry, ret_fields, err);
	end(&inquiry, ret_fields);
	return r;
}

int trust_run(const struct trust_request *request, sd_json_variant **ret_fields, struct error *err)
{
	switch (request->action) {
	case TRUST_CHECK:
	case TRUST_VERIFY:
	case TRUST_UNPAIR:
		return run_asking(request, ret_fields, err);
	case TRUST_PAIR:
	case TRUST_AWAIT:
		return run_pair(request, ret_fields, err);
	case TRUST_ACTION_MAX:
		break;
	}
	return error_set(err, ERROR_BUG, "worker", 0, "No such action");
}
