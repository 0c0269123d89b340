/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The phone's errand "Backup": a table of steps, each of which asks the host one or more questions
 * and hears the answers. The order is that of public logs of real phones; how many questions there
 * are differs from one iOS to the next.
 *
 * Owns the set of entries and what the host had before. Invariant: one question is under way, and
 * `at` counts within the step that asked it.
 */
#include <stdlib.h>
#include <string.h>

#include "lockdown_verbs.h"
#include "services/backup_parts.h"
#include "text.h"

/* ---- steps: files ---- */

/* What was asked must be done, or the backup ends. */
static void done_hear(struct run *r, int64_t code, plist_t payload)
{
	if (code != 0)
		errand_fail(r, MB_ERROR_HOST);
}

static bool skips_folders(const struct run *r)
{
	return r->errand.phone->scenario.backup.rule == BACKUP_NO_FOLDERS;
}

static bool folders_ask(struct run *r)
{
	BUF_AUTO path = {};

	if (skips_folders(r) || r->at > 1)
		return false;
	errand_folder_ask(r, r->at++ == 0 ? r->errand.id : errand_path(r, "%s", "Snapshot", &path));
	return true;
}

static bool uploading_ask(struct run *r)
{
	if (!errand_once(r))
		return false;
	errand_status_upload(r, "uploading");
	return true;
}

static void prefixes_find(struct run *r)
{
	for (unsigned i = 0; i < r->set.count; i++) {
		const struct backup_entry *e = &r->set.entries[i];
		const char hex[] = { e->id[0], e->id[1], '\0' };

		if (e->flags == BACKUP_FILE && e->is_new)
			r->prefixes[strtoul(hex, nullptr, 16)] = true;
	}
}

/* Asks for the next folder of two digits below @format; true while there is one. */
static bool prefix_ask(struct run *r, const char *format)
{
	char hex[3];
	BUF_AUTO path = {};

	while (r->at < PREFIXES && !r->prefixes[r->at])
		r->at++;
	if (r->at == PREFIXES)
		return false;
	snprintf(hex, sizeof(hex), "%02x", r->at++);
	errand_folder_ask(r, errand_path(r, format, hex, &path));
	return true;
}

static bool snapshot_prefixes_ask(struct run *r)
{
	if (skips_folders(r))
		return false;
	if (r->at == 0)
		prefixes_find(r);
	return prefix_ask(r, "Snapshot/%s");
}

static bool is_unreadable(const struct phone *p, const char *path)
{
	return *p->scenario.afc_unreadable && !strcmp(path, p->scenario.afc_unreadable);
}

/* "Snapshot/xx/id", or "xx/id". */
static void entry_path(const struct run *r, const struct backup_entry *e, bool snapshot,
		       struct buf *to)
{
	buf_addf(to, "%s/%s%.2s/%s", r->errand.id, snapshot ? "Snapshot/" : "", e->id, e->id);
}

static void entry_send(struct run *r, struct backup_entry *e, struct file *file)
{
	struct phone *p = r->errand.phone;
	const struct buf *content = file_content(file);
	bool bad = is_unreadable(p, backup_files_path(e->domain, e->path));
	BUF_AUTO name = {};
	BUF_AUTO path = {};

	/* it may have changed since the set was made */
	e->bytes = content->len;
	backup_digest(content->bytes, content->len, e->digest);
	buf_addf(&name, "/.ba/mobile/%s", e->path);
	entry_path(r, e, true, &path);
	devicelink_send_file(backup_link(r->errand.owner), buf_text(&name), buf_text(&path),
			     content->bytes, bad ? content->len / 2 : content->len,
			     bad ? "Input/output error" : nullptr);
	r->troubles += bad;
}

/* The file of an entry that is to be sent now; NULL: none is, or not any more. */
static struct file *entry_file(struct run *r, struct backup_entry *e)
{
	struct file *file;

	if (e->flags != BACKUP_FILE || !e->is_new || e->gone)
		return nullptr;
	file = files_find(&r->errand.phone->files, backup_files_path(e->domain, e->path));
	if (file && file->kind == FILE_REGULAR && file_bytes(file) <= UPLOAD_FILE_MAX)
		return file;
	EVLOG(&r->errand.phone->log, "backup-left-out", LOG_TEXT("path", e->path));
	e->gone = true;
	return nullptr;
}

/* Paths that a host must not follow. */
static void evil_send(struct run *r)
{
	static const char text[] = "must not be written";
	enum backup_rule rule = r->errand.phone->scenario.backup.rule;
	BUF_AUTO path = {};

	buf_addf(&path, "%s/Snapshot/", r->errand.id);
	if (rule == BACKUP_DOTDOT)
		buf_add_text(&path, "../../../left-the-folder");
	while (rule == BACKUP_LONG_NAME && path.len < LONG_PATH)
		buf_add_text(&path, "long");
	if (rule == BACKUP_DOTDOT || rule == BACKUP_LONG_NAME)
		devicelink_send_file(backup_link(r->errand.owner), "/.ba/mobile/evil",
				     buf_text(&path), text, sizeof(text) - 1, nullptr);
}

