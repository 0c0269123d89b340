/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lockdown.h"

#include <stdlib.h>
#include <string.h>

#include "lockdown_evil.h"
#include "lockdown_verbs.h"
#include "text.h"

static struct answer query_type(struct lockdown *l, plist_t request)
{
	plist_t reply = plist_new_dict();

	dict_text(reply, "Type", "com.apple.mobile.lockdown");
	return (struct answer){ reply, nullptr };
}

/* A record is taken as it is: whether Apple made it cannot be known here. */
static struct answer activate(struct lockdown *l, plist_t request)
{
	plist_t record = plist_dict_get_item(request, "ActivationRecord");

	if (!lockdown_trusted(l))
		return answer_error("SessionInactive");
	if (!record)
		return answer_error("MissingActivationRecord");
	if (plist_get_node_type(record) != PLIST_DICT)
		return answer_error("InvalidActivationRecord");
	l->phone->settings.deactivated = false;
	l->phone->scenario.lockdown.unactivated = false;
	return answer_done(nullptr);
}

static struct answer deactivate(struct lockdown *l, plist_t request)
{
	if (!lockdown_trusted(l))
		return answer_error("SessionInactive");
	l->phone->settings.deactivated = true;
	return answer_done(nullptr);
}

static bool recovery_wants_session(const struct phone *p)
{
	switch (p->scenario.enter_recovery) {
	case ENTER_RECOVERY_PLAIN:
		return false;
	case ENTER_RECOVERY_SESSION:
		return true;
	case ENTER_RECOVERY_RELEASE:
		return version_at_least(p->system.version, 14, 5);
	}
	return false;
}

static struct answer enter_recovery(struct lockdown *l, plist_t request)
{
	struct phone *p = l->phone;

	if (recovery_wants_session(p) && !lockdown_trusted(l))
		return answer_error("SessionInactive");
	recovery_set_auto_boot(&p->recovery, false);
	phone_leave(p, MODE_RECOVERY, PHONE_SHUTDOWN_MS, "EnterRecovery");
	return answer_done(nullptr);
}

static struct answer goodbye(struct lockdown *l, plist_t request)
{
	return answer_done(nullptr);
}

static const struct verb {
	const char *name;
	struct answer (*run)(struct lockdown *l, plist_t request);
} verbs[] = {
	{ "QueryType", query_type },
	{ "Goodbye", goodbye },
	{ "GetValue", verb_get_value },
	{ "SetValue", verb_set_value },
	{ "RemoveValue", verb_remove_value },
	{ "Pair", verb_pair },
	{ "ValidatePair", verb_validate_pair },
	{ "Unpair", verb_unpair },
	{ "ResetPairing", verb_reset_pairing },
	{ "StartSession", verb_start_session },
	{ "StopSession", verb_stop_session },
	{ "StartService", verb_start_service },
	{ "Activate", activate },
	{ "Deactivate", deactivate },
	{ "EnterRecovery", enter_recovery },
};

static struct answer verb_run(struct lockdown *l, const char *name, plist_t request)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(verbs[i].name, name))
			return verbs[i].run(l, request);
	return answer_error("InvalidRequest");
}

static void lockdown_take(struct plist_stream *s, plist_t request)
{
	struct lockdown *l = (struct lockdown *)s;
	const char *name = plist_text(request, "Request");
	const char *detail = plist_text(request, "Key");
	struct answer answer = answer_error("InvalidRequest");

	if (!detail)
		detail = plist_text(request, "Service");
	if (name)
		answer = verb_run(l, name, request);
	EVLOG(&l->phone->log, "lockdown", LOG_TEXT("request", name ? name : ""),
	      LOG_TEXT("detail", detail ? detail : ""),
	      LOG_TEXT("error", answer.error ? answer.error : ""));
	if (!answer.reply)
		answer.reply = plist_new_dict();
	if (answer.error)
		plist_dict_set_item(answer.reply, "Error", plist_new_string(answer.error));
	if (name)
		plist_dict_set_item(answer.reply, "Request", plist_new_string(name));
	evil_reply_send(l, name, detail, answer.reply);
	if (name && !strcmp(name, "Goodbye"))
		plist_stream_close(s);
}

static void lockdown_free(struct service *service)
{
	struct lockdown *l = (struct lockdown *)service;

	timer_disarm(l->phone->timers, &l->drip);
	lockdown_session_done(l);
	plist_stream_done(&l->plist);
	free(l);
}

static struct service *lockdown_open(struct phone *phone, void *user, const struct stream *stream)
{
	static const struct service_class class = { lockdown_feed, lockdown_free };
	struct lockdown *l = calloc(1, sizeof(*l));

	if (!l)
		die("out of memory");
	*l = (struct lockdown){ .plist = { .service = { &class, *stream }, .take = lockdown_take },
				.phone = phone,
				.carrier = *stream };
	return &l->plist.service;
}

void lockdown_listen(struct phone *phone)
{
	lockdown_services_drop(phone);
	ports_listen(&phone->ports, LOCKDOWN_PORT, "lockdown", lockdown_open, nullptr);
}
