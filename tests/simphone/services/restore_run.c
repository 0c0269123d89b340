/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The phone's errand "Restore": asks the host for the manifests, then for each file, and compares
 * size and digest with what the manifest says. Only when all of it came, and was right, are the
 * user's files replaced; then the phone restarts.
 *
 * Owns what came so far (`rows`). Invariant: the files of the phone are the old ones until the last
 * file was verified.
 */
#include <stdlib.h>
#include <string.h>

#include "lockdown_verbs.h"
#include "services/backup_errand.h"
#include "services/backup_set.h"
#include "text.h"

enum { BATCH = 16, MANIFESTS = 3 };

static const char *const names[MANIFESTS] = { "Status.plist", "Manifest.plist", "Manifest.db" };

struct row {
	char id[BACKUP_ID_CHARS + 1];
	char *path; /* in the user's files; owned */
	unsigned flags;
	uint64_t bytes;
	uint8_t digest[BACKUP_DIGEST_BYTES];
	struct buf content; /* of a file once it came, or where a link points */
	bool came;
};

struct restore {
	struct errand errand; /* first */
	struct buf got[MANIFESTS];
	bool has[MANIFESTS], judged, restarts, over;
	char password[64];
	unsigned count;
	struct row *rows; /* owned; by path, so that folders come before what is in them */
	unsigned asked;   /* rows below it were asked for */
	uint64_t total;
};

static void fail(struct restore *r, unsigned code)
{
	r->over = true;
	backup_respond(r->errand.owner, code, nullptr);
}

/* ---- manifests ---- */

static void manifests_ask(struct restore *r)
{
	plist_t paths = plist_new_array();

	for (unsigned i = 0; i < MANIFESTS; i++) {
		BUF_AUTO path = {};

		buf_addf(&path, "%s/%s", r->errand.id, names[i]);
		plist_array_append_item(paths, plist_new_string(buf_text(&path)));
	}
	backup_ask_files(r->errand.owner, paths, 0);
}

static bool row_take(void *user, const struct backup_row *row)
{
	struct restore *r = user;
	const char *path = backup_files_path(row->domain, row->path);
	struct row *new;

	if (!path) { /* of a domain that this phone has not */
		EVLOG(&r->errand.phone->log, "backup-foreign", LOG_TEXT("domain", row->domain),
		      LOG_TEXT("path", row->path));
		return true;
	}
	if (r->count == FILES_MAX)
		return false;
	r->rows = realloc(r->rows, (r->count + 1) * sizeof(*r->rows));
	if (!r->rows)
		die("out of memory");
	new = &r->rows[r->count++];
	*new = (struct row){ .flags = row->flags, .path = strdup(path) };
	if (!new->path)
		die("out of memory");
	memcpy(new->id, row->id, sizeof(new->id));
	if (row->flags == BACKUP_LINK)
		backup_row_target(row, &new->content);
	if (row->flags != BACKUP_FILE)
		return true;
	if (!backup_row_content(row, &new->bytes, new->digest) || new->bytes > FILES_BYTES_MAX)
		return false;
	r->total += new->bytes;
	return true;
}

static int row_compare(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->path, ((const struct row *)b)->path);
}

/* What is wrong with the manifests, as a number of MBErrorDomain; 0: nothing. */
static unsigned manifests_judge(struct restore *r)
{
	plist_t status = r->has[0] ? backup_list_read(&r->got[0]) : nullptr;
	plist_t manifest = r->has[1] ? backup_list_read(&r->got[1]) : nullptr;
	const char *state = status ? plist_text(status, "SnapshotState") : nullptr;
	unsigned code = 0;

	if (!state || strcmp(state, "finished") != 0 || !manifest || !r->has[2])
		code = MB_ERROR_MANIFEST;
	else if (!backup_opens(manifest, *r->password ? r->password : nullptr))
		code = MB_ERROR_PASSWORD;
	else if (backup_db_read(r->got[2].bytes, r->got[2].len, row_take, r) < 0)
		code = MB_ERROR_MANIFEST;
	plist_free(status);
	plist_free(manifest);
	if (r->count > 0)
		qsort(r->rows, r->count, sizeof(*r->rows), row_compare);
	return code;
}

/* ---- files ---- */

/* Asks for the next files; false: none is left. */
static bool files_ask(struct restore *r)
{
	plist_t paths = plist_new_array();

	for (; r->asked < r->count && plist_array_get_size(paths) < BATCH; r->asked++) {
		const struct row *row = &r->rows[r->asked];
		BUF_AUTO path = {};

		if (row->flags != BACKUP_FILE)
			continue;
		buf_addf(&path, "%s/%.2s/%s", r->errand.id, row->id, row->id);
		plist_array_append_item(paths, plist_new_string(buf_text(&path)));
	}
	if (plist_array_get_size(paths) == 0) {
		plist_free(paths);
		return false;
	}
	backup_ask_files(r->errand.owner, paths, 100.0 * r->asked / r->count);
	return true;
}

/* All that was asked came, and is what was backed up. */
static bool asked_came(const struct restore *r)
{
	for (unsigned i = 0; i < r->asked; i++)
		if (r->rows[i].flags == BACKUP_FILE && !r->rows[i].came)
			return false;
	return true;
}

