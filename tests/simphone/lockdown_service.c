/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lockdownd: StartService, and the connection to what was started, with TLS around it. */
#include <stdlib.h>
#include <string.h>

#include "lockdown_verbs.h"
#include "services/afc.h"
#include "services/diagnostics_relay.h"
#include "services/heartbeat.h"
#include "services/notification_proxy.h"
#include "text.h"

/* What StartService knows. open is NULL where this phone has the name and nothing behind it. */
static const struct service_entry {
	const char *name;
	const char *conversation; /* of faults and the log */
	service_open_fn open;
	bool for_strangers;  /* needs no session, has no TLS */
	bool while_escrowed; /* before the first unlock too */
} services[] = {
	{ "com.apple.mobile.insecure_notification_proxy", "insecure_notification_proxy",
	  notification_proxy_open, true, true },
	{ "com.apple.mobile.notification_proxy", "notification_proxy", notification_proxy_open,
	  false, true },
	{ "com.apple.mobile.diagnostics_relay", "diagnostics_relay", diagnostics_relay_open, false,
	  true },
	{ "com.apple.mobile.heartbeat", "heartbeat", heartbeat_open, false, true },
	{ "com.apple.afc", "afc", afc_open, false, false },
	{ "com.apple.mobile.installation_proxy", "installation_proxy", nullptr, false, false },
	{ "com.apple.mobilebackup2", "mobilebackup2", mobilebackup2_open, false, false },
};

/* ---- a started service ---- */

/* Waits behind a port for its one connection. Owned by phone->started, newest first; at most
 * STARTED_MAX, the oldest makes room. */
struct started {
	struct started *next;
	const struct service_entry *entry;
	uint16_t port;
	plist_t record; /* of the session's host; NULL: no TLS; owned */
};

enum { STARTED_MAX = 32, PORT_NOBODYS = PORT_EPHEMERAL_FIRST - 1 };

/* One connection: the carrier's service, and the inner service's carrier. */
struct wrapped {
	struct service service; /* first */
	struct phone *phone;
	struct tls *tls; /* NULL: plain */
	struct service *inner;
};

static void wrapped_take(void *user, const uint8_t *bytes, size_t len)
{
	struct wrapped *w = user;

	w->inner->class->feed(w->inner, bytes, len);
}

static void wrapped_feed(struct service *service, const uint8_t *bytes, size_t len)
{
	struct wrapped *w = (struct wrapped *)service;

	if (!w->tls) {
		wrapped_take(w, bytes, len);
		return;
	}
	tls_feed(w->tls, bytes, len);
	if (tls_over(w->tls))
		tls_close(w->tls);
}

static void wrapped_send(void *user, const void *bytes, size_t len)
{
	struct wrapped *w = user;

	if (w->tls)
		tls_send(w->tls, bytes, len);
	else
		w->service.stream.send(w->service.stream.user, bytes, len);
}

static void wrapped_close(void *user)
{
	struct wrapped *w = user;

	if (w->tls)
		tls_close(w->tls);
	else
		w->service.stream.close(w->service.stream.user);
}

static void wrapped_free(struct service *service)
{
	struct wrapped *w = (struct wrapped *)service;

	if (w->inner)
		w->inner->class->free(w->inner);
	tls_free(w->tls);
	w->phone->services--;
	free(w);
}

static void started_drop(struct phone *phone, struct started *s)
{
	for (struct started **p = &phone->started; *p; p = &(*p)->next) {
		if (*p != s)
			continue;
		*p = s->next;
		break;
	}
	ports_unlisten(&phone->ports, s->port);
	plist_free(s->record);
	free(s);
}

void lockdown_services_drop(struct phone *phone)
{
	while (phone->started)
		started_drop(phone, phone->started);
}

static unsigned started_count(const struct phone *phone)
{
	unsigned count = 0;

	for (const struct started *s = phone->started; s; s = s->next)
		count++;
	return count;
}

