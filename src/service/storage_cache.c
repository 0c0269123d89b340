/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Where firmware comes from and goes to, if the person chose: what the service was started with,
 * else FOLDER/settings.json, which is read anew each time: a data partition may be mounted later.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/object.h"
#include "base/text.h"
#include "facts/facts.h"
#include "service/cache.h"
#include "service/storage_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { SETTINGS_VERSION = 1, SETTINGS_BYTES_MAX = 16 * 1024 };

static const char settings_name[] = "settings.json";
static const char off_word[] = "off";

struct choice {
	char folder[PLAN_ROOM_BYTES];   /* "" none */
	char mirror[STORAGE_URL_BYTES]; /* "" none */
	char disk[STORAGE_DISK_BYTES];  /* "" none */
};

/* --- words ----------------------------------------------------------------------------------- */

static bool is_url(const char *word)
{
	size_t scheme = strncasecmp(word, "https://", 8) == 0  ? 8
			: strncasecmp(word, "http://", 7) == 0 ? 7
							       : 0;

	if (scheme == 0 || word[scheme] == '\0' || word[scheme] == '/')
		return false;
	for (const unsigned char *c = (const unsigned char *)word; *c != '\0'; c++)
		if (*c <= ' ' || *c >= 0x7f || strchr("\"<>\\^`{|}?#@", *c))
			return false;
	return true;
}

static bool take_url(const char *word, char ret[static STORAGE_URL_BYTES])
{
	size_t n = strlen(word);

	if (!is_url(word) || n >= STORAGE_URL_BYTES)
		return false;
	text_copy(ret, STORAGE_URL_BYTES, word);
	while (n > 0 && ret[n - 1] == '/')
		ret[--n] = '\0';
	return is_url(ret);
}

static bool take_folder(const char *word, char ret[static PLAN_ROOM_BYTES])
{
	/* a name of a file must fit behind it */
	if (word[0] != '/' || strlen(word) + 1 + CACHE_FILE_BYTES >= PLAN_ROOM_BYTES)
		return false;
	return text_copy(ret, PLAN_ROOM_BYTES, word) == strlen(word);
}

/* It goes into requests to worker disk only. */
static bool take_disk(const char *word, char ret[static STORAGE_DISK_BYTES])
{
	static const char allowed[] = "0123456789-abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = strlen(word);

	return n > 0 && strspn(word, allowed) == n && n < STORAGE_DISK_BYTES &&
	       text_copy(ret, STORAGE_DISK_BYTES, word) == n;
}

bool storage_word_is_url(const char *word)
{
	return is_url(word);
}

bool storage_word_is_disk(const char *word)
{
	if (word[0] == '\0' || strcmp(word, off_word) == 0)
		return false;
	return strncmp(word, "/dev/", strlen("/dev/")) == 0 || !strchr(word, '/');
}

/* --- settings -------------------------------------------------------------------------------- */

static void settings_read(const struct storage *storage, struct choice *ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_close_ int folder_fd = -1, fd = -1;
	char folder[PLAN_ROOM_BYTES];
	_cleanup_free_ char *text = NULL;
	const char *word;
	size_t n;

	*ret = (struct choice){ 0 };
	storage_folder(storage, folder);
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd >= 0)
		fd = openat(folder_fd, settings_name,
			    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || file_read_whole(fd, SETTINGS_BYTES_MAX, &text, &n) < 0 ||
	    memchr(text, '\0', n) ||
	    sd_json_parse(text, SD_JSON_PARSE_MUST_BE_OBJECT, &object, NULL, NULL) < 0)
		return;
	word = object_peek_text(object, "cache");
	if (word && !take_folder(word, ret->folder))
		ret->folder[0] = '\0';
	word = object_peek_text(object, "mirror");
	if (word && !take_url(word, ret->mirror))
		ret->mirror[0] = '\0';
	word = object_peek_text(object, "disk");
	if (word && !take_disk(word, ret->disk))
		ret->disk[0] = '\0';
}

/* Its folder is left in order: a disk may be pulled out then. */
static void choice_close(const struct storage *storage, const struct choice *choice)
{
	struct room room = { 0 };

	storage_folder(storage, room.folder);
	text_copy(room.cache, sizeof(room.cache), choice->folder);
	cache_close(&room);
}

static int settings_write(const struct storage *storage, const struct choice *choice,
			  struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_close_ int folder_fd = -1;
	_cleanup_free_ char *text = NULL;
	struct choice former;
	struct room room;
	int r = storage_room(storage, &room, err);

	if (r < 0)
		return r;
	settings_read(storage, &former);
	folder_fd = open(room.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder_fd < 0)
		return storage_refuse(room.folder, errno, err);
	r = sd_json_buildo(&object, SD_JSON_BUILD_PAIR_UNSIGNED("v", SETTINGS_VERSION),
			   SD_JSON_BUILD_PAIR_CONDITION(choice->folder[0] != '\0', "cache",
							SD_JSON_BUILD_STRING(choice->folder)),
			   SD_JSON_BUILD_PAIR_CONDITION(choice->mirror[0] != '\0', "mirror",
							SD_JSON_BUILD_STRING(choice->mirror)),
			   SD_JSON_BUILD_PAIR_CONDITION(choice->disk[0] != '\0', "disk",
							SD_JSON_BUILD_STRING(choice->disk)));
	if (r >= 0)
		r = sd_json_variant_format(object, SD_JSON_FORMAT_NEWLINE, &text);
	if (r >= 0)
		r = file_write_whole(folder_fd, settings_name, text, strlen(text));
	if (r < 0)
		return storage_refuse(room.folder, -r, err);
	if (strcmp(former.folder, choice->folder) != 0)
		choice_close(storage, &former);
	return 0;
}

