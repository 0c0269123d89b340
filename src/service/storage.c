/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "service/storage.h"
#include "base/text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

enum {
	/* In the image the folder above has the group that the workers are in, and hands it on; our
	 * sandbox forbids setting that bit ourselves (RestrictSUIDSGID=). */
	FOLDER_MODE = 0770,
	FILE_MODE = 0660,
	/* Journal, report and the engine's log of one job. */
	ROOM_BYTES_MIN = 4 * 1024 * 1024,
	NOTE_BYTES_MAX = 16 * 1024,
};

static const char mount_default[] = "/data";
static const char ram_default[] = "/var/lib/idevicerescue";
static const char name_in_mount[] = "idevicerescue";
static const char note_suffix[] = ".json";

struct storage {
	char *folder; /* NULL: mount or ram */
	char *mount, *ram;
};

int storage_new(const struct storage_options *options, struct storage **ret)
{
	_cleanup_(storage_freep) struct storage *storage = calloc(1, sizeof(*storage));

	if (!storage)
		return -ENOMEM;
	storage->mount = strdup(options->mount ? options->mount : mount_default);
	storage->ram = strdup(options->ram ? options->ram : ram_default);
	if (options->folder)
		storage->folder = strdup(options->folder);
	if (!storage->mount || !storage->ram || (options->folder && !storage->folder))
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

static void pick_folder(const struct storage *storage, char ret[static PLAN_ROOM_BYTES])
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
	sub_folder(room, "firmware", ret);
}

/* --- what it offers -------------------------------------------------------------------------- */

static int folder_refuse(const char *path, int errno_value, struct error *err)
{
	(void)error_set(err, ERROR_NO_SPACE, "kernel", errno_value,
			errno_value == EROFS ? "the folder '%s' is on a read-only disk: nothing "
					       "can be kept there"
			: errno_value == ENOSPC
			    ? "the disk of the folder '%s' is full: no job can be recorded there"
			    : "the folder '%s' cannot be written",
			path);
	return -ENOSPC;
}

static int folder_make(const char *path, struct error *err)
{
	if (path[0] == '\0')
		return folder_refuse("", ENAMETOOLONG, err);
	if (mkdir(path, FOLDER_MODE) < 0 && errno != EEXIST)
		return folder_refuse(path, errno, err);
	if (access(path, W_OK | X_OK) < 0)
		return folder_refuse(path, errno, err);
	return 0;
}

static bool is_ram(const struct statfs *fs)
{
	return fs->f_type == TMPFS_MAGIC || fs->f_type == RAMFS_MAGIC ||
	       fs->f_type == OVERLAYFS_SUPER_MAGIC;
}

/* MemAvailable, 0 if the kernel does not say. */
static uint64_t ram_available(void)
{
	static const char field[] = "MemAvailable:";
	FILE *file = fopen("/proc/meminfo", "re");
	uint64_t kib = 0;
	char line[128];

	while (file && kib == 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, field, sizeof(field) - 1) == 0)
			kib = strtoull(line + sizeof(field) - 1, NULL, 10);
	if (file)
		fclose(file);
	return kib * 1024;
}

int storage_room(const struct storage *storage, struct room *ret, struct error *err)
{
	struct room room = { .ram_free_bytes = ram_available() };
	char jobs[PLAN_ROOM_BYTES], firmware[PLAN_ROOM_BYTES];
	struct statfs fs;
	int r;

	pick_folder(storage, room.folder);
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
		return folder_refuse(room.folder, errno, err);
	room.lasting = !is_ram(&fs);
	room.free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	if (room.free_bytes < ROOM_BYTES_MIN)
		return folder_refuse(room.folder, ENOSPC, err);
	*ret = room;
	return 0;
}

/* --- firmware files that are there ----------------------------------------------------------- */

static int note_write(const char *path, const char *text)
{
	_cleanup_free_ char *draft = NULL;
	size_t bytes = strlen(text);
	ssize_t n;
	int fd;

	if (asprintf(&draft, "%s.new", path) < 0)
		return -ENOMEM;
	fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (fd < 0)
		return -errno;
	n = write(fd, text, bytes);
	if (close(fd) < 0 || n != (ssize_t)bytes || rename(draft, path) < 0) {
		int r = n >= 0 && n != (ssize_t)bytes ? -ENOSPC : -errno;

		(void)unlink(draft);
		return r;
	}
	return 0;
}

int storage_note_firmware(const struct firmware *firmware)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_free_ char *text = NULL, *path = NULL;
	int r = firmware_to_json(firmware, &object);

	if (r >= 0)
		r = sd_json_variant_format(object, 0, &text);
	if (r < 0)
		return r;
	if (asprintf(&path, "%s%s", firmware->path, note_suffix) < 0)
		return -ENOMEM;
	return note_write(path, text);
}

static int note_read(const char *path, struct firmware *ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[NOTE_BYTES_MAX];
	ssize_t n;
	int r;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0 || memchr(text, '\0', (size_t)n))
		return -EBADMSG;
	text[n] = '\0';
	r = sd_json_parse(text, 0, &object, NULL, NULL);
	return r < 0 ? -EBADMSG : firmware_from_json(object, ret);
}

static bool is_whole(const struct firmware *firmware)
{
	struct stat file;

	return lstat(firmware->path, &file) == 0 && S_ISREG(file.st_mode) && file.st_size > 0 &&
	       (firmware->size == 0 || (uint64_t)file.st_size == firmware->size);
}

/* The note NAME.json of `folder`, if its file is whole and fits. */
static bool note_fits(const char *folder, const char *note, const char *product, const char *build,
		      struct firmware *ret)
{
	size_t stem = strlen(note) - (sizeof(note_suffix) - 1);
	char path[FIRMWARE_PATH_BYTES];
	int n = snprintf(path, sizeof(path), "%s/%s", folder, note);

	if (n < 0 || (size_t)n >= sizeof(path) || note_read(path, ret) < 0)
		return false;
	/* the folder may be mounted elsewhere today */
	snprintf(ret->path, sizeof(ret->path), "%s/%.*s", folder, (int)stem, note);
	return strcmp(ret->product, product) == 0 && (!build || strcmp(ret->build, build) == 0) &&
	       is_whole(ret);
}

static bool is_note(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n >= sizeof(note_suffix) &&
	       strcmp(name + n - (sizeof(note_suffix) - 1), note_suffix) == 0;
}

int storage_find_firmware(const struct room *room, const char *product, const char *build,
			  struct firmware *ret)
{
	char folder[PLAN_ROOM_BYTES];
	struct firmware found;
	struct dirent *entry;
	time_t newest = -1;
	DIR *dir;

	room_firmware_folder(room, folder);
	dir = opendir(folder);
	while (dir && (entry = readdir(dir))) {
		struct stat file;

		if (!is_note(entry->d_name) ||
		    !note_fits(folder, entry->d_name, product, build, &found) ||
		    stat(found.path, &file) < 0 || file.st_mtime <= newest)
			continue;
		newest = file.st_mtime;
		*ret = found;
	}
	if (dir)
		closedir(dir);
	return newest >= 0 ? 0 : -ENOENT;
}
