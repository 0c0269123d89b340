/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *   session ──Unpair──▶ phone forgets ──▶ new connection, the old name ──refused──▶ record deleted
 *
 * libimobiledevice deletes usbmuxd's record by itself when the phone says yes, so the old name is
 * kept here.
 */
#include "worker/unpair.h"
#include "base/cleanup.h"
#include "worker/library_error.h"
#include "worker/session.h"
#include <string.h>

static int say_it(const char *udid, struct inquiry *inquiry, struct error *err)
{
	_cleanup_(session_done) struct session session = {};
	lockdownd_error_t e;
	int r = session_open(udid, inquiry, &session, err);

	if (r < 0)
		return r;
	if (session.trust != TRUST_WORD_TRUSTED)
		return session_refused(&session, err);
	e = lockdownd_unpair(session.handset.client, NULL);
	return e == LOCKDOWN_E_SUCCESS ? 0 : handset_failed(udid, e, err);
}

/* Only a phone that has forgotten us says that it does not know the name. */
static int see_it(const char *udid, const char *host_id, struct error *err)
{
	_cleanup_(handset_done) struct handset handset = {};
	lockdownd_error_t e;
	int r = handset_open(udid, NULL, &handset, err);

	if (r < 0)
		return r;
	e = lockdownd_start_session(handset.client, host_id, NULL, NULL);
	handset.broken = true;
	if (e == LOCKDOWN_E_INVALID_HOST_ID || e == LOCKDOWN_E_MISSING_PAIR_RECORD)
		return 0;
	/* the name was taken: then TLS began, for which there is no record here any more */
	if (e == LOCKDOWN_E_SUCCESS || e == LOCKDOWN_E_SSL_ERROR)
		return error_set(
		    err, ERROR_PROTOCOL, "lockdownd", e,
		    "The phone said that it forgets this computer, and still knows it");
	return handset_failed(udid, e, err);
}

int unpair_run(const char *udid, struct inquiry *inquiry, struct error *err)
{
	_cleanup_(record_bytes_done) struct record_bytes record = {};
	int r = record_read(udid, &record, err);

	if (r < 0)
		return r;
	r = say_it(udid, inquiry, err);
	if (r < 0)
		return r;
	r = see_it(udid, record.judged.host_id, err);
	if (r < 0) {
		int there = record_read(udid, NULL, NULL);

		if (there >= 0)
			inquiry_record(inquiry, there > 0, record.judged.broken);
		return r;
	}
	r = record_forget(udid, err);
	if (r < 0) {
		inquiry_detail(inquiry, "record-unwritable");
		return r;
	}
	inquiry_record(inquiry, false, false);
	return 0;
}