static bool files_ask(struct run *r)
{
	bool first = r->at == 0, begun = false;
	uint64_t bytes = 0;
	unsigned files = 0;

	if (!first && r->errand.phone->scenario.backup.rule == BACKUP_CANCEL) {
		r->over = true;
		backup_cancel(r->errand.owner);
		return true;
	}
	for (; r->at < r->set.count && bytes < BATCH_BYTES && files < BATCH_FILES; r->at++) {
		struct backup_entry *e = &r->set.entries[r->at];
		struct file *file = entry_file(r, e);

		if (!file)
			continue;
		if (!begun)
			errand_upload_begin(r, 100.0 * r->at / r->set.count, errand_bytes_left(r));
		begun = true;
		entry_send(r, e, file);
		bytes += e->bytes;
		files++;
	}
	if (begun && first)
		evil_send(r);
	if (begun)
		devicelink_end_files(backup_link(r->errand.owner));
	else if (r->troubles)
		errand_fail(r, MB_ERROR_UPLOAD);
	return begun || r->over;
}

static void files_hear(struct run *r, int64_t code, plist_t payload)
{
	if (code != 0)
		errand_fail(r, MB_ERROR_UPLOAD);
}

/* ---- steps: manifests, and everything to its place ---- */

static bool manifests_ask(struct run *r)
{
	if (!errand_once(r))
		return false;
	backup_database(&r->set, r->errand.phone, &r->sent[GOT_DATABASE]);
	backup_manifest(r->errand.phone, &r->sent[GOT_MANIFEST]);
	errand_upload_begin(r, 80, r->sent[GOT_DATABASE].len + r->sent[GOT_MANIFEST].len);
	for (unsigned i = GOT_MANIFEST; i < GOTS; i++) {
		BUF_AUTO path = {};

		devicelink_send_file(backup_link(r->errand.owner), "/var/tmp/tmp.1",
				     errand_path(r, "Snapshot/%s", errand_got_names[i], &path),
				     r->sent[i].bytes, r->sent[i].len, nullptr);
	}
	devicelink_end_files(backup_link(r->errand.owner));
	return true;
}

static bool moving_ask(struct run *r)
{
	if (!errand_once(r))
		return false;
	errand_status_upload(r, "moving");
	return true;
}

static bool prefixes_ask(struct run *r)
{
	return !skips_folders(r) && prefix_ask(r, "%s");
}

static bool moves_step_ask(struct run *r)
{
	plist_t moves = plist_new_dict();

	for (; r->at < r->set.count && plist_dict_get_size(moves) < MOVES; r->at++) {
		const struct backup_entry *e = &r->set.entries[r->at];
		BUF_AUTO from = {};
		BUF_AUTO to = {};

		if (e->flags != BACKUP_FILE || !e->is_new || e->gone)
			continue;
		entry_path(r, e, true, &from);
		entry_path(r, e, false, &to);
		dict_text(moves, buf_text(&from), buf_text(&to));
	}
	if (plist_dict_get_size(moves) == 0) {
		plist_free(moves);
		return false;
	}
	errand_moves_ask(r, moves);
	return true;
}

static bool manifest_moves_ask(struct run *r)
{
	plist_t moves;

	if (!errand_once(r))
		return false;
	moves = plist_new_dict();
	for (unsigned i = GOT_MANIFEST; i < GOTS; i++) {
		BUF_AUTO from = {};
		BUF_AUTO to = {};

		dict_text(moves, errand_path(r, "Snapshot/%s", errand_got_names[i], &from),
			  errand_path(r, "%s", errand_got_names[i], &to));
	}
	errand_moves_ask(r, moves);
	return true;
}

static bool removing_ask(struct run *r)
{
	if (!errand_once(r))
		return false;
	errand_status_upload(r, "removing");
	return true;
}

static bool removes_ask(struct run *r)
{
	plist_t paths;
	BUF_AUTO snapshot = {};

	if (!errand_once(r))
		return false;
	paths = plist_new_array();
	plist_array_append_item(paths,
				plist_new_string(errand_path(r, "%s", "Snapshot", &snapshot)));
	for (size_t at = 0; at < r->removed.len; at += BACKUP_ID_CHARS + 1) {
		const char *id = (const char *)r->removed.bytes + at;
		BUF_AUTO path = {};

		buf_addf(&path, "%s/%.2s/%s", r->errand.id, id, id);
		plist_array_append_item(paths, plist_new_string(buf_text(&path)));
	}
	errand_remove_ask(r, paths);
	return true;
}

static bool lacks_final(const struct run *r)
{
	return r->errand.phone->scenario.backup.rule == BACKUP_NO_FINAL_STATUS;
}

static bool finished_ask(struct run *r)
{
	if (lacks_final(r) || !errand_once(r))
		return false;
	errand_status_upload(r, "finished");
	return true;
}

