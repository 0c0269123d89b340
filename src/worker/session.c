/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/session.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "worker/library_error.h"
#include "worker/services.h"
#include "worker/session_values.h"
#include "worker/tls_look.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <usbmuxd.h>

enum {
	/* libimobiledevice 1.4.0 gives up a handshake that nobody answers after 5 s (seen); one
	 * that is answered or refused takes far less. */
	HANDSHAKE_MS = 4000,
	/* it waits 30 s for an answer, and then says the same as of one that is none */
	ANSWER_MS = 25000,
};

/* usbmuxd answers what its file system said; without usbmuxd the library says the same of the
 * socket, so whether it is there is asked before. */
int record_read(const char *udid, struct record_bytes *ret, struct error *err)
{
	_cleanup_(record_bytes_done) struct record_bytes bytes = {};
	int r = usbmuxd_read_pair_record(udid, &bytes.data, &bytes.size);

	if (r < 0 && r != -ENOENT)
		return error_set(err, ERROR_NO_SERVICE, "usbmuxd", r,
				 "usbmuxd cannot read this computer's record of the phone");
	if (r < 0)
		return 0;
	pair_record_judge(bytes.data, bytes.size, &bytes.judged);
	if (ret)
		*ret = TAKE_STRUCT(bytes);
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
	session->detail = trust_detail_from_lockdownd(code);
	(void)lockdownd_error_set(&session->reason, code);
	return 0;
}

/* 0 or a negative errno. */
static int read_domains(struct session *session)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < SESSION_DOMAIN_MAX; i++) {
		_cleanup_(plist_freep) plist_t values = NULL;
		enum session_domain domain = (enum session_domain)i;

		if (lockdownd_get_value(session->handset.client, session_domain_name(domain), NULL,
					&values) == LOCKDOWN_E_SUCCESS)
			r = session_values_domain(domain, values, &session->identity);
	}
	return r;
}

/* The session has begun, as far as this side can tell. 0, 1 if the phone hung up, or a negative
 * errno with err set. */
static int read_identity(struct session *session, struct inquiry *inquiry, struct error *err)
{
	_cleanup_(plist_freep) plist_t values = NULL;
	const char *udid = session->handset.udid;
	lockdownd_error_t e = lockdownd_get_value(session->handset.client, NULL, NULL, &values);
	int r;

	session->handset.broken = trust_word_is_hang_up(e) || e == LOCKDOWN_E_RECEIVE_TIMEOUT;
	if (trust_word_is_hang_up(e))
		return 1;
	if (e != LOCKDOWN_E_SUCCESS)
		return answer(session, e, err);
	if (!value_is_dict(values))
		return lockdownd_error_set(err, LOCKDOWN_E_DICT_ERROR);
	r = handset_identity(values, udid, &session->identity, err);
	if (r < 0)
		return r;
	inquiry_reached(inquiry, REACHED_SESSION);
	r = session_values_root(values, &session->identity);
	if (r >= 0)
		r = read_domains(session);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the identity");
	session->trust = TRUST_WORD_TRUSTED;
	return 0;
}

/* A new connection in place of one that has been used up. */
static int reconnect(struct session *session, struct error *err)
{
	char udid[REQUEST_UDID_BYTES];
	struct error missing = {};

	memcpy(udid, session->handset.udid, sizeof(udid));
	session->handset.broken = true;
	handset_done(&session->handset);
	memcpy(session->handset.udid, udid, sizeof(udid));
	if (handset_open(udid, NULL, &session->handset, &missing) == 0)
		return 0;
	return error_set(err, /* it was there when the question began */
			 missing.kind == ERROR_NO_PHONE ? ERROR_UNPLUGGED : missing.kind,
			 missing.origin, missing.code, "%s", missing.text);
}

/* One session on the connection that is open. As read_identity(). */
static int attempt(struct session *session, struct inquiry *inquiry, const char *host_id,
		   struct error *err)
{
	uint64_t began_ms = clock_now_ms(), took_ms;
	lockdownd_error_t e = lockdownd_start_session(session->handset.client, host_id, NULL, NULL);

