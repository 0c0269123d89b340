/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * names in the folder ──▶ entries (+ notes, + who holds locks)
 *
 * Locks are read from /proc/locks, not tried: a worker that wants its lock at that moment gets it.
 */
#include "service/cache_look.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "service/fields.h"
#include "service/storage.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

enum { LOCK_LINE_BYTES = 160, LOCKS_MAX = 1024 };

static const char whole_end[] = CACHE_WHOLE_END, part_end[] = ".ipsw.part", bad_end[] = ".ipsw.bad";

/* --- who holds locks ------------------------------------------------------------------------- */

struct lock {
	dev_t dev;
	ino_t inode;
};

struct cache_locks {
	size_t count;
	struct lock each[LOCKS_MAX];
};

/* The number at *at in this base and the `end` behind it, which is passed. False: there is none. */
static bool number_read(const char **at, int base, char end, unsigned long *ret)
{
	char *behind;

	errno = 0;
	*ret = strtoul(*at, &behind, base);
	if (errno != 0 || behind == *at || *behind != end)
		return false;
	*at = behind + 1;
	return true;
}

/* "1: FLOCK  ADVISORY  WRITE 815 08:02:1234 0 EOF"; of one that waits, "->" is the second word. */
static bool lock_read(const char *line, struct lock *ret)
{
	enum { PLACE_WORD = 5 };
	unsigned long major_id, minor_id, inode;
	const char *at = strstr(line, " FLOCK ");

	if (!at)
		return false;
	at = line + strspn(line, " ");
	for (unsigned word = 0; word < PLACE_WORD; word++) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	if (!number_read(&at, 16, ':', &major_id) || !number_read(&at, 16, ':', &minor_id) ||
	    !number_read(&at, 10, ' ', &inode))
		return false;
	*ret = (struct lock){ makedev((unsigned)major_id, (unsigned)minor_id), (ino_t)inode };
	return true;
}

static void locks_read(struct cache_locks *locks)
{
	FILE *file = fopen("/proc/locks", "re");
	char line[LOCK_LINE_BYTES];

	while (file && locks->count < LOCKS_MAX && fgets(line, sizeof(line), file))
		if (lock_read(line, &locks->each[locks->count]))
			locks->count++;
	if (file)
		(void)fclose(file);
}

static bool locks_have(const struct cache_locks *locks, const struct stat *file)
{
	for (size_t i = 0; i < locks->count; i++)
		if (locks->each[i].dev == file->st_dev && locks->each[i].inode == file->st_ino)
			return true;
	return false;
}

/* --- entries --------------------------------------------------------------------------------- */

struct cache_look *cache_look_free(struct cache_look *look)
{
	if (!look)
		return NULL;
	if (look->fd >= 0)
		(void)close(look->fd);
	free(look->locks);
	free(look->entries);
	free(look);
	return NULL;
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

/* False: it is none of ours. */
static bool kind_of(const char *name, enum cache_kind *ret)
{
	if (name[0] == '.' || strlen(name) >= CACHE_FILE_BYTES)
		return false;
	if (ends_with(name, whole_end))
		*ret = CACHE_WHOLE;
	else if (ends_with(name, part_end))
		*ret = CACHE_PART;
	else if (ends_with(name, bad_end))
		*ret = CACHE_BAD;
	else
		return false;
	return true;
}

/* Apple's name or HASH.ipsw: the file's name without ".part" and ".bad". */
size_t cache_stem_bytes(const char *file)
{
	if (ends_with(file, part_end))
		return strlen(file) - strlen(".part");
	if (ends_with(file, bad_end))
		return strlen(file) - strlen(".bad");
	return strlen(file);
}

/* A file that lost its note still has its hash in its name. */
static void take_name(struct cache_entry *entry)
{
	size_t n = cache_stem_bytes(entry->file), digits = strspn(entry->file, "0123456789abcdef");
	struct firmware *firmware = &entry->firmware;

	if (n == digits + strlen(whole_end) && digits == SHA256_HEX_BYTES - 1)
		snprintf(firmware->sha256, sizeof(firmware->sha256), "%.64s", entry->file);
	else if (n == digits + strlen(whole_end) && digits == SHA1_HEX_BYTES - 1)
		snprintf(firmware->sha1, sizeof(firmware->sha1), "%.40s", entry->file);
	if (firmware->name[0] == '\0')
		snprintf(firmware->name, sizeof(firmware->name), "%.*s", (int)n, entry->file);
}

/* What is on its way has Apple's name in its address alone, which the worker notes beside it. */
static void take_address(const struct cache_look *look, struct cache_entry *entry)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *state =
	    cache_note_read(look->fd, entry->file);
	const char *url = field_string(state, "url");
	const char *slash = url ? strrchr(url, '/') : NULL;

