/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One connection of mobilebackup2: the hand-shake, the requests, the wish for the passcode. */
#include "services/mobilebackup2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lockdown_verbs.h"
#include "services/backup_errand.h"
#include "text.h"

enum { VERSION_MAJOR = 400, CANCEL_MS = 1500 };

enum state { STATE_VERSION, STATE_HELLO, STATE_READY, STATE_PASSCODE, STATE_BUSY };

struct mobilebackup2 {
	struct devicelink link; /* first */
	struct phone *phone;
	enum state state;
	plist_t request; /* that waits for the passcode; owned */
	struct timer timer;
	struct errand *errand; /* while BUSY; owned */
	bool errand_over;
};

static void request_run(struct mobilebackup2 *m, plist_t request);
static void errand_reap(struct mobilebackup2 *m);

struct devicelink *backup_link(struct mobilebackup2 *owner)
{
	return &owner->link;
}

/* ---- answers ---- */

/* The words that real phones send beside their numbers, as far as they were seen. */
static const char *words_of(unsigned code)
{
	switch (code) {
	case MB_ERROR_UPLOAD:
		return "Multiple errors uploading files (MBErrorDomain/104)";
	case MB_ERROR_SPACE:
		return "Insufficient free disk space on drive to back up (MBErrorDomain/105)";
	case MB_ERROR_MANIFEST:
		return "No such file or directory (MBErrorDomain/205)";
	case MB_ERROR_PASSWORD:
		return "Invalid password (MBErrorDomain/207)";
	case MB_ERROR_LOCKED:
		return "Device locked (MBErrorDomain/208)";
	case MB_ERROR_FIND_MY:
		return "Find My iPhone must be disabled to restore (MBErrorDomain/211)";
	case MB_ERROR_SETUP:
		return "Setup is not complete (MBErrorDomain/212)";
	default:
		return "MBErrorDomain";
	}
}

static void message_send(struct mobilebackup2 *m, plist_t message)
{
	plist_t list = devicelink_list("DLMessageProcessMessage");

	plist_array_append_item(list, message);
	devicelink_send(&m->link, list);
}

static void response_send(struct mobilebackup2 *m, unsigned code, const char *text)
{
	plist_t message = plist_new_dict();

	EVLOG(&m->phone->log, "backup-response", LOG_INT("code", code));
	dict_text(message, "MessageName", "Response");
	dict_number(message, "ErrorCode", code);
	if (code)
		dict_text(message, "ErrorDescription", text ? text : words_of(code));
	message_send(m, message);
}

void backup_respond(struct mobilebackup2 *owner, unsigned code, const char *text)
{
	owner->errand_over = true;
	owner->state = STATE_READY;
	response_send(owner, code, text);
}

static void cancel_end(void *user)
{
	struct mobilebackup2 *m = user;

	backup_respond(m, MB_ERROR_UNKNOWN, "Backup cancelled");
	errand_reap(m);
}

void backup_cancel(struct mobilebackup2 *owner)
{
	notice_post(owner->phone, "com.apple.itunes-client.syncCancelRequest");
	timer_arm(owner->phone->timers, &owner->timer, CANCEL_MS, cancel_end, owner);
}

void backup_hang_up(struct mobilebackup2 *owner)
{
	plist_t list = devicelink_list("DLMessageDisconnect");

	owner->errand_over = true;
	owner->state = STATE_READY;
	plist_array_append_item(list, plist_new_string("the phone does not want to go on"));
	devicelink_send(&owner->link, list);
}

void backup_ask_files(struct mobilebackup2 *owner, plist_t paths, double progress)
{
	plist_t list = devicelink_list("DLMessageDownloadFiles");

	plist_array_append_item(list, paths);
	plist_array_append_item(list, plist_new_dict());
	plist_array_append_item(list, plist_new_real(progress));
	plist_array_append_item(list, plist_new_uint(0));
	devicelink_expect_files(&owner->link);
	devicelink_send(&owner->link, list);
}

/* ---- the passcode ---- */

static bool wants_passcode(const struct mobilebackup2 *m, const char *name)
{
	const struct phone *p = m->phone;
	bool backup = !strcmp(name, "Backup") && version_at_least(p->system.version, 16, 1);
	bool password =
	    !strcmp(name, "ChangePassword") && version_at_least(p->system.version, 13, 0);

	return p->trust.passcode && (backup || password);
}

static void passcode_end(struct mobilebackup2 *m)
{
	timer_disarm(m->phone->timers, &m->timer);
	m->phone->backup.asker = nullptr;
	EVLOG(&m->phone->log, "backup-passcode", LOG_TEXT("state", "gone"));
	notice_post(m->phone, "com.apple.LocalAuthentication.ui.dismissed");
}