	took_ms = clock_now_ms() - began_ms;
	session->handset.broken = e == LOCKDOWN_E_SSL_ERROR || e == LOCKDOWN_E_PLIST_ERROR;
	/* the library has one code for a handshake that was refused and one that nobody answered */
	if (e == LOCKDOWN_E_SSL_ERROR && took_ms > HANDSHAKE_MS) {
		inquiry_detail(inquiry, "no-handshake");
		return error_set(err, ERROR_SILENT, "lockdownd", e,
				 "The phone does not answer the encrypted connection");
	}
	if (e == LOCKDOWN_E_PLIST_ERROR && took_ms > ANSWER_MS)
		return lockdownd_error_set(err, LOCKDOWN_E_RECEIVE_TIMEOUT);
	if (e != LOCKDOWN_E_SUCCESS)
		return answer(session, e, err);
	return read_identity(session, inquiry, err);
}

/* A hiccup of the connection looks the same as a refused certificate: it would not come twice. As
 * read_identity(). */
static int attempt_twice(struct session *session, struct inquiry *inquiry, const char *host_id,
			 struct error *err)
{
	int r = attempt(session, inquiry, host_id, err);

	if (r <= 0)
		return r;
	r = reconnect(session, err);
	return r < 0 ? r : attempt(session, inquiry, host_id, err);
}

/* TLS failed: why? A clock that contradicts the record comes first, since it is certain. True if
 * TLS does open: then it is worth another attempt. */
static bool explain_tls(struct session *session, const struct record_bytes *record)
{
	enum { TEXT_BYTES = 160 };
	char text[TEXT_BYTES];
	const char *clock = "";
	struct tls_look look;

	tls_look(session->handset.udid, record->data, record->size, &look);
	tls_look_text(&look, text, sizeof(text));
	session->detail = tls_look_detail(&look);
	switch (pair_record_clock(&record->judged, time(NULL))) {
	case PAIR_RECORD_CLOCK_FITS:
		break;
	case PAIR_RECORD_CLOCK_BEFORE:
		clock = ". This computer's clock is before the day the record was made";
		session->detail = "clock";
		break;
	case PAIR_RECORD_CLOCK_AFTER:
		clock = ". By this computer's clock the record has expired";
		session->detail = "clock";
		break;
	}
	snprintf(session->reason.text, sizeof(session->reason.text), "%s%s", text, clock);
	return look.end == TLS_END_FINE;
}

/* One judgement on a record that is whole. 0, or a negative errno with err set. */
static int judge(struct session *session, struct inquiry *inquiry, const char *host_id,
		 struct error *err)
{
	int r;

	session->trust = TRUST_WORD_UNKNOWN;
	session->detail = NULL;
	session->reason = (struct error){};
	r = attempt_twice(session, inquiry, host_id, err);
	return r > 0 ? answer(session, LOCKDOWN_E_SSL_ERROR, err) : r;
}

static bool tls_failed(const struct session *session)
{
	return session->trust == TRUST_WORD_STALE && session->reason.code == LOCKDOWN_E_SSL_ERROR;
}

static int ask_once(struct session *session, struct inquiry *inquiry,
		    const struct record_bytes *record, struct error *err)
{
	int r = judge(session, inquiry, record->judged.host_id, err);

	if (r < 0 || !tls_failed(session) || !explain_tls(session, record))
		return r;
	r = reconnect(session, err);
	if (r == 0)
		r = judge(session, inquiry, record->judged.host_id, err);
	if (r < 0 || !tls_failed(session))
		return r;
	/* it trusts, or it would not have opened TLS to us; what it says then is no answer */
	return error_set(err, ERROR_PROTOCOL, "lockdownd", LOCKDOWN_E_PLIST_ERROR,
			 "A session with the phone opens, but what it says in it is no answer");
}

/* Somebody else may have put another record into its place while we asked with the old one. True
 * if so: record is the new one then. */
static bool record_changed(const char *udid, struct record_bytes *record)
{
	struct record_bytes now = {};
	bool changed = record_read(udid, &now, NULL) > 0 && !now.judged.broken &&
		       strcmp(now.judged.host_id, record->judged.host_id) != 0;

	if (!changed) {
		record_bytes_done(&now);
		return false;
	}
	record_bytes_done(record);
	*record = now;
	return true;
}

static int ask(struct session *session, struct inquiry *inquiry, struct record_bytes *record,
	       struct error *err)
{
	const char *udid = session->handset.udid;
	int r = ask_once(session, inquiry, record, err);

