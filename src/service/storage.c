/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "service/storage.h"
#include "base/text.h"
#include "facts/facts.h"
#include "service/data_note.h"
#include "service/storage_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	/* In the image the folder above has the group that the workers are in, and hands it on; our
	 * sandbox forbids setting that bit ourselves (RestrictSUIDSGID=). */
	FOLDER_MODE = 0770,
	/* Journal, report and the engine's log of one job. */
	ROOM_BYTES_MIN = 4 * 1024 * 1024,
};

static const char mount_default[] = "/data";
static const char ram_default[] = "/var/lib/idevicerescue";
static const char name_in_mount[] = "idevicerescue";
static const char records_marker[] = "/kept.json";

int storage_new(const struct storage_options *options, struct storage **ret)
{
	_cleanup_(storage_freep) struct storage *storage = calloc(1, sizeof(*storage));

	if (!storage)
		return -ENOMEM;
	storage->mount = strdup(options->mount ? options->mount : mount_default);
	storage->ram = strdup(options->ram ? options->ram : ram_default);
	if (options->folder)
		storage->folder = strdup(options->folder);
	if (options->cache)
		storage->cache = strdup(options->cache);
	if (options->note)
		storage->note = strdup(options->note);
	if (!storage->mount || !storage->ram || (options->folder && !storage->folder) ||
	    (options->cache && !storage->cache) || (options->note && !storage->note))
		return -ENOMEM;
	*ret = TAKE(storage);
	return 0;
}

struct storage *storage_free(struct storage *storage)
{
	if (!storage)
		return NULL;
	free(storage->folder);
	free(storage->mount);
	free(storage->ram);
	free(storage->cache);
	free(storage->note);
	free(storage);
	return NULL;
}

/* --- which place ----------------------------------------------------------------------------- */

static bool is_mount_point(const char *path)
{
	char parent[PLAN_ROOM_BYTES];
	struct stat here, above;
	int n = snprintf(parent, sizeof(parent), "%s/..", path);

	return n > 0 && (size_t)n < sizeof(parent) && stat(path, &here) == 0 &&
	       S_ISDIR(here.st_mode) && stat(parent, &above) == 0 && here.st_dev != above.st_dev;
}

static void mount_folder(const struct storage *storage, char ret[static PLAN_ROOM_BYTES])
{
	snprintf(ret, PLAN_ROOM_BYTES, "%s/%s", storage->mount, name_in_mount);
}

void storage_folder(const struct storage *storage, char ret[static PLAN_ROOM_BYTES])
{
	if (storage->folder)
		text_copy(ret, PLAN_ROOM_BYTES, storage->folder);
	else if (is_mount_point(storage->mount))
		mount_folder(storage, ret);
	else
		text_copy(ret, PLAN_ROOM_BYTES, storage->ram);
}

void storage_job_folders(const struct storage *storage,
			 char ret[static STORAGE_FOLDERS_MAX][PLAN_ROOM_BYTES])
{
	struct room room = { 0 };
	size_t n = 0;

	memset(ret, 0, (size_t)STORAGE_FOLDERS_MAX * PLAN_ROOM_BYTES);
	if (storage->folder) {
		text_copy(room.folder, sizeof(room.folder), storage->folder);
		room_jobs_folder(&room, ret[n++]);
		return;
	}
	if (is_mount_point(storage->mount)) {
		mount_folder(storage, room.folder);
		room_jobs_folder(&room, ret[n++]);
	}
	text_copy(room.folder, sizeof(room.folder), storage->ram);
	room_jobs_folder(&room, ret[n++]);
}

static void sub_folder(const struct room *room, const char *name, char ret[static PLAN_ROOM_BYTES])
{
	int n = snprintf(ret, PLAN_ROOM_BYTES, "%s/%s", room->folder, name);

	if (n < 0 || n >= PLAN_ROOM_BYTES)
		ret[0] = '\0'; /* half a path would be another one */
}

void room_jobs_folder(const struct room *room, char ret[static PLAN_ROOM_BYTES])
{
	sub_folder(room, "jobs", ret);
}

