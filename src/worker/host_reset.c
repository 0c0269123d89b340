/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns one request to move records, from reading it to the proof that they lie in the new folder.
 *
 *   request ─▶ find and look (read-only) ─▶ same as the person saw? ─▶ mount writable ─▶ new folder
 *                     │ no: refused, nothing was touched                                    │
 *                     └──────────────────────────────────────────────────┐   rename, one by one
 *                                        result ◀─ look again (read-only) ◀── sync, unmount ┘
 *
 * Invariants: a record is renamed within one volume, so at any moment it is in one of both folders;
 * none is copied, changed or removed. What has moved is told at once (event "moved"), and stands in
 * the result also if a later one fails.
 */
#include "worker/host_reset.h"
#include "base/cleanup.h"
#include "base/object.h"
#include "base/text.h"
#include "worker/host_look.h"
#include "worker/lifeline.h"
#include "worker/record.h"
#include "worker/reply.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { FOLDERS_TRIED = 9 }; /* of one second */

struct wish {
	const char *volume, *filesystem, *uuid, *folder;
	uint64_t size_bytes;
	sd_json_variant *records; /* borrowed */
};

struct record {
	char file[HOST_NAME_BYTES];
	uint64_t bytes, modified_ms;
	bool moved;
};

struct reset {
	struct wish wish;
	size_t count;
	struct record records[HOST_FILES_MAX];
	struct host_volume volume;
	char parent[HOST_PATH_BYTES]; /* of the records' folder */
	char name[HOST_NAME_BYTES];   /* of the new folder in it, "" not made */
	enum host_cause cause;        /* why it is refused */
};

/* --- request --------------------------------------------------------------------------------- */

#define TEXT(name, flags)                                                                          \
	{ #name, SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,                            \
	  offsetof(struct wish, name), (flags) | SD_JSON_REFUSE_NULL }

static const sd_json_dispatch_field wish_table[] = {
	TEXT(volume, SD_JSON_MANDATORY),
	TEXT(filesystem, SD_JSON_MANDATORY),
	TEXT(folder, SD_JSON_MANDATORY),
	TEXT(uuid, 0),
	{ "size_bytes", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,
	  offsetof(struct wish, size_bytes), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL },
	{ "records", SD_JSON_VARIANT_ARRAY, sd_json_dispatch_variant_noref,
	  offsetof(struct wish, records), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL },
	{},
};

static int record_parse(sd_json_variant *object, struct record *ret, struct error *err)
{
	struct record record = { 0 };

	if (object_read_text(object, "file", record.file, sizeof(record.file)) < 0 ||
	    object_read_number(object, "bytes", &record.bytes) < 0 ||
	    object_read_number(object, "modified_ms", &record.modified_ms) < 0 ||
	    !record_file_name(record.file))
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"records\" holds what is no record");
	*ret = record;
	return 0;
}

static int reset_parse(const struct request *request, struct reset *reset, struct error *err)
{
	int r = request_fields(request, wish_table, &reset->wish, err);
	const char *slash;

	if (r < 0)
		return r;
	reset->count = sd_json_variant_elements(reset->wish.records);
	if (reset->count == 0 || reset->count > HOST_FILES_MAX)
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"records\" must name 1 to %d of them", HOST_FILES_MAX);
	for (size_t i = 0; r == 0 && i < reset->count; i++)
		r = record_parse(sd_json_variant_by_index(reset->wish.records, i),
				 &reset->records[i], err);
	slash = strrchr(reset->wish.folder, '/');
	if (r == 0 && (!slash || slash == reset->wish.folder ||
		       (size_t)(slash - reset->wish.folder) >= sizeof(reset->parent)))
		r = error_set(err, ERROR_USAGE, "worker", 0, "Field \"folder\" is no such folder");
	if (r == 0)
		(void)text_to_utf8(reset->parent, sizeof(reset->parent), reset->wish.folder,
				   (size_t)(slash - reset->wish.folder));
	return r;
}

/* --- is it what the person saw? -------------------------------------------------------------- */

static int refuse(struct reset *reset, enum host_cause cause, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *event = NULL;
	const char *name = host_cause_name(cause);

	reset->cause = cause;
	if (sd_json_buildo(&event, SD_JSON_BUILD_PAIR_STRING("cause", name)) >= 0)
		(void)reply_event("refused", event);
	return error_set(err, ERROR_REFUSED, "worker", 0, "%s is not changed: %s",
			 reset->wish.volume, name);
}

static int refuse_changed(const struct reset *reset, const char *what, struct error *err)
{
	return error_set(err, ERROR_REFUSED, "worker", 0, "%s is not changed: %s; look again",
			 reset->wish.volume, what);
}

static bool is_same(const struct reset *reset, const struct host_volume *volume)
{
	return strcmp(volume->filesystem, reset->wish.filesystem) == 0 &&
	       volume->size_bytes == reset->wish.size_bytes &&
	       strcmp(volume->uuid, reset->wish.uuid ?: "") == 0;
}