	if (r < 0 || session->trust != TRUST_WORD_STALE || !record_changed(udid, record))
		return r;
	r = reconnect(session, err);
	if (r == 0)
		r = ask_once(session, inquiry, record, err);
	if (r == 0 && session->trust == TRUST_WORD_STALE && record_changed(udid, record))
		session->detail = "record-fight"; /* twice within one question */
	return r;
}

/* What the record alone says. True when a session can be tried with it. */
static bool record_serves(struct session *session, const struct record_bytes *record)
{
	if (!session->record) {
		(void)error_set(&session->reason, ERROR_REFUSED, "usbmuxd", ENOENT,
				"This computer holds no record of the phone");
		return false;
	}
	session->record_broken = record->judged.broken;
	if (!session->record_broken)
		return true;
	session->trust = TRUST_WORD_STALE;
	(void)error_set(&session->reason, ERROR_BAD_FILE, "usbmuxd", 0,
			"This computer's record of the phone is damaged: %s", record->judged.why);
	return false;
}

/* No record: does the phone want to be unlocked first? All else is unknown of a stranger. */
static void ask_as_stranger(struct session *session)
{
	int code = services_try_stranger(&session->handset);
	enum trust_word word;

	if (code == LOCKDOWN_E_SUCCESS || !trust_word_from_lockdownd(code, &word) ||
	    word != TRUST_WORD_LOCKED)
		return;
	session->trust = word;
	session->detail = trust_detail_from_lockdownd(code);
	(void)lockdownd_error_set(&session->reason, code);
}

/* This computer's record of the phone, before anything is asked with it. */
static int take_record(struct session *session, struct inquiry *inquiry,
		       struct record_bytes *record, struct error *err)
{
	int r = record_read(session->handset.udid, record, err);

	if (r < 0)
		return r;
	session->record = r > 0;
	inquiry_record(inquiry, session->record, session->record && record->judged.broken);
	return 0;
}

static int check_type(const struct handset *handset, struct inquiry *inquiry, struct error *err)
{
	enum mode mode = MODE_NORMAL;
	int r = handset_type(handset, inquiry, &mode, err);

	if (r == 0 && mode != MODE_NORMAL)
		r = error_set(err, ERROR_UNSUPPORTED, "lockdownd", 0,
			      "The phone is in restore mode, where it knows no trust");
	return r;
}

/* Everything after the connection to a phone in normal mode. */
static int question(struct session *session, struct inquiry *inquiry, struct record_bytes *record,
		    struct error *err)
{
	bool serves = record_serves(session, record);
	int r = 0;

	if (!session->record)
		ask_as_stranger(session);
	if (serves) {
		inquiry_reached(inquiry, REACHED_RECORD);
		r = ask(session, inquiry, record, err);
	}
	if (r < 0)
		return r;
	inquiry_detail(inquiry, session->detail);
	if (!session->identity &&
	    sd_json_variant_set_field_string(&session->identity, "udid", session->handset.udid) < 0)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM,
				       "Cannot build the identity");
	return 0;
}

int session_open(const char *udid, struct inquiry *inquiry, struct session *ret, struct error *err)
{
	_cleanup_(session_done) struct session session = {};
	_cleanup_(record_bytes_done) struct record_bytes record = {};
	int r = handset_find(udid, err);

	text_copy(session.handset.udid, sizeof(session.handset.udid), udid);
	if (r == 0)
		r = take_record(&session, inquiry, &record, err);
	if (r == 0)
		r = handset_open(udid, inquiry, &session.handset, err);
	if (r == 0)
		r = check_type(&session.handset, inquiry, err);
	if (r == 0)
		r = question(&session, inquiry, &record, err);
	if (r < 0)
		return r;
	*ret = TAKE_STRUCT(session);
	return 0;
}

int session_open_on(struct handset *handset, struct inquiry *inquiry, struct session *ret,
		    struct error *err)
{
	_cleanup_(session_done) struct session session = { .handset = TAKE_STRUCT(*handset) };
	_cleanup_(record_bytes_done) struct record_bytes record = {};
	int r;

	inquiry_reached(inquiry, REACHED_LOCKDOWN);
	r = take_record(&session, inquiry, &record, err);
	if (r == 0)
		r = question(&session, inquiry, &record, err);
	if (r < 0)
		return r;
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
