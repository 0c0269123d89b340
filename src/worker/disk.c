/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 *   list:  find all volumes ──▶ judge each (NTFS: look whether Windows sleeps on it) ──▶ tell
 *
 *   use:   find ──▶ choose ──▶ judge ──▶ something stale at its place? end that
 *                     │ none,    │ not to be used                 │
 *                     │ several  ▼                                ▼
 *                     └──────▶ refused                mount (PID 1) ──▶ its folder ──▶ result
 *                                                          no folder: unmounted again ──▶ error
 *   end:   each folder below the parent, but for the one that is kept ──▶ unmount (PID 1)
 *
 * Invariants: nothing is formatted, removed or changed but the one folder DISK_FOLDER; an internal
 * disk is mounted only when the request says that it may be; of a volume that is mounted no node's
 * flag is touched (host_tree.h). One at a time with host-look and host-reset (host_lock()).
 */
#include "worker/disk.h"
#include "base/cleanup.h"
#include "base/object.h"
#include "base/text.h"
#include "facts/facts.h"
#include "worker/disk_judge.h"
#include "worker/disk_mount.h"
#include "worker/host_look.h"
#include "worker/reply.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

DEFINE_CLEANUP(DIR *, closedir)

enum { FOLDER_MODE = 02770, PLACE_BYTES = HOST_PATH_BYTES + HOST_NAME_BYTES };

static const char service_user[] = "idevicerescue", data_group[] = "idevicerescue-data";

struct wish {
	const char *action, *volume, *keep;
	bool internal;
};

#define TEXT(name, flags)                                                                          \
	{ #name, SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,                            \
	  offsetof(struct wish, name), (flags) | SD_JSON_REFUSE_NULL }

static const sd_json_dispatch_field wish_table[] = {
	TEXT(action, SD_JSON_MANDATORY),
	TEXT(volume, 0),
	TEXT(keep, 0),
	{ "internal", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
	  offsetof(struct wish, internal), SD_JSON_REFUSE_NULL },
	{},
};

struct look {
	size_t count;
	struct host_volume volumes[HOST_VOLUMES_MAX];
	enum disk_cause causes[HOST_VOLUMES_MAX];
};

/* --- a test's folder stands for the parent, and a link in it for a mount ---------------------- */

static const char *test_folder(void)
{
	return getenv("IDEVICERESCUE_DISKS");
}

static const char *parent_folder(void)
{
	return test_folder() ?: DISK_PARENT;
}

static void place_of(const struct host_volume *volume, char ret[static PLACE_BYTES])
{
	snprintf(ret, PLACE_BYTES, "%s/%s", parent_folder(), volume->uuid);
}

static void test_find_mounted(struct host_volume *volume)
{
	char place[PLACE_BYTES], tree[HOST_PATH_BYTES];
	ssize_t n;

	place_of(volume, place);
	n = readlink(place, tree, sizeof(tree));
	if (n == (ssize_t)strlen(volume->tree) && memcmp(tree, volume->tree, (size_t)n) == 0)
		(void)text_copy(volume->mounted, sizeof(volume->mounted), place);
}

/* Elsewhere than in the image, people mount by themselves. */
static int check_system(struct error *err)
{
	_cleanup_free_ char *text = NULL;

	if (test_folder() || access(DISK_PARENT, F_OK) == 0)
		return 0;
	text = message_format("disk-no-manager", NULL);
	(void)error_set(err, ERROR_UNSUPPORTED, "worker", 0, "%s", text ?: "");
	return -EOPNOTSUPP;
}

static int manager_open(struct disk_manager **ret, struct error *err)
{
	return test_folder() ? 0 : disk_manager_new(NULL, ret, err);
}

static int place_mount(struct disk_manager *manager, const struct host_volume *volume,
		       const char *place, struct error *err)
{
	if (manager)
		return disk_mount(manager, volume, place, err);
	if (symlink(volume->tree, place) == 0)
		return 0;
	return error_set_errno(err, ERROR_REFUSED, "kernel", errno, "%s", place);
}

