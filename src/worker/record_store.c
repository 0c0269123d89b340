/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/record_store.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "worker/pair_record.h"
#include "worker/property_list.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FOLDER_MODE = 0770 };

static const char identity_file[] = "SystemConfiguration.plist";
static const char marker_file[] = "kept.json";
static const char marker_text[] = "{\"v\":1}\n";
static const char ending[] = ".plist";
static const char part_ending[] = ".part"; /* file_write_whole() */

DEFINE_CLEANUP(DIR *, closedir)

/* Names of records, without order. */
struct names {
	size_t count;
	char list[RECORD_STORE_FILES_MAX][RECORD_UDID_BYTES + sizeof(ending)];
};

const char *record_store_folder(void)
{
	const char *path = getenv("IDEVICERESCUE_LOCKDOWN");

	return path ? path : RECORD_STORE_USUAL;
}

bool record_file_name(const char *name)
{
	static const char allowed[] = "0123456789-abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t stem = strspn(name, allowed);

	return stem > 0 && stem < RECORD_UDID_BYTES && strcmp(name + stem, ending) == 0 &&
	       strcmp(name, identity_file) != 0;
}

/* NULL with errno set. */
static DIR *folder_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
	int saved = errno;

	if (!folder && fd >= 0)
		close(fd);
	errno = saved;
	return folder;
}

static bool is_file(int folder, const char *name)
{
	struct stat st;

	return folder >= 0 && fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode);
}

/* Opens the folder and lists the names of its records. Returns the descriptor, which belongs to
 * *ret_folder, or a negative errno. */
static int names_read(const char *path, DIR **ret_folder, struct names **ret)
{
	_cleanup_free_ struct names *names = calloc(1, sizeof(*names));
	_cleanup_(closedirp) DIR *folder = NULL;
	struct dirent *entry;
	int fd;

	if (!names)
		return -ENOMEM;
	folder = folder_open(path);
	if (!folder)
		return -errno;
	fd = dirfd(folder);
	while (errno = 0, (entry = readdir(folder)) != NULL) {
		if (!record_file_name(entry->d_name) || !is_file(fd, entry->d_name) ||
		    names->count == RECORD_STORE_FILES_MAX)
			continue;
		/* fits: that is a part of the name's form */
		memcpy(names->list[names->count++], entry->d_name, strlen(entry->d_name) + 1);
	}
	if (errno != 0)
		return -errno;
	*ret_folder = TAKE(folder);
	*ret = TAKE(names);
	return fd;
}

/* A record, identity or marker that is a file. -ENOENT also for what is none. */
static int read_file(int folder, const char *name, char **ret, size_t *ret_n)
{
	_cleanup_close_ int fd =
	    openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int r;

	if (fd < 0)
		return errno == ELOOP ? -ENOENT : -errno;
	r = file_read_whole(fd, PAIR_RECORD_BYTES_MAX, ret, ret_n);
	return r == -EINVAL || r == -EFBIG ? -ENOENT : r;
}

/* Removes a file and nothing else. 1 if it went, 0 if it is no file. */
static int remove_file(int folder, const char *name)
{
	struct stat st;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (unlinkat(folder, name, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	return 1;
}

static int folder_sync(int folder)
{
	return fsync(folder) < 0 && errno != EINVAL ? -errno : 0;
}

static bool is_broken(int folder, const char *name)
{
	_cleanup_free_ char *bytes = NULL;
	struct pair_record record;
	size_t n;

	if (read_file(folder, name, &bytes, &n) < 0)
		return true;
	pair_record_judge(bytes, n, &record);
	return record.broken;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct record_entry *)a)->udid,
		      ((const struct record_entry *)b)->udid);
}

int record_store_list(const char *folder, struct record_entry *ret, size_t max, size_t *ret_count)
{
	_cleanup_free_ struct names *names = NULL;
	_cleanup_(closedirp) DIR *open_folder = NULL;
	int fd = names_read(folder, &open_folder, &names);
	size_t count = 0;

	if (fd < 0 && fd != -ENOENT)
		return fd;
	for (size_t i = 0; fd >= 0 && i < names->count && count < max; i++) {
		struct record_entry *entry = &ret[count++];

		*entry = (struct record_entry){ .broken = is_broken(fd, names->list[i]) };
		memcpy(entry->udid, names->list[i], strlen(names->list[i]) - strlen(ending));
	}
	qsort(ret, count, sizeof(*ret), compare_entries);
	*ret_count = count;
	return 0;
}

/* --- removing */

/* Is it what is left of one of our files when the power failed while it was written? */
static bool is_part(const char *name)
{
	char whole[RECORD_UDID_BYTES + sizeof(ending)];
	size_t n = strlen(name), end = sizeof(part_ending) - 1;

	if (n <= end || n - end >= sizeof(whole) || strcmp(name + n - end, part_ending) != 0)
		return false;
	memcpy(whole, name, n - end);
	whole[n - end] = '\0';
	return record_file_name(whole) || strcmp(whole, identity_file) == 0 ||
	       strcmp(whole, marker_file) == 0;
}

static int remove_parts(int folder, DIR *open_folder)
{
	struct dirent *entry;
	int r = 0;

	rewinddir(open_folder);
	while (r >= 0 && (errno = 0, entry = readdir(open_folder)) != NULL)
		r = is_part(entry->d_name) ? remove_file(folder, entry->d_name) : 0;
	return r < 0 ? r : -errno;
}

/* folder: the same as open_folder. */
static int remove_all(int folder, DIR *open_folder, const struct names *names, size_t *ret_gone)
{
	size_t gone = 0;
	int r = remove_parts(folder, open_folder);

	if (r < 0)
		return r;
	for (size_t i = 0; i < names->count; i++) {
		r = remove_file(folder, names->list[i]);
		if (r < 0)
			return r;
		gone += (size_t)r;
	}
	r = remove_file(folder, identity_file);
	if (r < 0)
		return r;
	*ret_gone = gone;
	return folder_sync(folder);
}

