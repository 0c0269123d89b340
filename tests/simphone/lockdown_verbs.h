/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside lockdownd: one connection, and the verbs that its files answer.
 *
 *   session   NONE ──StartSession──▶ STARTING ──reply is out──▶ OPEN ──StopSession──▶ STOPPING
 *              ▲                                (TLS begins)                             │
 *              └──────────── the host's close_notify, or plain bytes ────────────────────┘
 *
 * While TLS stands, plist.service.stream is its inside; `carrier` is always the way to the host.
 */
#pragma once

#include "phone.h"
#include "plist_stream.h"
#include "tls.h"

enum session_state { SESSION_NONE, SESSION_STARTING, SESSION_OPEN, SESSION_STOPPING };

struct lockdown {
	struct plist_stream plist; /* first */
	struct phone *phone;
	struct stream carrier;

	enum session_state session;
	char session_id[37];
	char host_id[TRUST_ID_MAX];
	plist_t record;    /* of the session's host, from StartSession on; owned */
	struct tls *tls;   /* while the state is OPEN or STOPPING; owned */
	struct timer drip; /* of an endless reply */
};

/* A request's answer: fields of the reply, the name of an error, or both. */
struct answer {
	plist_t reply;
	const char *error;
};

static inline struct answer answer_error(const char *error)
{
	return (struct answer){ nullptr, error };
}

/* An empty reply says that it was done. */
static inline struct answer answer_done(const char *error)
{
	return (struct answer){ error ? nullptr : plist_new_dict(), error };
}

/* The session's host, or NULL: no session, or forgotten since. */
struct host *lockdown_host(struct lockdown *l);
static inline bool lockdown_trusted(const struct lockdown *l)
{
	return l->session == SESSION_OPEN;
}

/* lockdown_pair.c */
struct answer verb_pair(struct lockdown *l, plist_t request);
struct answer verb_validate_pair(struct lockdown *l, plist_t request);
struct answer verb_unpair(struct lockdown *l, plist_t request);
struct answer verb_reset_pairing(struct lockdown *l, plist_t request);

/* lockdown_session.c */
struct answer verb_start_session(struct lockdown *l, plist_t request);
struct answer verb_stop_session(struct lockdown *l, plist_t request);
/* A service_class's feed: plain, or through TLS. */
void lockdown_feed(struct service *service, const uint8_t *bytes, size_t len);
void lockdown_session_done(struct lockdown *l);

/* lockdown_service.c */
struct answer verb_start_service(struct lockdown *l, plist_t request);

/* lockdown_values.c: values of the root domain, for a stranger or for a trusted host. */
struct answer verb_get_value(struct lockdown *l, plist_t request);
struct answer verb_set_value(struct lockdown *l, plist_t request);
struct answer verb_remove_value(struct lockdown *l, plist_t request);

/* lockdown_root.c: values without a domain. Caller frees. */
plist_t root_stranger_values(struct phone *p);
plist_t root_trusted_values(struct phone *p);
/* Those that no list shows, for anybody; NULL: there is no such key. */
plist_t root_named_value(struct phone *p, const char *key);

/* lockdown_domains.c: values of @domain; NULL: there is no such domain. Caller frees. */
plist_t domain_values(struct phone *p, const char *domain);

static inline void dict_text(plist_t dict, const char *key, const char *text)
{
	plist_dict_set_item(dict, key, plist_new_string(text));
}

static inline void dict_number(plist_t dict, const char *key, uint64_t number)
{
	plist_dict_set_item(dict, key, plist_new_uint(number));
}

static inline void dict_bool(plist_t dict, const char *key, bool yes)
{
	plist_dict_set_item(dict, key, plist_new_bool(yes));
}

static inline void dict_data(plist_t dict, const char *key, const void *bytes, size_t len)
{
	plist_dict_set_item(dict, key, plist_new_data(bytes, len));
}