static int place_unmount(struct disk_manager *manager, const char *place, struct error *err)
{
	int r = manager ? disk_unmount(manager, place, err) : 0;

	if (r == 0 && manager)
		(void)rmdir(place);
	else if (r == 0)
		(void)unlink(place);
	return r;
}

/* --- looking --------------------------------------------------------------------------------- */

/* Windows may sleep on an NTFS, and have the others open: only looking into them tells. */
static void see_windows(struct look *look)
{
	bool sleeps = false;

	for (size_t i = 0; i < look->count; i++) {
		_cleanup_(host_seen_done) struct host_seen seen = { 0 };

		if (!host_volume_is_windows(&look->volumes[i]) ||
		    look->volumes[i].mounted[0] != '\0')
			continue;
		host_see(&look->volumes[i], false, &seen);
		look->volumes[i].cause = seen.cause;
		sleeps = sleeps || seen.folder.sleeps;
	}
	for (size_t i = 0; sleeps && i < look->count; i++)
		if (host_volume_is_windows(&look->volumes[i]) &&
		    look->volumes[i].cause == HOST_CAUSE_NONE)
			look->volumes[i].cause = HOST_CAUSE_SLEEPER;
}

static int look_at_all(struct look *look, struct error *err)
{
	int r = host_volumes_find_all(look->volumes, &look->count, err);

	if (r < 0)
		return r;
	for (size_t i = 0; test_folder() && i < look->count; i++)
		test_find_mounted(&look->volumes[i]);
	see_windows(look);
	for (size_t i = 0; i < look->count; i++)
		look->causes[i] = disk_judge(&look->volumes[i], parent_folder());
	return 0;
}

/* --- telling --------------------------------------------------------------------------------- */

static void add_volume(struct object *object, const struct host_volume *volume)
{
	object_text(object, "id", volume->name);
	object_text(object, "device", volume->path);
	object_text(object, "disk", volume->disk);
	object_text(object, "filesystem", volume->filesystem);
	object_text(object, "label", volume->label);
	object_text(object, "uuid", volume->uuid);
	object_number(object, "size_bytes", volume->size_bytes);
	object_flag(object, "internal", volume->internal);
}

static void add_room(struct object *object, const char *place)
{
	struct statvfs vfs;

	if (statvfs(place, &vfs) == 0)
		object_number(object, "free_bytes", (uint64_t)vfs.f_bavail * vfs.f_frsize);
}

static int tell(const struct host_volume *volume, enum disk_cause cause)
{
	_cleanup_free_ char *text = disk_cause_text(cause, volume);
	_cleanup_(object_done) struct object object = { 0 };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *event = NULL;
	bool used = disk_is_used(volume, parent_folder());
	char folder[PLACE_BYTES + sizeof(DISK_FOLDER)];
	int r;

	add_volume(&object, volume);
	object_text(&object, "cause", disk_cause_name(cause));
	object_text(&object, "text", text);
	if (used) {
		snprintf(folder, sizeof(folder), "%s/%s", volume->mounted, DISK_FOLDER);
		object_text(&object, "folder", folder);
		add_room(&object, volume->mounted);
	}
	r = object_end(&object, &event);
	return r < 0 ? r : reply_event("disk", event);
}

/* Left out: the stick itself, and what looks empty in the computer, where nobody should think of
 * formatting. */
static bool is_choice(const struct host_volume *volume, enum disk_cause cause)
{
	return cause != DISK_OURS && !(cause == DISK_EMPTY && volume->internal);
}

static int run_list(struct look *look, sd_json_variant **ret_fields, struct error *err)
{
	size_t told = 0;
	int r = look_at_all(look, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < look->count; i++) {
		if (!is_choice(&look->volumes[i], look->causes[i]))
			continue;
		r = tell(&look->volumes[i], look->causes[i]);
		told++;
	}
	if (r >= 0)
		r = sd_json_buildo(ret_fields, SD_JSON_BUILD_PAIR_UNSIGNED("disks", told));
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot tell of the disks")
		     : 0;
}

/* --- the folder ------------------------------------------------------------------------------ */