static void choice_read(const struct storage *storage, struct choice *ret)
{
	settings_read(storage, ret);
	if (!storage->cache || take_url(storage->cache, ret->mirror))
		return;
	/* one that is too long is refused when it is used, not passed over */
	text_copy(ret->folder, sizeof(ret->folder), storage->cache);
}

/* --- what others ask ------------------------------------------------------------------------- */

static int folder_look(const char *folder, struct room *room, struct error *err)
{
	struct stat st, of_jobs;
	struct statfs fs;

	if (stat(folder, &st) < 0)
		return storage_refuse(folder, errno, err);
	if (!S_ISDIR(st.st_mode))
		return storage_refuse(folder, ENOTDIR, err);
	if (access(folder, W_OK | X_OK) < 0 || statfs(folder, &fs) < 0)
		return storage_refuse(folder, errno, err);
	room->fat = fs.f_type == MSDOS_SUPER_MAGIC;
	room->cache_in_memory = storage_is_ram(&fs);
	room->cache_here = stat(room->folder, &of_jobs) == 0 && st.st_dev == of_jobs.st_dev;
	room->cache_free_bytes = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	return 0;
}

/* A disk that we had mounted: was it pulled out? As long as somebody uses it, it stays mounted, and
 * the kernel may even answer from its memory; only the device is not there any more. */
static bool disk_is_gone(const char *folder, bool answers)
{
	char place[PLAN_ROOM_BYTES], device[64];
	struct stat st;
	char *end;

	text_copy(place, sizeof(place), folder);
	end = strrchr(place, '/');
	if (end)
		*end = '\0';
	if (stat(place, &st) < 0)
		return true;
	if (major(st.st_dev) == 0) /* of no device: memory, if nothing is mounted */
		return !answers;
	snprintf(device, sizeof(device), "/sys/dev/block/%u:%u", major(st.st_dev),
		 minor(st.st_dev));
	return access(device, F_OK) < 0;
}

/* Looking at the folder told r (err). More is known if it is on a disk that was named. */
static int check_disk(const struct choice *choice, const char *folder, int r, struct error *err)
{
	_cleanup_free_ char *text = NULL;

	if (choice->disk[0] == '\0' || !strstr(folder, choice->disk) ||
	    !disk_is_gone(folder, r >= 0))
		return r;
	text = message_format("storage-disk-gone", "folder", folder, NULL);
	(void)error_set(err, ERROR_NO_SPACE, "service", 0, "%s", text ?: folder);
	return -ENOSPC;
}

int storage_add_cache(const struct storage *storage, struct room *room, struct error *err)
{
	char folder[PLAN_ROOM_BYTES];
	struct choice choice;
	struct room found = *room;
	int r;

	choice_read(storage, &choice);
	if (choice.folder[0] != '\0' && !take_folder(choice.folder, found.cache))
		return error_set(err, ERROR_USAGE, "service", 0,
				 "the folder for firmware needs its whole path, and a short one: "
				 "'%.100s'",
				 choice.folder);
	room_firmware_folder(&found, folder);
	r = folder_look(folder, &found, err);
	r = check_disk(&choice, folder, r, err);
	if (r < 0)
		return r;
	if (found.cache[0] == '\0')
		found.cache_free_bytes = 0;
	*room = found;
	return 0;
}

bool storage_mirror(const struct storage *storage, char ret[static STORAGE_URL_BYTES])
{
	struct choice choice;

	choice_read(storage, &choice);
	if (choice.mirror[0] == '\0')
		return false;
	text_copy(ret, STORAGE_URL_BYTES, choice.mirror);
	return true;
}

int storage_choose(const struct storage *storage, const char *word, struct error *err)
{
	struct room room = { 0 };
	struct choice choice;
	int r = 0;

	settings_read(storage, &choice);
	if (strcmp(word, off_word) == 0)
		choice.folder[0] = choice.mirror[0] = '\0';
	else if (is_url(word) && take_url(word, choice.mirror))
		r = 0;
	else if (!is_url(word) && take_folder(word, choice.folder))
		r = folder_look(choice.folder, &room, err);
	else
		return error_set(err, ERROR_USAGE, "service", 0,
				 "'%.100s' is neither the whole path of a folder, nor an address "
				 "that begins with http:// or https://, nor 'off'",
				 word);
	return r < 0 ? r : settings_write(storage, &choice, err);
}

int storage_choose_disk(const struct storage *storage, const char *folder, const char *uuid,
			struct error *err)
{
	struct room room = { 0 };
	struct choice choice;
	int r;

	settings_read(storage, &choice);
	if (!take_folder(folder, choice.folder) || !take_disk(uuid, choice.disk))
		return error_set(err, ERROR_PROTOCOL, "service", 0,
				 "the disk was mounted at a place that is none: '%.100s'", folder);
	r = folder_look(choice.folder, &room, err);
	return r < 0 ? r : settings_write(storage, &choice, err);
}

bool storage_disk(const struct storage *storage, char ret[static STORAGE_DISK_BYTES])
{
	struct choice choice;

	settings_read(storage, &choice);
	if (choice.disk[0] == '\0')
		return false;
	text_copy(ret, STORAGE_DISK_BYTES, choice.disk);
	return true;
}

int storage_forget_disk(const struct storage *storage)
{
	struct choice choice;

	settings_read(storage, &choice);
	choice.disk[0] = '\0';
	return settings_write(storage, &choice, NULL);
}

void storage_close(const struct storage *storage)
{
	struct choice choice;

	choice_read(storage, &choice);
	choice_close(storage, &choice);
}
