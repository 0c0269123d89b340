/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/trust.h"
#include "base/cleanup.h"
#include "worker/library_error.h"
#include "worker/pairing.h"
#include <errno.h>
#include <libimobiledevice/afc.h>
#include <stddef.h>
#include <string.h>

enum { LIMIT_S_MIN = 10, LIMIT_S_MAX = 3600 };

DEFINE_CLEANUP(afc_client_t, afc_client_free)
DEFINE_CLEANUP(lockdownd_service_descriptor_t, lockdownd_service_descriptor_free)

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
		[TRUST_CHECK] = "check",
		[TRUST_PAIR] = "pair",
		[TRUST_VERIFY] = "verify",
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
	int r = request_fields(request, fields_table, &fields, err);

	if (r == 0)
		r = request_check_udid(fields.udid, parsed.udid, err);
	if (r < 0)
		return r;
	parsed.action = action_from_name(fields.action);
	if (parsed.action == TRUST_ACTION_MAX)
		return error_set(err, ERROR_USAGE, "worker", 0, "Field \"action\" is no action");
	if (parsed.action != TRUST_PAIR &&
	    sd_json_variant_by_key(request->object, "limit_s") != NULL)
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"limit_s\" is for pairing only");
	if (parsed.action == TRUST_PAIR &&
	    (fields.limit_s < LIMIT_S_MIN || fields.limit_s > LIMIT_S_MAX))
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

static int run_check(const char *udid, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_(session_done) struct session session = {};
	const struct error *why = &session.reason;
	int r = session_open(udid, &session, err);

	if (r < 0)
		return r;
	r = sd_json_buildo(
	    ret_fields, SD_JSON_BUILD_PAIR_STRING("trust", trust_word_name(session.trust)),
	    SD_JSON_BUILD_PAIR_BOOLEAN("record", session.record),
	    SD_JSON_BUILD_PAIR_VARIANT("identity", session.identity),
	    SD_JSON_BUILD_PAIR_CONDITION(
		why->kind != ERROR_NONE, "reason",
		SD_JSON_BUILD_OBJECT(SD_JSON_BUILD_PAIR_STRING("origin", why->origin),
				     SD_JSON_BUILD_PAIR_INTEGER("code", why->code),
				     SD_JSON_BUILD_PAIR_STRING("text", why->text))));
	return r < 0 ? result_failed(r, err) : 0;
}

static int run_pair(const struct trust_request *request, sd_json_variant **ret_fields,
		    struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *identity = NULL;
	struct pairing_result result = {};
	int r = pairing_run(request->udid, request->limit_s, &result, err);

	if (r < 0)
		return r;
	identity = result.identity;
	r = sd_json_buildo(ret_fields,
			   SD_JSON_BUILD_PAIR_STRING("trust", trust_word_name(TRUST_WORD_TRUSTED)),
			   SD_JSON_BUILD_PAIR_STRING("by", result.by_us ? "us" : "usbmuxd"),
			   SD_JSON_BUILD_PAIR_VARIANT("identity", identity));
	return r < 0 ? result_failed(r, err) : 0;
}

static int media_failed(int code, struct error *err)
{
	switch (code) {
	case AFC_E_OP_TIMEOUT:
		return error_set(err, ERROR_SILENT, "afc", code,
				 "The phone does not list its media folder");
	case AFC_E_PERM_DENIED:
		return error_set(err, ERROR_REFUSED, "afc", code,
				 "The phone does not let its media folder be read");
	default:
		return error_set(err, ERROR_PROTOCOL, "afc", code,
				 "The phone's media folder cannot be read");
	}
}

/* How many entries the media folder has, in a session. */
static int count_media(const struct handset *handset, uint64_t *ret, struct error *err)
{
	_cleanup_(lockdownd_service_descriptor_freep) lockdownd_service_descriptor_t service = NULL;
	_cleanup_(afc_client_freep) afc_client_t afc = NULL;
	char **names = NULL;
	uint64_t count = 0;
	afc_error_t a;
	lockdownd_error_t e = lockdownd_start_service(handset->client, AFC_SERVICE_NAME, &service);

	if (e != LOCKDOWN_E_SUCCESS)
		return handset_failed(handset->udid, e, err);
	a = afc_client_new(handset->device, service, &afc);
	if (a == AFC_E_SUCCESS)
		a = afc_read_directory(afc, "/", &names);
	if (a != AFC_E_SUCCESS && handset_find(handset->udid, NULL) < 0)
		return error_set(err, ERROR_UNPLUGGED, "afc", a, "The phone was unplugged");
	if (a != AFC_E_SUCCESS)
		return media_failed(a, err);
	for (char **name = names; name && *name; name++)
		count += strcmp(*name, ".") != 0 && strcmp(*name, "..") != 0;
	afc_dictionary_free(names);
	*ret = count;
	return 0;
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

static int run_verify(const char *udid, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_(session_done) struct session session = {};
	uint64_t media_entries = 0;
	int r = session_open(udid, &session, err);

	if (r < 0)
		return r;
	if (session.trust != TRUST_WORD_TRUSTED)
		return session_refused(&session, err);
	r = proof_is_whole(session.identity, err);
	if (r == 0)
		r = count_media(&session.handset, &media_entries, err);
	if (r < 0)
		return r;
	r = sd_json_buildo(ret_fields,
			   SD_JSON_BUILD_PAIR_STRING("trust", trust_word_name(session.trust)),
			   SD_JSON_BUILD_PAIR_VARIANT("identity", session.identity),
			   SD_JSON_BUILD_PAIR_UNSIGNED("media_entries", media_entries));
	return r < 0 ? result_failed(r, err) : 0;
}

int trust_run(const struct trust_request *request, sd_json_variant **ret_fields, struct error *err)
{
	switch (request->action) {
	case TRUST_CHECK:
		return run_check(request->udid, ret_fields, err);
	case TRUST_PAIR:
		return run_pair(request, ret_fields, err);
	case TRUST_VERIFY:
		return run_verify(request->udid, ret_fields, err);
	case TRUST_ACTION_MAX:
		break;
	}
	return error_set(err, ERROR_BUG, "worker", 0, "No such action");
}