/* A file system with owners: the service and its workers write there, whoever made the folder. */
static int give_folder(int folder)
{
	const struct passwd *user = getpwnam(service_user);
	const struct group *group = getgrnam(data_group);

	if (!user || !group)
		return -ESRCH;
	if (fchown(folder, user->pw_uid, group->gr_gid) < 0)
		return -errno;
	return fchmod(folder, FOLDER_MODE) < 0 ? -errno : 0;
}

static bool keeps_owners(const struct host_volume *volume)
{
	return volume->tree[0] == '\0' && strncmp(volume->filesystem, "ext", 3) == 0;
}

/* -EROFS: the driver has seen something that we have not, and fell back to read-only. -ENOTDIR: a
 * file or a link has the folder's name. */
static int make_folder(const struct host_volume *volume, const char *place)
{
	_cleanup_close_ int root = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int folder = -1;
	struct statvfs vfs;

	if (root < 0 || fstatvfs(root, &vfs) < 0)
		return -errno;
	if (vfs.f_flag & ST_RDONLY)
		return -EROFS;
	if (mkdirat(root, DISK_FOLDER, FOLDER_MODE & 0777) < 0 && errno != EEXIST)
		return -errno;
	folder = host_folder_open(root, DISK_FOLDER);
	if (folder < 0)
		return folder;
	return keeps_owners(volume) ? give_folder(folder) : 0;
}

/* Is there a mount of its own? It would be our bug if it came to nothing in our name space: the
 * folder would lie in RAM. */
static bool is_mount_point(const char *place)
{
	struct stat here, above;

	return stat(place, &here) == 0 && stat(parent_folder(), &above) == 0 &&
	       here.st_dev != above.st_dev;
}

static int folder_failed(const struct host_volume *volume, int r, struct error *err)
{
	const char *id = r == -EROFS    ? "disk-no-protected"
			 : r == -ENOSPC ? "disk-full"
					: "disk-folder-failed";
	_cleanup_free_ char *text = message_format(id, "id", volume->name, "folder", DISK_FOLDER,
						   "why", strerror(-r), NULL);

	(void)error_set(err, r == -ENOSPC ? ERROR_NO_SPACE : ERROR_REFUSED, "kernel", -r, "%s",
			text ?: volume->name);
	return r;
}

/* --- use ------------------------------------------------------------------------------------- */

static int refuse(const struct host_volume *volume, const char *id, struct error *err)
{
	_cleanup_free_ char *text =
	    message_format(id, "id", volume->name, "disk", volume->disk, "uuid", volume->uuid,
			   "folder", DISK_FOLDER, NULL);

	return error_set(err, ERROR_REFUSED, "worker", 0, "%s", text ?: volume->name);
}

/* What lies at its place is another volume's, or was this one's before it was pulled out. */
static int clear_place(const struct look *look, struct disk_manager *manager,
		       const struct host_volume *volume, const char *place, struct error *err)
{
	for (size_t i = 0; i < look->count; i++)
		if (strcmp(look->volumes[i].mounted, place) == 0)
			return refuse(volume, "disk-same-id", err);
	if (test_folder() ? access(place, F_OK) < 0 : !is_mount_point(place))
		return 0;
	return place_unmount(manager, place, err);
}

static int mount_new(const struct look *look, struct disk_manager *manager,
		     const struct host_volume *volume, const char *place, struct error *err)
{
	int r = clear_place(look, manager, volume, place, err);

	if (r == 0)
		r = place_mount(manager, volume, place, err);
	if (r < 0)
		return r;
	r = test_folder() || is_mount_point(place) ? make_folder(volume, place) : -ENOTCONN;
	if (r == 0)
		return 0;
	(void)place_unmount(manager, place, NULL);
	return folder_failed(volume, r, err);
}

static int result_build(const struct host_volume *volume, const char *place, sd_json_variant **ret,
			struct error *err)
{
	_cleanup_(object_done) struct object object = { 0 };
	char folder[PLACE_BYTES + sizeof(DISK_FOLDER)];
	int r;

