/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/session.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "worker/library_error.h"
#include <errno.h>
#include <string.h>
#include <usbmuxd.h>

/* libimobiledevice 1.4.0 gives up a handshake that nobody answers after 5 s (seen); one that is
 * answered or refused takes far less. */
enum { HANDSHAKE_MS = 4000 };
static const char disk_domain[] = "com.apple.disk_usage";
static const char battery_domain[] = "com.apple.mobile.battery";

/* usbmuxd answers what its file system said; without usbmuxd the library says the same of the
 * socket, so whether it is there is asked before. */
int record_read(const char *udid, char **ret_host_id, struct error *err)
{
	_cleanup_(plist_freep) plist_t record = NULL;
	_cleanup_free_ char *data = NULL;
	const char *host_id = NULL;
	uint32_t size = 0;
	int r = usbmuxd_read_pair_record(udid, &data, &size);

	if (r < 0 && r != -ENOENT)
		return error_set(err, ERROR_NO_SERVICE, "usbmuxd", r,
				 "usbmuxd cannot read this computer's record of the phone");
	if (r < 0)
		return 0;
	if (!ret_host_id)
		return 1;
	if (data && plist_from_memory(data, size, &record, NULL) == PLIST_ERR_SUCCESS &&
	    value_is_dict(record))
		host_id = value_text(record, "HostID");
	*ret_host_id = host_id ? strdup(host_id) : NULL;
	if (host_id && !*ret_host_id)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot keep the record");
	return 1;
}

int record_forget(const char *udid, struct error *err)
{
	int there = record_read(udid, NULL, err);
	int number;

	if (there <= 0)
		return there;
	number = usbmuxd_delete_pair_record(udid);
	there = record_read(udid, NULL, err);
	if (there < 0)
		return there;
	if (there > 0)
		return error_set(err, ERROR_REFUSED, "usbmuxd", number,
				 "usbmuxd did not delete this computer's record of the phone");
	return 1;
}

/* A refusal is an answer. 0, or a negative errno with err set when the code is none. */
static int answer(struct session *session, int code, struct error *err)
{
	enum trust_word word;

	/* a connection that broke is no answer when it was the cable */
	if (!trust_word_from_lockdownd(code, &word) ||
	    (code == LOCKDOWN_E_SSL_ERROR && handset_find(session->handset.udid, NULL) < 0))
		return handset_failed(session->handset.udid, code, err);
	session->trust = word;
	(void)lockdownd_error_set(&session->reason, code);
	return 0;
}

/* Capacity and charge: a phone that does not tell them is trusted nevertheless. */
static int read_domains(struct session *session)
{
	_cleanup_(plist_freep) plist_t disk = NULL;
	_cleanup_(plist_freep) plist_t battery = NULL;
	sd_json_variant **identity = &session->identity;
	lockdownd_client_t client = session->handset.client;
	bool charging;
	int r = 0;

	if (lockdownd_get_value(client, disk_domain, NULL, &disk) == LOCKDOWN_E_SUCCESS &&
	    value_is_dict(disk) && value_number(disk, "TotalDiskCapacity") > 0)
		r = sd_json_variant_set_field_unsigned(identity, "capacity_bytes",
						       value_number(disk, "TotalDiskCapacity"));
	if (r < 0 ||
	    lockdownd_get_value(client, battery_domain, NULL, &battery) != LOCKDOWN_E_SUCCESS ||
	    !value_is_dict(battery))
		return r;
	if (plist_dict_get_item(battery, "BatteryCurrentCapacity") &&
	    value_number(battery, "BatteryCurrentCapacity") <= 100)
		r = sd_json_variant_set_field_unsigned(
		    identity, "battery_percent", value_number(battery, "BatteryCurrentCapacity"));
	if (r >= 0 && value_bool(battery, "BatteryIsCharging", &charging))
		r = sd_json_variant_set_field_boolean(identity, "battery_charging", charging);
	return r;
}