static const struct host_file *file_find(const struct host_folder *folder, const char *name)
{
	for (size_t i = 0; i < folder->count; i++)
		if (strcmp(folder->files[i].name, name) == 0)
			return &folder->files[i];
	return NULL;
}

static int check_records(const struct reset *reset, const struct host_folder *folder,
			 struct error *err)
{
	if (strcmp(folder->path, reset->wish.folder) != 0)
		return refuse_changed(reset, "its records are in another folder than before", err);
	for (size_t i = 0; i < reset->count; i++) {
		const struct record *record = &reset->records[i];
		const struct host_file *file = file_find(folder, record->file);

		if (!file || file->bytes != record->bytes ||
		    file->modified_ms != record->modified_ms)
			return refuse_changed(reset, "its records are not what they were", err);
	}
	return 0;
}

/* The volume that was named, and whether another Windows sleeps that may have it open. */
static int find_volume(struct reset *reset, struct error *err)
{
	_cleanup_free_ struct host_volume *volumes = calloc(HOST_VOLUMES_MAX, sizeof(*volumes));
	bool found = false, sleeper = false;
	size_t count = 0;
	int r = volumes ? host_volumes_find(volumes, &count, err)
			: error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot look");

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(volumes[i].name, reset->wish.volume) != 0)
			continue;
		found = true;
		reset->volume = volumes[i];
	}
	if (!found || !is_same(reset, &reset->volume))
		return refuse_changed(reset, "it is not the volume that was looked at", err);
	for (size_t i = 0; host_volume_is_windows(&reset->volume) && i < count; i++) {
		_cleanup_(host_seen_done) struct host_seen seen = { 0 };

		if (!host_volume_is_windows(&volumes[i]) ||
		    strcmp(volumes[i].name, reset->wish.volume) == 0)
			continue;
		host_see(&volumes[i], false, &seen);
		sleeper = sleeper || seen.folder.sleeps;
	}
	return sleeper ? refuse(reset, HOST_CAUSE_SLEEPER, err) : 0;
}

static int check(struct reset *reset, struct error *err)
{
	_cleanup_(host_seen_done) struct host_seen seen = { 0 };

	host_see(&reset->volume, false, &seen);
	if (seen.cause != HOST_CAUSE_NONE)
		return refuse(reset, seen.cause, err);
	return check_records(reset, &seen.folder, err);
}

/* --- moving ---------------------------------------------------------------------------------- */

static int fail(int r, const char *what, struct error *err)
{
	return error_set_errno(err, r == -ENOSPC ? ERROR_NO_SPACE : ERROR_REFUSED, "kernel", -r,
			       "%s", what);
}

static int sync_folder(int fd)
{
	return fsync(fd) < 0 && errno != EINVAL && errno != ENOTSUP ? -errno : 0;
}

/* A new folder beside the records' own, with the same owner and rights where the volume has any.
 * Its name is the moment in UTC. */
static int make_folder(struct reset *reset, int parent, int old, int *ret)
{
	time_t now = time(NULL);
	struct stat st;
	struct tm tm;
	char moment[sizeof("YYYYMMDD-HHMMSS")];
	int fd, r = -EEXIST;

	if (fstat(old, &st) < 0 || !gmtime_r(&now, &tm) ||
	    strftime(moment, sizeof(moment), "%Y%m%d-%H%M%S", &tm) == 0)
		return -EIO;
	for (int i = 1; r == -EEXIST && i <= FOLDERS_TRIED; i++) {
		snprintf(reset->name, sizeof(reset->name), "Lockdown-moved-%s", moment);
		if (i > 1)
			snprintf(reset->name + strlen(reset->name), 3, "-%d", i);
		r = mkdirat(parent, reset->name, 0700) < 0 ? -errno : 0;
	}
	fd = r == 0 ? host_folder_open(parent, reset->name) : r;
	if (fd < 0) {
		reset->name[0] = '\0';
		return fd;
	}
	/* NTFS keeps neither: that they cannot be set is no harm */
	if (fchown(fd, st.st_uid, st.st_gid) == 0)
		(void)fchmod(fd, st.st_mode & 07777);
	*ret = fd;
	return 0;
}

/* The new folder was empty when it was made, so nothing can be replaced in it. */
static int rename_one(int old, int new, const char *name)
{
	if (renameat2(old, name, new, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	return renameat(old, name, new, name) < 0 ? -errno : 0;
}

static int move_records(struct reset *reset, int old, int new)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < reset->count; i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *event = NULL;
		struct record *record = &reset->records[i];

		r = rename_one(old, new, record->file);
		if (r < 0)
			break;
		record->moved = true;
		/* whoever listened may be gone: the records are moved all the same */
		if (sd_json_buildo(&event, SD_JSON_BUILD_PAIR_STRING("file", record->file),
				   SD_JSON_BUILD_PAIR_STRING("folder", reset->name)) >= 0)
			(void)reply_event("moved", event);
	}
	return r;
}

