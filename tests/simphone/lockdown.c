/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lockdown.h"

#include <stdlib.h>
#include <string.h>

#include "notification_proxy.h"
#include "phone.h"
#include "plist_stream.h"
#include "text.h"

/* A service that StartService knows. open is NULL for those that a stranger may not start. */
struct service_entry {
	const char *name;
	struct service *(*open)(struct phone *phone, const struct stream *stream);
};

/* Port: LOCKDOWN_FIRST_SERVICE_PORT + index. */
static const struct service_entry services[] = {
	{ "com.apple.mobile.insecure_notification_proxy", notification_proxy_open },
	{ "com.apple.mobile.notification_proxy", nullptr },
	{ "com.apple.mobile.diagnostics_relay", nullptr },
	{ "com.apple.mobile.heartbeat", nullptr },
	{ "com.apple.mobile.installation_proxy", nullptr },
	{ "com.apple.mobilebackup2", nullptr },
	{ "com.apple.afc", nullptr },
};

enum { SERVICES = sizeof(services) / sizeof(services[0]) };

struct lockdown {
	struct plist_stream plist; /* first */
	struct phone *phone;
};

/* A request's answer: fields of the reply, or the name of an error. */
struct answer {
	plist_t reply;
	const char *error;
};

static struct answer query_type(struct phone *p, plist_t request)
{
	bool restoring = p->mode == MODE_RESTORE;
	plist_t reply = plist_new_dict();

	plist_dict_set_item(reply, "Type",
			    plist_new_string(restoring ? "com.apple.mobile.restored"
						       : "com.apple.mobile.lockdown"));
	if (restoring) {
		plist_dict_set_item(reply, "RestoreProtocolVersion", plist_new_uint(15));
		plist_dict_set_item(reply, "HardwareModel", lockdown_hardware_model(p));
		plist_dict_set_item(reply, "SerialNumber", plist_new_string(p->identity.serial));
		plist_dict_set_item(reply, "Result", plist_new_string("Success"));
	}
	return (struct answer){ reply, nullptr };
}

/* restored's own question; only the hardware is known so far. */
static struct answer query_value(struct phone *p, plist_t request)
{
	const char *key = plist_text(request, "QueryKey");
	plist_t reply, hardware;

	if (p->mode != MODE_RESTORE || !key || strcmp(key, "HardwareInfo"))
		return (struct answer){ nullptr, "InvalidRequest" };
	hardware = plist_new_dict();
	plist_dict_set_item(hardware, "BoardID", plist_new_uint(p->identity.model->bdid));
	plist_dict_set_item(hardware, "ChipID", plist_new_uint(p->identity.model->cpid));
	plist_dict_set_item(hardware, "ProductionMode", plist_new_bool(1));
	plist_dict_set_item(hardware, "UniqueChipID", plist_new_uint(p->identity.ecid));
	reply = plist_new_dict();
	plist_dict_set_item(reply, "HardwareInfo", hardware);
	plist_dict_set_item(reply, "Result", plist_new_string("Success"));
	return (struct answer){ reply, nullptr };
}

static struct answer get_value(struct phone *p, plist_t request)
{
	const char *key = plist_text(request, "Key");
	bool prohibited = false;
	plist_t value, reply;

	if (plist_text(request, "Domain"))
		return (struct answer){ nullptr, "GetProhibited" };
	value = key ? lockdown_value(p, key, &prohibited) : lockdown_values(p);
	if (!value)
		return (struct answer){ nullptr, prohibited ? "GetProhibited" : "MissingValue" };
	reply = plist_new_dict();
	if (key)
		plist_dict_set_item(reply, "Key", plist_new_string(key));
	plist_dict_set_item(reply, "Value", value);
	return (struct answer){ reply, nullptr };
}

static struct answer set_value(struct phone *p, plist_t request)
{
	const char *key = plist_text(request, "Key");
	plist_t value = plist_dict_get_item(request, "Value");
	plist_t reply;

	if (!key || !value)
		return (struct answer){ nullptr, "MissingKey" };
	if (strcmp(key, "UntrustedHostBUID") != 0)
		return (struct answer){ nullptr, "SetProhibited" };
	reply = plist_new_dict();
	plist_dict_set_item(reply, "Key", plist_new_string(key));
	plist_dict_set_item(reply, "Value", plist_copy(value));
	return (struct answer){ reply, nullptr };
}

static struct answer pair(struct phone *p, plist_t request)
{
	if (!plist_dict_get_item(request, "PairRecord"))
		return (struct answer){ nullptr, "MissingPairRecord" };
	switch (p->scenario.trust) {
	case TRUST_ASKING:
		return (struct answer){ nullptr, "PairingDialogResponsePending" };
	case TRUST_DENIED:
		return (struct answer){ nullptr, "UserDeniedPairing" };
	case TRUST_LOCKED:
		return (struct answer){ nullptr, "PasswordProtected" };
	}
	return (struct answer){ nullptr, "InvalidResponse" };
}