void room_firmware_folder(const struct room *room, char ret[static PLAN_ROOM_BYTES])
{
	if (room->cache[0] != '\0')
		text_copy(ret, PLAN_ROOM_BYTES, room->cache);
	else
		sub_folder(room, "firmware", ret);
}

void room_records_folder(const struct room *room, char ret[static PLAN_ROOM_BYTES])
{
	sub_folder(room, "pairings", ret);
}

bool storage_records_kept(const struct storage *storage, char ret[static PLAN_ROOM_BYTES])
{
	char folder[PLAN_ROOM_BYTES], marker[PLAN_ROOM_BYTES + sizeof(records_marker)];
	struct room room = { 0 };
	struct stat file;

	storage_folder(storage, room.folder);
	room_records_folder(&room, folder);
	snprintf(marker, sizeof(marker), "%s%s", folder, records_marker);
	if (folder[0] == '\0' || lstat(marker, &file) < 0 || !S_ISREG(file.st_mode))
		return false;
	text_copy(ret, PLAN_ROOM_BYTES, folder);
	return true;
}

/* --- what it offers -------------------------------------------------------------------------- */

/* The message for what the kernel says of a disk. */
static const char *reason_of(int errno_value)
{
	switch (errno_value) {
	case EROFS:
		return "storage-read-only";
	case ENOSPC:
	case EDQUOT:
		return "storage-full";
	case ENOENT:
	case ENOTDIR:
	case ENODEV:
	case ENXIO:
	case ESTALE:
	case ENOTCONN:
		return "storage-gone";
	case EIO:
	case EUCLEAN:
	case EBADMSG:
		return "storage-worn";
	default:
		return "storage-unwritable";
	}
}

int storage_refuse(const char *folder, int errno_value, struct error *err)
{
	_cleanup_free_ char *text = message_format(reason_of(errno_value), "folder", folder, NULL);

	(void)error_set(err, ERROR_NO_SPACE, "kernel", errno_value, "%s",
			text ?: strerror(errno_value));
	return -ENOSPC;
}

static int folder_make(const char *path, struct error *err)
{
	if (path[0] == '\0')
		return storage_refuse("", ENAMETOOLONG, err);
	if (mkdir(path, FOLDER_MODE) < 0 && errno != EEXIST)
		return storage_refuse(path, errno, err);
	if (access(path, W_OK | X_OK) < 0)
		return storage_refuse(path, errno, err);
	return 0;
}

bool storage_is_ram(const struct statfs *fs)
{
	return fs->f_type == TMPFS_MAGIC || fs->f_type == RAMFS_MAGIC ||
	       fs->f_type == OVERLAYFS_SUPER_MAGIC;
}

/* "MemAvailable:" or another line of the kernel's, 0 if it does not say. */
static uint64_t ram_line(const char *field)
{
	const size_t n = strlen(field);
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t kib = 0;
	char line[128];

	while (file && kib == 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, field, n) == 0)
			kib = strtoull(line + n, NULL, 10);
	if (file)
		fclose(file);
	return kib * 1024;
}

int storage_room(const struct storage *storage, struct room *ret, struct error *err)
{
	struct room room = {
		.ram_free_bytes = ram_line("MemAvailable:"),
		.ram_bytes = ram_line("MemTotal:"),
	};
	char jobs[PLAN_ROOM_BYTES], firmware[PLAN_ROOM_BYTES];
	struct statfs fs;
	int r;

	storage_folder(storage, room.folder);
	room_jobs_folder(&room, jobs);
	room_firmware_folder(&room, firmware);
	r = folder_make(room.folder, err);
	if (r >= 0)
		r = folder_make(jobs, err);
	if (r >= 0)
		r = folder_make(firmware, err);
	if (r < 0)
		return r;
	if (statfs(room.folder, &fs) < 0)
		return storage_refuse(room.folder, errno, err);
	room.lasting = !storage_is_ram(&fs);
	if (!room.lasting && !storage->folder)
		room.why = data_note_why(storage->note);
	room.free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	if (room.free_bytes < ROOM_BYTES_MIN)
		return storage_refuse(room.folder, ENOSPC, err);
	*ret = room;
	return 0;
}