int record_store_remove(const char *folder, const char *udid, size_t *ret_gone)
{
	_cleanup_free_ struct names *names = NULL;
	_cleanup_(closedirp) DIR *open_folder = NULL;
	char name[RECORD_UDID_BYTES + sizeof(ending)], part[sizeof(name) + sizeof(part_ending)];
	int fd = names_read(folder, &open_folder, &names), r;

	if (fd == -ENOENT) { /* there have never been any */
		*ret_gone = 0;
		return 0;
	}
	if (fd < 0)
		return fd;
	if (!udid)
		return remove_all(fd, open_folder, names, ret_gone);
	r = snprintf(name, sizeof(name), "%s%s", udid, ending);
	if (r < 0 || (size_t)r >= sizeof(name) || !record_file_name(name))
		return -EINVAL;
	snprintf(part, sizeof(part), "%s%s", name, part_ending);
	r = remove_file(fd, part);
	if (r >= 0)
		r = remove_file(fd, name);
	if (r < 0)
		return r;
	*ret_gone = (size_t)r;
	return folder_sync(fd);
}

/* --- the copy */

bool record_copy_is_kept(const char *copy)
{
	_cleanup_(closedirp) DIR *folder = folder_open(copy);

	return folder && is_file(dirfd(folder), marker_file);
}

/* Makes `to`/name the same as `from`/name. Returns 1 if it had to be written, 0 if not (it was, or
 * there is none to copy), or a negative errno. */
static int copy_file(int from, int to, const char *name)
{
	_cleanup_free_ char *bytes = NULL, *there = NULL;
	size_t n, there_n;
	int r = read_file(from, name, &bytes, &n);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (read_file(to, name, &there, &there_n) == 0 && there_n == n &&
	    memcmp(there, bytes, n) == 0)
		return 0;
	r = file_write_whole(to, name, bytes, n);
	return r < 0 ? r : 1;
}

/* Broken records never replace good ones. */
static int copy_records(int from, const struct names *names, int to, size_t *ret_written)
{
	size_t written = 0;

	for (size_t i = 0; i < names->count; i++) {
		int r = is_broken(from, names->list[i]) ? 0 : copy_file(from, to, names->list[i]);

		if (r < 0)
			return r;
		written += (size_t)r;
	}
	*ret_written = written;
	return 0;
}

/* The identity is worth copying if it names this computer. */
static bool identity_is_whole(int folder)
{
	_cleanup_(plist_freep) plist_t identity = NULL;
	_cleanup_free_ char *bytes = NULL;
	size_t n;

	if (read_file(folder, identity_file, &bytes, &n) < 0)
		return false;
	identity = property_list_parse(bytes, n);
	return identity && property_list_text(identity, "SystemBUID");
}

int record_copy_keep(const char *store, const char *copy, size_t *ret_written)
{
	_cleanup_free_ struct names *names = NULL;
	_cleanup_(closedirp) DIR *from = NULL, *to = NULL;
	size_t written = 0;
	int from_fd, to_fd, r = 0;

	if (mkdir(copy, FOLDER_MODE) < 0 && errno != EEXIST)
		return -errno;
	to = folder_open(copy);
	if (!to)
		return -errno;
	to_fd = dirfd(to);
	from_fd = names_read(store, &from, &names);
	if (from_fd < 0 && from_fd != -ENOENT)
		return from_fd;
	if (from_fd >= 0)
		r = copy_records(from_fd, names, to_fd, &written);
	if (r == 0 && from_fd >= 0 && identity_is_whole(from_fd)) {
		r = copy_file(from_fd, to_fd, identity_file);
		if (r > 0)
			written++;
	}
	if (r >= 0 && !record_copy_is_kept(copy))
		r = file_write_whole(to_fd, marker_file, marker_text, sizeof(marker_text) - 1);
	if (r < 0)
		return r;
	*ret_written = written;
	return 0;
}

int record_copy_unkeep(const char *copy, size_t *ret_gone)
{
	_cleanup_free_ struct names *names = NULL;
	_cleanup_(closedirp) DIR *folder = NULL;
	int fd = names_read(copy, &folder, &names), r;

	if (fd == -ENOENT) {
		*ret_gone = 0;
		return 0;
	}
	if (fd < 0)
		return fd;
	r = remove_file(fd, marker_file);
	if (r >= 0)
		r = folder_sync(fd);
	if (r >= 0)
		r = remove_all(fd, folder, names, ret_gone);
	if (r < 0)
		return r;
	(void)rmdir(copy); /* it stays if somebody else has put something there */
	return 0;
}

int record_copy_load(const char *copy, const char *store, size_t *ret_loaded)
{
	_cleanup_free_ struct names *kept = NULL, *present = NULL;
	_cleanup_(closedirp) DIR *from = NULL, *to = NULL;
	int from_fd, to_fd, r;
	size_t loaded = 0;

	*ret_loaded = 0;
	if (!record_copy_is_kept(copy))
		return 0;
	from_fd = names_read(copy, &from, &kept);
	if (from_fd < 0)
		return from_fd;
	to_fd = names_read(store, &to, &present);
	if (to_fd < 0)
		return to_fd;
	if (present->count > 0)
		return 0;
	if (identity_is_whole(from_fd)) {
		r = copy_file(from_fd, to_fd, identity_file);
		if (r < 0)
			return r;
	}
	r = copy_records(from_fd, kept, to_fd, &loaded);
	if (r < 0)
		return r;
	*ret_loaded = loaded;
	return 0;
}