static void content_take(struct restore *r, struct row *row, const struct buf *content)
{
	uint8_t digest[BACKUP_DIGEST_BYTES];

	backup_digest(content->bytes, content->len, digest);
	if (content->len != row->bytes || memcmp(digest, row->digest, sizeof(digest)) != 0) {
		EVLOG(&r->errand.phone->log, "backup-file-wrong", LOG_TEXT("path", row->path),
		      LOG_INT("bytes", content->len), LOG_INT("wanted", row->bytes));
		return;
	}
	buf_clear(&row->content);
	buf_add(&row->content, content->bytes, content->len);
	row->came = true;
}

/* ---- the phone's files become those of the backup ---- */

static void files_clear(struct files *f)
{
	for (struct file *c = f->root->children, *next; c; c = next) {
		next = c->next;
		/* held by the sync that goes on */
		if (strcmp(c->name, "com.apple.itunes.lock_sync") != 0)
			files_remove(f, c->name, true);
	}
}

static int row_put(struct files *f, struct row *row)
{
	const char *slash = strrchr(row->path, '/');
	struct file *file;
	BUF_AUTO parent = {};
	int error;

	buf_add(&parent, row->path, slash ? (size_t)(slash - row->path) : 0);
	error = files_make_parents(f, buf_text(&parent));
	if (error < 0)
		return error;
	if (row->flags == BACKUP_FOLDER)
		return files_make_parents(f, row->path);
	error =
	    files_make(f, row->path, row->flags == BACKUP_LINK ? FILE_LINK : FILE_REGULAR, &file);
	if (error == 0 && row->flags == BACKUP_LINK)
		buf_add(&file->content, row->content.bytes, row->content.len);
	else if (error == 0)
		error = files_write(f, file, 0, row->content.bytes, row->content.len);
	return error;
}

static void finish(struct restore *r)
{
	struct phone *p = r->errand.phone;
	char digest[65];
	int error = 0;

	files_clear(&p->files);
	for (unsigned i = 0; i < r->count && error == 0; i++)
		error = row_put(&p->files, &r->rows[i]);
	files_digest(&p->files, digest);
	EVLOG(&p->log, "backup-restored", LOG_INT("rows", r->count), LOG_INT("error", error),
	      LOG_TEXT("files_digest", digest));
	if (error < 0) {
		fail(r, MB_ERROR_UNKNOWN);
		return;
	}
	r->over = true;
	backup_respond(r->errand.owner, 0, nullptr);
	if (r->restarts)
		phone_restart_after(p, PHONE_SHUTDOWN_MS, "a backup was restored");
}

/* ---- the errand ---- */

static void restore_answer(struct errand *e, int64_t code, plist_t payload)
{
	struct restore *r = (struct restore *)e;
	unsigned wrong;

	if (r->over)
		return;
	if (!r->judged) {
		r->judged = true;
		wrong = code == 0 ? manifests_judge(r) : MB_ERROR_MANIFEST;
		if (wrong) {
			fail(r, wrong);
			return;
		}
		if (r->total > e->phone->files.capacity || r->total > FILES_BYTES_MAX) {
			fail(r, MB_ERROR_UNKNOWN);
			return;
		}
	} else if (code != 0 || !asked_came(r)) {
		fail(r, MB_ERROR_MANIFEST);
		return;
	}
	if (!files_ask(r))
		finish(r);
}

static void restore_file(struct errand *e, const char *path, const struct buf *content, bool whole)
{
	struct restore *r = (struct restore *)e;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (!whole || r->over)
		return;
	for (unsigned i = 0; i < MANIFESTS && !r->judged; i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		buf_clear(&r->got[i]);
		buf_add(&r->got[i], content->bytes, content->len);
		r->has[i] = true;
	}
	for (unsigned i = 0; i < r->asked; i++)
		if (!r->rows[i].came && !strcmp(r->rows[i].id, name))
			content_take(r, &r->rows[i], content);
}

static void restore_free(struct errand *e)
{
	struct restore *r = (struct restore *)e;

	for (unsigned i = 0; i < r->count; i++) {
		free(r->rows[i].path);
		buf_done(&r->rows[i].content);
	}
	free(r->rows);
	for (unsigned i = 0; i < MANIFESTS; i++)
		buf_done(&r->got[i]);
	free(r);
}

struct errand *restore_begin(struct mobilebackup2 *owner, struct phone *phone, const char *id,
			     plist_t request)
{
	struct restore *r = calloc(1, sizeof(*r));
	plist_t options = plist_dict_get_item(request, "Options"), restart = nullptr;
	const char *password = nullptr;

	if (!r)
		die("out of memory");
	*r = (struct restore){ .errand = { .phone = phone,
					   .owner = owner,
					   .answer = restore_answer,
					   .file = restore_file,
					   .free = restore_free } };
	text_copy(r->errand.id, sizeof(r->errand.id), id);
	if (options && plist_get_node_type(options) == PLIST_DICT) {
		restart = plist_dict_get_item(options, "RestoreShouldReboot");
		password = plist_text(options, "Password");
	}
	r->restarts = !restart || plist_get_node_type(restart) != PLIST_BOOLEAN ||
		      plist_bool_val_is_true(restart);
	text_copy(r->password, sizeof(r->password), password ? password : "");
	manifests_ask(r);
	return &r->errand;
}