	if (slash && slash[1] != '\0')
		text_copy(entry->firmware.name, sizeof(entry->firmware.name), slash + 1);
}

static bool is_locked(const struct cache_look *look, const char *file)
{
	static const char *const ends[] = { "", ".lock", ".part" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char name[CACHE_FILE_BYTES + sizeof(".lock")];
		struct stat st;

		snprintf(name, sizeof(name), "%.*s%s", (int)cache_stem_bytes(file), file, ends[i]);
		if (fstatat(look->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    locks_have(look->locks, &st))
			return true;
	}
	return false;
}

/* Fills a zeroed entry. False: no file of ours. */
static bool entry_fill(const struct cache_look *look, const char *name, struct cache_entry *entry)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *note = NULL;
	struct stat st;

	if (!kind_of(name, &entry->kind) || fstatat(look->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return false;
	/* a name that is no text could be shown, but not be named again */
	if (text_copy(entry->file, sizeof(entry->file), name) != strlen(name) ||
	    strcmp(entry->file, name) != 0)
		return false;
	entry->stale = true;
	if (entry->kind == CACHE_WHOLE)
		note = cache_note_read(look->fd, name);
	if (note)
		cache_note_take(note, &look->place, entry);
	if (entry->kind == CACHE_PART)
		take_address(look, entry);
	take_name(entry);
	entry->bytes = (uint64_t)st.st_size;
	/* cut off, or another file by now */
	if (entry->kind == CACHE_WHOLE &&
	    (st.st_size == 0 ||
	     (entry->firmware.size != 0 && entry->firmware.size != (uint64_t)st.st_size)))
		entry->kind = CACHE_BAD;
	if (entry->used_ms == 0)
		entry->used_ms = (uint64_t)st.st_mtim.tv_sec * 1000;
	entry->in_use = is_locked(look, name);
	snprintf(entry->firmware.path, sizeof(entry->firmware.path), "%s/%s", look->folder, name);
	return true;
}

static int by_use(const void *a, const void *b)
{
	const struct cache_entry *x = a, *y = b;

	if (x->used_ms != y->used_ms)
		return x->used_ms > y->used_ms ? -1 : 1;
	return strcmp(x->file, y->file);
}

/* NULL at the end (0), or if the disk fails (a negative errno). */
static const struct dirent *name_next(DIR *dir, int *ret_failure)
{
	const struct dirent *found;

	errno = 0;
	found = readdir(dir);
	*ret_failure = found ? 0 : -errno;
	return found;
}

static int look_read(struct cache_look *look, DIR *dir)
{
	size_t room = 0;
	const struct dirent *found;
	int failure = 0;

	while (look->count < CACHE_FILES_MAX && (found = name_next(dir, &failure))) {
		if (look->count == room) {
			size_t more = room == 0 ? 8 : room * 2;
			struct cache_entry *entries =
			    reallocarray(look->entries, more, sizeof(*entries));

			if (!entries)
				return -ENOMEM;
			look->entries = entries;
			room = more;
		}
		look->entries[look->count] = (struct cache_entry){ 0 };
		if (entry_fill(look, found->d_name, &look->entries[look->count]))
			look->count++;
	}
	if (failure < 0)
		return failure; /* half a list would hide files */
	if (look->count > 0)
		qsort(look->entries, look->count, sizeof(*look->entries), by_use);
	return 0;
}

int cache_look_new(const struct room *room, struct cache_look **ret)
{
	_cleanup_(cache_look_freep) struct cache_look *look = calloc(1, sizeof(*look));
	DIR *dir;
	int r;

	if (!look)
		return -ENOMEM;
	look->fd = -1;
	look->locks = calloc(1, sizeof(*look->locks));
	if (!look->locks)
		return -ENOMEM;
	room_firmware_folder(room, look->folder);
	look->fd = open(look->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (look->fd < 0)
		return -errno;
	dir = opendir(look->folder);
	if (!dir)
		return -errno;
	cache_place_read(look->fd, &look->place);
	locks_read(look->locks);
	r = look_read(look, dir);
	(void)closedir(dir);
	if (r >= 0)
		*ret = TAKE(look);
	return r;
}