static void passcode_refused(void *user)
{
	struct mobilebackup2 *m = user;

	passcode_end(m);
	m->state = STATE_READY;
	plist_free(m->request);
	m->request = nullptr;
	response_send(m, MB_ERROR_LOCKED, nullptr);
}

static void passcode_typed(void *user)
{
	struct mobilebackup2 *m = user;
	plist_t request = m->request;

	passcode_end(m);
	m->request = nullptr;
	m->state = STATE_READY;
	request_run(m, request);
	plist_free(request);
}

static void passcode_ask(struct mobilebackup2 *m, plist_t request)
{
	const struct backup_knobs *k = &m->phone->scenario.backup;

	/* one wish at a time; the newer one stays */
	if (m->phone->backup.asker)
		passcode_refused(m->phone->backup.asker);
	m->phone->backup.asker = m;
	m->request = plist_copy(request);
	m->state = STATE_PASSCODE;
	EVLOG(&m->phone->log, "backup-passcode", LOG_TEXT("state", "shown"));
	notice_post(m->phone, "com.apple.LocalAuthentication.ui.presented");
	if (k->type_after_ms && k->type_after_ms < k->passcode_ms)
		timer_arm(m->phone->timers, &m->timer, k->type_after_ms, passcode_typed, m);
	else
		timer_arm(m->phone->timers, &m->timer, k->passcode_ms, passcode_refused, m);
}

int mobilebackup2_type(struct phone *phone, bool typed, const char **why)
{
	struct mobilebackup2 *m = phone->backup.asker;

	if (!m) {
		*why = "nothing asks for the passcode";
		return -EINVAL;
	}
	if (typed)
		passcode_typed(m);
	else
		passcode_refused(m);
	return 0;
}

/* ---- requests ---- */

/* A folder's name of the host's choice; it goes into paths. */
static bool id_is_sane(const char *id)
{
	return id && *id && strlen(id) < sizeof(((struct errand *)nullptr)->id) &&
	       !strchr(id, '/') && strcmp(id, ".") != 0 && strcmp(id, "..") != 0;
}

static void errand_run(struct mobilebackup2 *m, plist_t request, bool restore)
{
	const struct backup_knobs *k = &m->phone->scenario.backup;
	const char *id = plist_text(request, restore ? "SourceIdentifier" : "TargetIdentifier");

	if (!id_is_sane(id)) {
		response_send(m, MB_ERROR_UNKNOWN, "no folder for the backup is named");
	} else if (k->error) {
		response_send(m, (unsigned)k->error, nullptr);
	} else if (restore && k->find_my) {
		response_send(m, MB_ERROR_FIND_MY, nullptr);
	} else if (restore && !m->phone->trust.setup_done) {
		response_send(m, MB_ERROR_SETUP, nullptr);
	} else {
		m->state = STATE_BUSY;
		m->errand = restore ? restore_begin(m, m->phone, id, request)
				    : backup_begin(m, m->phone, id, request);
		errand_reap(m); /* one that was over at once */
	}
}

/* New only: on. Old only: off. Both: changed. */
static void password_change(struct mobilebackup2 *m, plist_t request)
{
	const char *old = plist_text(request, "OldPassword");
	const char *new = plist_text(request, "NewPassword");
	struct backup_keep *keep = &m->phone->backup;

	if ((new && (!*new || strlen(new) >= sizeof(keep->password))) || (!old && !new)) {
		response_send(m, MB_ERROR_UNKNOWN, "that is no password");
		return;
	}
	if (*keep->password && (!old || strcmp(old, keep->password) != 0)) {
		response_send(m, MB_ERROR_PASSWORD, nullptr);
		return;
	}
	text_copy(keep->password, sizeof(keep->password), new ? new : "");
	notice_post(m->phone, "com.apple.mobile.backup.domain_changed");
	response_send(m, 0, nullptr);
}

static void cloud_set(struct mobilebackup2 *m, plist_t request)
{
	plist_t state = plist_dict_get_item(request, "CloudBackupState");

	if (!state || plist_get_node_type(state) != PLIST_BOOLEAN) {
		response_send(m, MB_ERROR_UNKNOWN, "no CloudBackupState");
		return;
	}
	m->phone->backup.cloud = plist_bool_val_is_true(state);
	notice_post(m->phone, "com.apple.mobile.backup.domain_changed");
	response_send(m, 0, nullptr);
}

