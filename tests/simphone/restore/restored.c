/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "restore/restored.h"

#include <stdlib.h>
#include <string.h>

#include "lockdown.h"
#include "phone.h"
#include "text.h"

enum { PROTOCOL_VERSION = 15, START_PATIENCE_MS = 120000 };

struct restored_link {
	struct plist_stream plist; /* first */
	struct restored *restored;
};

static plist_t success_new(void)
{
	plist_t reply = plist_new_dict();

	plist_dict_set_item(reply, "Result", plist_new_string("Success"));
	return reply;
}

static plist_t query_type(struct restored *r)
{
	plist_t reply = success_new();

	plist_dict_set_item(reply, "Type", plist_new_string("com.apple.mobile.restored"));
	plist_dict_set_item(reply, "RestoreProtocolVersion", plist_new_uint(PROTOCOL_VERSION));
	plist_dict_set_item(reply, "HardwareModel", lockdown_hardware_model(r->phone));
	plist_dict_set_item(reply, "SerialNumber", plist_new_string(r->phone->identity.serial));
	return reply;
}

static plist_t hardware_info(const struct phone *p)
{
	plist_t info = plist_new_dict();

	plist_dict_set_item(info, "BoardID", plist_new_uint(p->identity.model->bdid));
	plist_dict_set_item(info, "ChipID", plist_new_uint(p->identity.model->cpid));
	plist_dict_set_item(info, "ProductionMode", plist_new_bool(1));
	plist_dict_set_item(info, "SupportsImage4", plist_new_bool(1));
	plist_dict_set_item(info, "UniqueChipID", plist_new_uint(p->identity.ecid));
	return info;
}

/* Of the last restore, if it failed; NULL: nothing is known. */
static plist_t saved_debug_info(const struct restored *r)
{
	BUF_AUTO status = {};
	plist_t info;

	if (!r->run.exit_status)
		return nullptr;
	buf_addf(&status, "%llu", (unsigned long long)r->run.exit_status);
	info = plist_new_dict();
	plist_dict_set_item(info, "PreviousExitStatus", plist_new_string(buf_text(&status)));
	return info;
}

static plist_t query_value(struct restored *r, plist_t request)
{
	const char *key = plist_text(request, "QueryKey");
	plist_t value = nullptr, reply = success_new();

	if (key && !strcmp(key, "HardwareInfo"))
		value = hardware_info(r->phone);
	else if (key && !strcmp(key, "SavedDebugInfo"))
		value = saved_debug_info(r);
	if (value)
		plist_dict_set_item(reply, key, value);
	return reply;
}

static void start_restore(struct restored_link *l, plist_t request)
{
	struct restored *r = l->restored;

	timer_disarm(r->phone->timers, &r->start);
	run_start(&r->run, &l->plist, plist_dict_get_item(request, "RestoreOptions"));
}

static void reboot(struct restored_link *l)
{
	plist_stream_send(&l->plist, success_new());
	phone_leave(l->restored->phone,
		    recovery_auto_boot(&l->restored->phone->recovery) ? MODE_NORMAL : MODE_RECOVERY,
		    PHONE_SHUTDOWN_MS, "Reboot");
}

static void goodbye(struct restored_link *l)
{
	struct run *run = &l->restored->run;
	plist_t reply = success_new();

	plist_dict_set_item(reply, "Request", plist_new_string("Goodbye"));
	plist_stream_send(&l->plist, reply);
	if (run->main == &l->plist)
		run_goodbye(run);
}

static void request_answer(struct restored_link *l, const char *name, plist_t request)
{
	if (!strcmp(name, "QueryType"))
		plist_stream_send(&l->plist, query_type(l->restored));
	else if (!strcmp(name, "QueryValue"))
		plist_stream_send(&l->plist, query_value(l->restored, request));
	else if (!strcmp(name, "StartRestore"))
		start_restore(l, request);
	else if (!strcmp(name, "Reboot"))
		reboot(l);
	else if (!strcmp(name, "Goodbye"))
		goodbye(l);
	else
		EVLOG(&l->restored->phone->log, "restored-unknown", LOG_TEXT("request", name));
}

static void link_take(struct plist_stream *s, plist_t message)
{
	struct restored_link *l = (struct restored_link *)s;
	const char *name = plist_text(message, "Request");

	EVLOG(&l->restored->phone->log, "restored", LOG_TEXT("request", name ? name : ""));
	if (name)
		request_answer(l, name, message);
	else if (l->restored->run.main == s)
		run_take(&l->restored->run, message);
}

static void link_free(struct service *service)
{
	struct restored_link *l = (struct restored_link *)service;

	if (l->restored->run.main == &l->plist)
		run_lost(&l->restored->run);
	plist_stream_done(&l->plist);
	free(l);
}

static struct service *link_open(struct phone *phone, void *user, const struct stream *stream)
{
	static const struct service_class class = { plist_stream_feed, link_free };
	struct restored_link *l = calloc(1, sizeof(*l));

	if (!l)
		die("out of memory");
	*l = (struct restored_link){
		.plist = { .service = { &class, *stream },
			   .take = link_take,
			   .ceiling = RESTORE_MESSAGE_MAX },
		.restored = user,
	};
	return &l->plist.service;
}

static void start_over(void *user)
{
	struct restored *r = user;

	phone_leave(r->phone, MODE_RECOVERY, 0, "no host started a restore");
}

struct restored *restored_new(struct phone *phone)
{
	struct restored *r = calloc(1, sizeof(*r));

	if (!r)
		die("out of memory");
	r->phone = phone;
	run_init(&r->run, phone);
	return r;
}

struct restored *restored_free(struct restored *r)
{
	restored_reset(r);
	run_done(&r->run);
	free(r);
	return nullptr;
}

void restored_reset(struct restored *r)
{
	timer_disarm(r->phone->timers, &r->start);
	run_stop(&r->run);
}

void restored_listen(struct restored *r)
{
	struct phone *p = r->phone;

	if (p->scenario.restore.never_ready)
		return;
	ports_listen(&p->ports, LOCKDOWN_PORT, "restored", link_open, r);
	fdr_listen(&r->run.fdr, &r->run);
	/* a phone that the scenario put here has all the time */
	if (p->install != INSTALL_NONE)
		timer_arm(p->timers, &r->start, START_PATIENCE_MS, start_over, r);
}