static struct started *started_new(struct phone *phone, const struct service_entry *entry)
{
	struct started *s = calloc(1, sizeof(*s)), *oldest = phone->started;

	if (!s)
		die("out of memory");
	while (oldest && oldest->next)
		oldest = oldest->next;
	if (started_count(phone) == STARTED_MAX)
		started_drop(phone, oldest);
	*s = (struct started){ .next = phone->started, .entry = entry };
	phone->started = s;
	return s;
}

static struct service *started_open(struct phone *phone, void *user, const struct stream *stream)
{
	static const struct service_class class = { wrapped_feed, wrapped_free };
	const enum service_rule rule = phone->scenario.lockdown.service;
	struct wrapped *w = calloc(1, sizeof(*w));
	struct started *s = user;
	struct stream inside;

	if (!w)
		die("out of memory");
	*w = (struct wrapped){ .service = { &class, *stream }, .phone = phone };
	phone->services++;
	if (s->record)
		w->tls =
		    tls_new(phone, s->record, rule == SERVICE_TLS_FAILS, stream, wrapped_take, w);
	inside = (struct stream){ wrapped_send, wrapped_close, w, stream->tap };
	w->inner = s->entry->open(phone, nullptr, &inside);
	if (rule == SERVICE_CLOSE)
		stream->close(stream->user);
	started_drop(phone, s); /* one connection for one StartService */
	return &w->service;
}

/* ---- the verb ---- */

static const struct service_entry *entry_find(const char *name)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (!strcmp(services[i].name, name))
			return &services[i];
	return nullptr;
}

/* The knob "NAME ERROR": the error, if it is about @name. */
static const char *knob_error(const struct phone *p, const char *name)
{
	const char *knob = p->scenario.lockdown.service_fail;
	size_t len = strlen(name);

	return !strncmp(knob, name, len) && knob[len] == ' ' ? knob + len + 1 : nullptr;
}

static const char *start_refusal(struct lockdown *l, const struct service_entry *entry,
				 const char *name, plist_t escrow_bag)
{
	struct trust *t = &l->phone->trust;
	uint64_t limit = l->phone->scenario.lockdown.service_limit;

	trust_sync(t);
	if (knob_error(l->phone, name))
		return knob_error(l->phone, name);
	if (!entry)
		return "InvalidService";
	if (!entry->for_strangers && !lockdown_trusted(l))
		return "SessionInactive";
	/* seen on real phones: a locked one starts nothing for a stranger */
	if (!lockdown_trusted(l) && t->locked)
		return "PasswordProtected";
	if (!entry->while_escrowed && trust_escrow_locked(t, lockdown_host(l), escrow_bag))
		return "EscrowLocked";
	if (!entry->open)
		return "ServiceProhibited";
	if (limit > 0 && l->phone->services >= limit)
		return "ServiceLimit";
	return nullptr;
}

struct answer verb_start_service(struct lockdown *l, plist_t request)
{
	const char *name = plist_text(request, "Service"), *error;
	const struct service_entry *entry = name ? entry_find(name) : nullptr;
	enum service_rule rule = l->phone->scenario.lockdown.service;
	struct started *s;
	plist_t reply;

	if (!name)
		return answer_error("MissingService");
	error = start_refusal(l, entry, name, plist_dict_get_item(request, "EscrowBag"));
	if (error)
		return answer_error(error);
	s = started_new(l->phone, entry);
	/* iOS 13 put TLS around every service */
	if (!entry->for_strangers && phone_major(l->phone) >= 13)
		s->record = plist_copy(l->record);
	s->port = ports_listen(&l->phone->ports, 0, entry->conversation, started_open, s);
	reply = plist_new_dict();
	if (s->record && rule != SERVICE_SSL_MISSING)
		dict_bool(reply, "EnableServiceSSL", true);
	dict_number(reply, "Port", rule == SERVICE_WRONG_PORT ? PORT_NOBODYS : s->port);
	dict_text(reply, "Service", name);
	return (struct answer){ reply, nullptr };
}