	snprintf(folder, sizeof(folder), "%s/%s", place, DISK_FOLDER);
	add_volume(&object, volume);
	object_text(&object, "folder", folder);
	add_room(&object, place);
	r = object_end(&object, ret);
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result") : 0;
}

/* May it be mounted, as far as is known? */
static int check_volume(const struct host_volume *volume, enum disk_cause cause,
			const struct wish *wish, struct error *err)
{
	_cleanup_free_ char *text = disk_cause_text(cause, volume);

	if (cause != DISK_NONE)
		return error_set(err, ERROR_REFUSED, "worker", 0, "%s",
				 text ?: disk_cause_name(cause));
	if (volume->internal && !wish->internal)
		return refuse(volume, "disk-internal", err);
	return 0;
}

static int run_use(struct look *look, const struct wish *wish, sd_json_variant **ret_fields,
		   struct error *err)
{
	_cleanup_(disk_manager_freep) struct disk_manager *manager = NULL;
	const struct host_volume *volume;
	char place[PLACE_BYTES];
	size_t at = 0;
	int r = manager_open(&manager, err);

	if (r == 0)
		r = look_at_all(look, err);
	if (r == 0)
		r = disk_choose(look->volumes, look->count, wish->volume, &at, err);
	if (r < 0)
		return r;
	volume = &look->volumes[at];
	r = check_volume(volume, look->causes[at], wish, err);
	if (r < 0)
		return r;
	place_of(volume, place);
	if (strcmp(volume->mounted, place) != 0) {
		r = mount_new(look, manager, volume, place, err);
	} else {
		r = make_folder(volume, place);
		r = r < 0 ? folder_failed(volume, r, err) : 0;
	}
	return r < 0 ? r : result_build(volume, place, ret_fields, err);
}

/* --- end ------------------------------------------------------------------------------------- */

/* All are tried; the first failure is told. */
static int run_end(const struct wish *wish, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_(disk_manager_freep) struct disk_manager *manager = NULL;
	_cleanup_(closedirp) DIR *list = NULL;
	struct dirent *entry;
	uint64_t ended = 0;
	int r = manager_open(&manager, err);

	if (r < 0)
		return r;
	list = opendir(parent_folder());
	while (list && (entry = readdir(list))) {
		struct error failure = { 0 };
		char place[PLACE_BYTES];
		int n;

		if (entry->d_name[0] == '.' ||
		    (wish->keep && strcmp(entry->d_name, wish->keep) == 0))
			continue;
		if (entry->d_type != (test_folder() ? DT_LNK : DT_DIR))
			continue;
		n = snprintf(place, sizeof(place), "%s/%s", parent_folder(), entry->d_name);
		if (n < 0 || (size_t)n >= sizeof(place))
			continue;
		n = place_unmount(manager, place, &failure);
		if (n == 0)
			ended++;
		if (n == 0 || r < 0)
			continue;
		*err = failure;
		r = n;
	}
	if (r < 0)
		return r;
	r = sd_json_buildo(ret_fields, SD_JSON_BUILD_PAIR_UNSIGNED("ended", ended));
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result") : 0;
}

int disk_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_free_ struct look *look = calloc(1, sizeof(*look));
	_cleanup_close_ int lock = -1;
	struct wish wish = { 0 };
	int r = request_fields(request, wish_table, &wish, err);

	if (r < 0)
		return r;
	if (!look)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM,
				       "Cannot look at the disks");
	bool list = strcmp(wish.action, "list") == 0, use = strcmp(wish.action, "use") == 0;
	bool end = strcmp(wish.action, "end") == 0;

	if ((!list && !use && !end) || (use && !wish.volume) || (!use && wish.volume) ||
	    (!end && wish.keep))
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"action\" is no action, or not with these fields");
	r = check_system(err);
	if (r == 0)
		r = host_lock(&lock, err);
	if (r < 0)
		return r;
	if (list)
		return run_list(look, ret_fields, err);
	return use ? run_use(look, &wish, ret_fields, err) : run_end(&wish, ret_fields, err);
}