static int move(struct reset *reset, struct error *err)
{
	_cleanup_(host_tree_closep) struct host_tree tree = HOST_TREE_CLOSED;
	_cleanup_close_ int parent = -1, old = -1, new = -1;
	int r = host_tree_open(&reset->volume, HOST_CHANGE, &tree, err), synced;

	if (r < 0)
		return r;
	if (!tree.writable) /* the driver has seen something that we have not */
		return refuse(reset, HOST_CAUSE_PROTECTED, err);
	parent = host_folder_open(tree.root, reset->parent);
	old = host_folder_open(tree.root, reset->wish.folder);
	if (parent < 0 || old < 0)
		return fail(parent < 0 ? parent : old, "The folder of the records cannot be opened",
			    err);
	r = make_folder(reset, parent, old, &new);
	if (r < 0)
		return fail(r, "No folder can be made beside that of the records", err);
	r = move_records(reset, old, new);
	synced = sync_folder(new);
	synced = synced < 0 ? synced : sync_folder(old);
	synced = synced < 0 ? synced : sync_folder(parent);
	closep(&new);
	closep(&old);
	closep(&parent);
	new = old = parent = -1; /* else they hold the mount */
	if (host_tree_close(&tree) < 0)
		synced = -EIO;
	if (r < 0)
		return fail(r, "A record cannot be moved", err);
	return synced < 0 ? fail(synced, "What was moved cannot be written to the disk", err) : 0;
}

/* --- proof ----------------------------------------------------------------------------------- */

static int verify_folder(const struct reset *reset, int root, struct error *err)
{
	_cleanup_close_ int old = host_folder_open(root, reset->wish.folder);
	_cleanup_close_ int parent = host_folder_open(root, reset->parent);
	_cleanup_close_ int new = parent >= 0 ? host_folder_open(parent, reset->name) : parent;
	struct stat st;

	if (old < 0 || new < 0)
		return fail(old < 0 ? old : new, "The folder of the records cannot be read back",
			    err);
	for (size_t i = 0; i < reset->count; i++) {
		const struct record *record = &reset->records[i];

		if (fstatat(new, record->file, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) || (uint64_t)st.st_size != record->bytes)
			return error_set(err, ERROR_REFUSED, "worker", 0,
					 "%s is not whole in the new folder", record->file);
		if (fstatat(old, record->file, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return error_set(err, ERROR_REFUSED, "worker", 0,
					 "%s is still in its old folder", record->file);
	}
	return 0;
}

static int verify(const struct reset *reset, struct error *err)
{
	_cleanup_(host_tree_closep) struct host_tree tree = HOST_TREE_CLOSED;
	int r = host_tree_open(&reset->volume, HOST_LOOK, &tree, err);

	return r < 0 ? r : verify_folder(reset, tree.root, err);
}

/* --- result ---------------------------------------------------------------------------------- */

static int result_build(const struct reset *reset, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *moved = NULL;
	_cleanup_(object_done) struct object object = { 0 };
	char path[HOST_PATH_BYTES + HOST_NAME_BYTES];
	int r = sd_json_build(&moved, SD_JSON_BUILD_EMPTY_ARRAY);

	for (size_t i = 0; r >= 0 && i < reset->count; i++)
		if (reset->records[i].moved)
			r = sd_json_variant_append_arrayb(
			    &moved, SD_JSON_BUILD_STRING(reset->records[i].file));
	object_check(&object, r);
	if (reset->name[0] != '\0') {
		snprintf(path, sizeof(path), "%s/%s", reset->parent, reset->name);
		object_text(&object, "folder", path);
	}
	if (reset->cause != HOST_CAUSE_NONE)
		object_text(&object, "cause", host_cause_name(reset->cause));
	object_take(&object, "moved", TAKE(moved));
	return object_end(&object, ret);
}

int host_reset_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_free_ struct reset *reset = calloc(1, sizeof(*reset));
	_cleanup_close_ int lock = -1;
	int r, built;

	if (!reset)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot move records");
	r = reset_parse(request, reset, err);
	if (r < 0)
		return r;
	r = host_lock(&lock, err);
	if (r == 0)
		r = find_volume(reset, err);
	if (r == 0)
		r = check(reset, err);
	if (r == 0) {
		/* from here to the end, whoever listens: half of it would be the worst answer */
		lifeline_untie();
		r = move(reset, err);
	}
	if (r == 0)
		r = verify(reset, err);
	built = result_build(reset, ret_fields);
	if (built < 0 && r == 0)
		return error_set_errno(err, ERROR_BUG, "worker", -built, "Cannot build the result");
	return r;
}