static struct answer start_session(struct phone *p, plist_t request)
{
	return (struct answer){ nullptr,
				plist_text(request, "HostID") ? "InvalidHostID" : "MissingHostID" };
}

static struct answer needs_session(struct phone *p, plist_t request)
{
	return (struct answer){ nullptr, "SessionInactive" };
}

static struct answer start_service(struct phone *p, plist_t request)
{
	const char *name = plist_text(request, "Service");
	plist_t reply;

	if (!name)
		return (struct answer){ nullptr, "MissingService" };
	for (unsigned i = 0; i < SERVICES; i++) {
		if (strcmp(services[i].name, name) != 0)
			continue;
		if (!services[i].open)
			return (struct answer){ nullptr, "SessionInactive" };
		if (p->scenario.trust == TRUST_LOCKED)
			return (struct answer){ nullptr, "PasswordProtected" };
		reply = plist_new_dict();
		plist_dict_set_item(reply, "Port", plist_new_uint(LOCKDOWN_FIRST_SERVICE_PORT + i));
		plist_dict_set_item(reply, "Service", plist_new_string(name));
		return (struct answer){ reply, nullptr };
	}
	return (struct answer){ nullptr, "InvalidService" };
}

static struct answer enter_recovery(struct phone *p, plist_t request)
{
	if (p->scenario.enter_recovery == ENTER_RECOVERY_SESSION)
		return (struct answer){ nullptr, "SessionInactive" };
	recovery_set_auto_boot(&p->recovery, false);
	phone_leave(p, MODE_RECOVERY, PHONE_LINGER_MS, "EnterRecovery");
	return (struct answer){ plist_new_dict(), nullptr };
}

static struct answer goodbye(struct phone *p, plist_t request)
{
	return (struct answer){ plist_new_dict(), nullptr };
}

static const struct verb {
	const char *name;
	struct answer (*run)(struct phone *p, plist_t request);
	bool in_restore; /* restored answers it too */
} verbs[] = {
	{ "QueryType", query_type, true },          { "Goodbye", goodbye, true },
	{ "GetValue", get_value, false },           { "SetValue", set_value, false },
	{ "RemoveValue", needs_session, false },    { "Pair", pair, false },
	{ "ValidatePair", start_session, false },   { "Unpair", start_session, false },
	{ "ResetPairing", needs_session, false },   { "StartSession", start_session, false },
	{ "StopSession", needs_session, false },    { "StartService", start_service, false },
	{ "Activate", needs_session, false },       { "Deactivate", needs_session, false },
	{ "EnterRecovery", enter_recovery, false }, { "QueryValue", query_value, true },
};

static struct answer verb_run(struct phone *p, const char *name, plist_t request)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, name) &&
		    (p->mode != MODE_RESTORE || verbs[i].in_restore))
			return verbs[i].run(p, request);
	return (struct answer){ nullptr, "InvalidRequest" };
}

static void lockdown_take(struct plist_stream *s, plist_t request)
{
	struct lockdown *l = (struct lockdown *)s;
	const char *name = plist_text(request, "Request");
	const char *detail = plist_text(request, "Key");
	struct answer answer = { nullptr, "InvalidRequest" };

	if (!detail)
		detail = plist_text(request, "Service");
	if (name)
		answer = verb_run(l->phone, name, request);
	EVLOG(&l->phone->log, "lockdown", LOG_TEXT("request", name ? name : ""),
	      LOG_TEXT("detail", detail ? detail : ""),
	      LOG_TEXT("error", answer.error ? answer.error : ""));
	if (!answer.reply)
		answer.reply = plist_new_dict();
	if (answer.error)
		plist_dict_set_item(answer.reply, "Error", plist_new_string(answer.error));
	if (name)
		plist_dict_set_item(answer.reply, "Request", plist_new_string(name));
	plist_stream_send(s, answer.reply);
	if (name && !strcmp(name, "Goodbye"))
		plist_stream_close(s);
}

static void lockdown_free(struct service *service)
{
	struct lockdown *l = (struct lockdown *)service;

	plist_stream_done(&l->plist);
	free(l);
}

static struct service *lockdown_open(struct phone *phone, const struct stream *stream)
{
	static const struct service_class class = { plist_stream_feed, lockdown_free };
	struct lockdown *l = calloc(1, sizeof(*l));

	if (!l)
		die("out of memory");
	*l = (struct lockdown){ .plist = { .service = { &class, *stream }, .take = lockdown_take },
				.phone = phone };
	return &l->plist.service;
}

struct service *lockdown_service_open(struct phone *phone, uint16_t port,
				      const struct stream *stream)
{
	unsigned index = (unsigned)port - LOCKDOWN_FIRST_SERVICE_PORT;

	if (port == LOCKDOWN_PORT)
		return lockdown_open(phone, stream);
	if (port < LOCKDOWN_FIRST_SERVICE_PORT || index >= SERVICES || !services[index].open ||
	    phone->mode == MODE_RESTORE)
		return nullptr;
	return services[index].open(phone, stream);
}
