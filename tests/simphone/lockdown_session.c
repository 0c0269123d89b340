/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lockdownd: sessions, and TLS that begins and ends on the same connection. */
#include <string.h>

#include "lockdown_verbs.h"
#include "text.h"

struct host *lockdown_host(struct lockdown *l)
{
	return lockdown_trusted(l) ? trust_find(&l->phone->trust, l->host_id) : nullptr;
}

struct answer verb_start_session(struct lockdown *l, plist_t request)
{
	const char *id = plist_text(request, "HostID"), *error;
	struct host *host;
	plist_t reply;

	if (l->session != SESSION_NONE)
		return answer_error("SessionActive");
	if (!id)
		return answer_error("MissingHostID");
	host = trust_session(&l->phone->trust, id, plist_text(request, "SystemBUID"), &error);
	if (!host)
		return answer_error(error);
	text_copy(l->host_id, sizeof(l->host_id), id);
	trust_uuid(&l->phone->trust, l->session_id);
	l->record = plist_copy(host->record);
	l->session = SESSION_STARTING;
	l->plist.pausing = true;
	reply = plist_new_dict();
	dict_bool(reply, "EnableSessionSSL", true);
	dict_text(reply, "SessionID", l->session_id);
	return (struct answer){ reply, nullptr };
}

struct answer verb_stop_session(struct lockdown *l, plist_t request)
{
	const char *id = plist_text(request, "SessionID");

	if (!lockdown_trusted(l))
		return answer_error("SessionInactive");
	if (!id)
		return answer_error("MissingSessionID");
	if (strcmp(id, l->session_id) != 0)
		return answer_error("InvalidSessionID");
	l->session = SESSION_STOPPING;
	return answer_done(nullptr);
}

static void inside_send(void *user, const void *bytes, size_t len)
{
	tls_send(((struct lockdown *)user)->tls, bytes, len);
}

static void inside_close(void *user)
{
	tls_close(((struct lockdown *)user)->tls);
}

static void inside_take(void *user, const uint8_t *bytes, size_t len)
{
	plist_stream_feed(user, bytes, len);
}

/* The reply to StartSession is out: the next bytes are the host's hello. What it sent too early
 * belongs to TLS. */
static void session_begin(struct lockdown *l)
{
	struct buf early = l->plist.in;

	l->plist.in = (struct buf){};
	l->plist.pausing = false;
	l->tls = tls_new(l->phone, l->record, false, &l->carrier, inside_take, l);
	l->plist.service.stream = (struct stream){ inside_send, inside_close, l, l->carrier.tap };
	l->session = SESSION_OPEN;
	l->phone->trust.sessions++;
	EVLOG(&l->phone->log, "session", LOG_TEXT("host", l->host_id),
	      LOG_TEXT("session", l->session_id));
	tls_feed(l->tls, early.bytes, early.len);
	buf_done(&early);
}

/* Drops TLS and forgets the session; the connection lives on in the clear. */
static void session_end(struct lockdown *l)
{
	if (l->tls)
		l->phone->trust.sessions--;
	l->tls = tls_free(l->tls);
	plist_free(l->record);
	l->record = nullptr;
	*l->host_id = '\0';
	buf_clear(&l->plist.in); /* half a message from inside TLS */
	l->plist.service.stream = l->carrier;
	l->session = SESSION_NONE;
}

void lockdown_session_done(struct lockdown *l)
{
	session_end(l);
}

/* Some hosts leave TLS with close_notify, others just go on in the clear: no TLS record begins with
 * the high byte of a length. */
static bool host_left_tls(const struct lockdown *l, const uint8_t *bytes)
{
	return l->session == SESSION_STOPPING && tls_between_records(l->tls) && bytes[0] == 0;
}

static void feed_inside(struct lockdown *l, const uint8_t *bytes, size_t len)
{
	BUF_AUTO rest = {};

	if (!host_left_tls(l, bytes)) {
		tls_feed(l->tls, bytes, len);
		if (!tls_over(l->tls))
			return;
		if (l->session != SESSION_STOPPING) { /* it hangs up */
			plist_stream_close(&l->plist);
			return;
		}
		buf_add(&rest, tls_rest(l->tls)->bytes, tls_rest(l->tls)->len);
		bytes = rest.bytes;
		len = rest.len;
	}
	session_end(l);
	if (len > 0)
		lockdown_feed(&l->plist.service, bytes, len);
}

void lockdown_feed(struct service *service, const uint8_t *bytes, size_t len)
{
	struct lockdown *l = (struct lockdown *)service;

	if (len == 0)
		return;
	if (l->tls) {
		feed_inside(l, bytes, len);
		return;
	}
	plist_stream_feed(service, bytes, len);
	if (l->session == SESSION_STARTING)
		session_begin(l);
}