static bool check_ask(struct run *r)
{
	if (lacks_final(r) || !errand_once(r))
		return false;
	errand_downloads_ask(r, true, true);
	return true;
}

/* The host must have what it was sent: a full disk shows here. */
static void check_hear(struct run *r, int64_t code, plist_t payload)
{
	for (unsigned i = 0; i < GOTS; i++) {
		if (r->has[i] && r->got[i].len == r->sent[i].len &&
		    !memcmp(r->got[i].bytes, r->sent[i].bytes, r->got[i].len))
			continue;
		errand_fail(r, MB_ERROR_MANIFEST);
		return;
	}
}

/* ---- the errand ---- */

static const struct step {
	bool (*ask)(struct run *r); /* false: nothing is left to ask */
	void (*hear)(struct run *r, int64_t code, plist_t payload); /* may be NULL */
} steps[] = {
	{ errand_old_status_ask, errand_old_status_hear },
	{ errand_old_manifest_ask, errand_old_manifest_hear },
	{ errand_snapshot_list_ask, errand_snapshot_list_hear },
	{ errand_snapshot_remove_ask, nullptr },
	{ errand_space_ask, errand_space_hear },
	{ errand_purge_ask, errand_purge_hear },
	{ folders_ask, done_hear },
	{ uploading_ask, done_hear },
	{ snapshot_prefixes_ask, done_hear },
	{ files_ask, files_hear },
	{ manifests_ask, done_hear },
	{ moving_ask, done_hear },
	{ prefixes_ask, done_hear },
	{ moves_step_ask, done_hear },
	{ manifest_moves_ask, done_hear },
	{ removing_ask, done_hear },
	{ removes_ask, done_hear },
	{ finished_ask, done_hear },
	{ check_ask, check_hear },
};

static void run_on(struct run *r)
{
	char digest[65];

	for (; r->step < sizeof(steps) / sizeof(steps[0]) && !r->over; r->step++, r->at = 0)
		if (steps[r->step].ask(r))
			return;
	if (r->over)
		return;
	r->over = true;
	files_digest(&r->errand.phone->files, digest);
	EVLOG(&r->errand.phone->log, "backup-done", LOG_TEXT("files_digest", digest),
	      LOG_INT("full", r->full));
	if (r->errand.phone->scenario.backup.rule == BACKUP_DISCONNECT)
		backup_hang_up(r->errand.owner);
	else
		backup_respond(r->errand.owner, 0, nullptr);
}

static void run_answer(struct errand *e, int64_t code, plist_t payload)
{
	struct run *r = (struct run *)e;

	if (r->over)
		return;
	EVLOG(&e->phone->log, "backup-answer", LOG_INT("step", r->step), LOG_INT("code", code));
	if (steps[r->step].hear)
		steps[r->step].hear(r, code, payload);
	run_on(r);
}

static void run_file(struct errand *e, const char *path, const struct buf *content, bool whole)
{
	struct run *r = (struct run *)e;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	for (unsigned i = 0; i < GOTS; i++) {
		if (!whole || strcmp(name, errand_got_names[i]) != 0)
			continue;
		buf_clear(&r->got[i]);
		buf_add(&r->got[i], content->bytes, content->len);
		r->has[i] = true;
	}
}

static void run_free(struct errand *e)
{
	struct run *r = (struct run *)e;

	backup_set_done(&r->set);
	for (unsigned i = 0; i < GOTS; i++) {
		buf_done(&r->got[i]);
		buf_done(&r->sent[i]);
	}
	buf_done(&r->removed);
	free(r);
}

static bool is_forced(plist_t request)
{
	plist_t options = plist_dict_get_item(request, "Options");
	plist_t force = options && plist_get_node_type(options) == PLIST_DICT
			    ? plist_dict_get_item(options, "ForceFullBackup")
			    : nullptr;

	return force && plist_get_node_type(force) == PLIST_BOOLEAN &&
	       plist_bool_val_is_true(force);
}

struct errand *backup_begin(struct mobilebackup2 *owner, struct phone *phone, const char *id,
			    plist_t request)
{
	struct run *r = calloc(1, sizeof(*r));

	if (!r)
		die("out of memory");
	*r = (struct run){ .errand = { .phone = phone,
				       .owner = owner,
				       .answer = run_answer,
				       .file = run_file,
				       .free = run_free },
			   .full = is_forced(request) };
	text_copy(r->errand.id, sizeof(r->errand.id), id);
	backup_set_make(&r->set, phone);
	/* the array is sorted by id: bsearch() */
	if (r->set.count > 0)
		qsort(r->set.entries, r->set.count, sizeof(struct backup_entry),
		      errand_entry_compare);
	if (phone->scenario.backup.rule == BACKUP_NOTHING) {
		r->over = true;
		backup_respond(owner, 0, nullptr);
	} else {
		run_on(r);
	}
	return &r->errand;
}