/* The session has begun, as far as this side can tell. 0, 1 if the phone hung up, or a negative
 * errno with err set. */
static int read_identity(struct session *session, struct error *err)
{
	_cleanup_(plist_freep) plist_t values = NULL;
	const char *udid = session->handset.udid;
	lockdownd_error_t e = lockdownd_get_value(session->handset.client, NULL, NULL, &values);
	int r;

	if (trust_word_is_hang_up(e))
		return 1;
	if (e != LOCKDOWN_E_SUCCESS)
		return answer(session, e, err);
	if (!value_is_dict(values))
		return lockdownd_error_set(err, LOCKDOWN_E_DICT_ERROR);
	r = handset_identity(values, udid, &session->identity, err);
	if (r < 0)
		return r;
	r = read_domains(session);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the identity");
	session->trust = TRUST_WORD_TRUSTED;
	return 0;
}

/* One connection, one session. As read_identity(). */
static int attempt(struct session *session, const char *host_id, struct error *err)
{
	char udid[REQUEST_UDID_BYTES];
	struct error missing = {};
	uint64_t began_ms;
	lockdownd_error_t e;
	int r;

	memcpy(udid, session->handset.udid, sizeof(udid));
	handset_done(&session->handset);
	memcpy(session->handset.udid, udid, sizeof(udid));
	r = handset_open(udid, &session->handset, &missing);
	if (r < 0) /* it was there when the question began */
		return error_set(err,
				 missing.kind == ERROR_NO_PHONE ? ERROR_UNPLUGGED : missing.kind,
				 missing.origin, missing.code, "%s", missing.text);
	began_ms = clock_now_ms();
	e = lockdownd_start_session(session->handset.client, host_id, NULL, NULL);
	/* the library has one code for a handshake that was refused and one that nobody answered */
	if (e == LOCKDOWN_E_SSL_ERROR && clock_now_ms() - began_ms > HANDSHAKE_MS)
		return error_set(err, ERROR_SILENT, "lockdownd", e,
				 "The phone does not answer the encrypted connection");
	if (e != LOCKDOWN_E_SUCCESS)
		return answer(session, e, err);
	return read_identity(session, err);
}

static int ask(struct session *session, const char *host_id, struct error *err)
{
	int r;

	if (!host_id) {
		session->trust = TRUST_WORD_STALE;
		(void)error_set(&session->reason, ERROR_BAD_FILE, "usbmuxd", 0,
				"This computer's record of the phone is damaged");
		return 0;
	}
	r = attempt(session, host_id, err);
	/* a hiccup of the connection looks the same as a refused certificate: it would not come
	 * twice */
	if (r > 0)
		r = attempt(session, host_id, err);
	return r > 0 ? answer(session, LOCKDOWN_E_SSL_ERROR, err) : r;
}

int session_open(const char *udid, struct session *ret, struct error *err)
{
	_cleanup_(session_done) struct session session = {};
	_cleanup_free_ char *host_id = NULL;
	int r = handset_find(udid, err);

	if (r < 0)
		return r;
	r = record_read(udid, &host_id, err);
	if (r < 0)
		return r;
	text_copy(session.handset.udid, sizeof(session.handset.udid), udid);
	session.record = r > 0;
	if (session.record)
		r = ask(&session, host_id, err);
	else
		(void)error_set(&session.reason, ERROR_REFUSED, "usbmuxd", ENOENT,
				"This computer holds no record of the phone");
	if (r < 0)
		return r;
	if (!session.identity &&
	    sd_json_variant_set_field_string(&session.identity, "udid", udid) < 0)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM,
				       "Cannot build the identity");
	*ret = TAKE_STRUCT(session);
	return 0;
}

void session_done(struct session *session)
{
	sd_json_variant_unref(session->identity);
	handset_done(&session->handset);
	*session = (struct session){};
}

int session_refused(const struct session *session, struct error *err)
{
	const struct error *why = &session->reason;

	return error_set(err, why->kind, why->origin, why->code, "%s", why->text);
}