static void request_run(struct mobilebackup2 *m, plist_t request)
{
	const char *name = plist_text(request, "MessageName");

	EVLOG(&m->phone->log, "backup-request", LOG_TEXT("name", name));
	if (!strcmp(name, "Backup")) {
		errand_run(m, request, false);
	} else if (!strcmp(name, "Restore")) {
		errand_run(m, request, true);
	} else if (!strcmp(name, "ChangePassword")) {
		password_change(m, request);
	} else if (!strcmp(name, "EnableCloudBackup")) {
		cloud_set(m, request);
	} else if (!strcmp(name, "Info") || !strcmp(name, "List") || !strcmp(name, "Unback") ||
		   !strcmp(name, "Extract")) {
		/* for the manifests of before iOS 10 only */
		response_send(m, MB_ERROR_MANIFEST, nullptr);
	} else {
		/* nobody here ever means EraseDevice; a test looks for this event */
		EVLOG(&m->phone->log, "backup-refused", LOG_TEXT("name", name));
		response_send(m, MB_ERROR_UNKNOWN, "this request is refused");
	}
}

static void hello_answer(struct mobilebackup2 *m)
{
	plist_t message = plist_new_dict();

	m->state = STATE_READY;
	dict_text(message, "MessageName", "Response");
	dict_number(message, "ErrorCode", 0);
	plist_dict_set_item(message, "ProtocolVersion", plist_new_real(2.1));
	message_send(m, message);
}

static void message_take(struct mobilebackup2 *m, plist_t message)
{
	const char *name = message && plist_get_node_type(message) == PLIST_DICT
			       ? plist_text(message, "MessageName")
			       : nullptr;

	if (!name) {
		devicelink_close(&m->link);
		return;
	}
	if (m->state == STATE_HELLO && !strcmp(name, "Hello"))
		hello_answer(m);
	else if (m->state != STATE_READY)
		EVLOG(&m->phone->log, "backup-unexpected", LOG_TEXT("name", name));
	else if (wants_passcode(m, name))
		passcode_ask(m, message);
	else
		request_run(m, message);
}

/* ---- the link ---- */

static void version_send(struct mobilebackup2 *m)
{
	plist_t list = devicelink_list("DLMessageVersionExchange");

	plist_array_append_item(list, plist_new_uint(VERSION_MAJOR));
	plist_array_append_item(list, plist_new_uint(0));
	devicelink_send(&m->link, list);
}

/* Negative numbers come as 16 bytes. */
static int64_t number_of(plist_t node)
{
	uint64_t number = 0;

	if (node && plist_get_node_type(node) == PLIST_INT)
		plist_get_uint_val(node, &number);
	else
		number = (uint64_t)-1;
	return (int64_t)number;
}

static void errand_reap(struct mobilebackup2 *m)
{
	if (!m->errand_over || !m->errand)
		return;
	m->errand->free(m->errand);
	m->errand = nullptr;
	m->errand_over = false;
}

static void link_take(struct devicelink *d, const char *name, plist_t list)
{
	struct mobilebackup2 *m = (struct mobilebackup2 *)d;

	if (!strcmp(name, "DLMessageVersionExchange") && m->state == STATE_VERSION) {
		m->state = STATE_HELLO;
		devicelink_send(d, devicelink_list("DLMessageDeviceReady"));
	} else if (!strcmp(name, "DLMessageProcessMessage")) {
		message_take(m, plist_array_get_item(list, 1));
	} else if (!strcmp(name, "DLMessageStatusResponse") && m->errand) {
		m->errand->answer(m->errand, number_of(plist_array_get_item(list, 1)),
				  plist_array_get_item(list, 3));
	} else if (!strcmp(name, "DLMessageDisconnect")) {
		devicelink_close(d);
	}
	errand_reap(m);
}

static void link_file(struct devicelink *d, const char *path, const struct buf *content, bool whole)
{
	struct mobilebackup2 *m = (struct mobilebackup2 *)d;

	EVLOG(&m->phone->log, "backup-file", LOG_TEXT("path", path), LOG_INT("whole", whole),
	      LOG_INT("bytes", content->len));
	if (m->errand)
		m->errand->file(m->errand, path, content, whole);
	errand_reap(m);
}

static void mobilebackup2_free(struct service *service)
{
	struct mobilebackup2 *m = (struct mobilebackup2 *)service;

	timer_disarm(m->phone->timers, &m->timer);
	if (m->phone->backup.asker == m)
		m->phone->backup.asker = nullptr;
	if (m->errand)
		m->errand->free(m->errand);
	plist_free(m->request);
	devicelink_done(&m->link);
	free(m);
}

struct service *mobilebackup2_open(struct phone *phone, void *user, const struct stream *stream)
{
	static const struct service_class class = { devicelink_feed, mobilebackup2_free };
	struct mobilebackup2 *m = calloc(1, sizeof(*m));

	if (!m)
		die("out of memory");
	*m = (struct mobilebackup2){ .link = { .service = { &class, *stream },
					       .phone = phone,
					       .take = link_take,
					       .file = link_file },
				     .phone = phone };
	/* the phone speaks first */
	version_send(m);
	return &m->link.service;
}
