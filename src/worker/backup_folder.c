/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/backup_folder.h"
#include "base/cleanup.h"
#include "worker/property_list.h"
#include "worker/restore_file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	DEPTH_MAX = 3, /* UDID/Snapshot/14/1477d3… */
	FILES_MAX = 1000000,
	LIST_BYTES_MAX = 64 * 1024 * 1024, /* Info.plist holds the icons of all apps */
	NAME_DIGITS = 40,
	RAISE_DEPTH = 16, /* well within what restore_folder_remove() reaches */
	RAISED_MAX = 1000000,
};

DEFINE_CLEANUP(DIR *, closedir)

static bool is_payload(const char *name)
{
	return strlen(name) == NAME_DIGITS && strspn(name, "0123456789abcdef") == NAME_DIGITS;
}

/* One file. The host's own does not count. */
static void take_file(const char *name, uint64_t size, struct backup_found *found)
{
	if (strcmp(name, "Info.plist") == 0)
		return;
	found->files++;
	found->bytes += size;
	found->payloads += size > 0 && is_payload(name);
}

static int measure(int parent, const char *name, unsigned depth, struct backup_found *found)
{
	_cleanup_(closedirp) DIR *folder = NULL;
	struct dirent *entry;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	folder = fdopendir(fd);
	if (!folder) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(folder))) {
		struct stat st;
		int r = 0;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (found->files > FILES_MAX)
			return -EFBIG;
		/* files come and go while we look */
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(st.st_mode))
			take_file(entry->d_name, (uint64_t)st.st_size, found);
		else if (S_ISDIR(st.st_mode) && depth > 0)
			r = measure(fd, entry->d_name, depth - 1, found);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

int backup_folder_measure(int folder_fd, const char *udid, struct backup_found *ret)
{
	struct backup_found found = {};
	int r = measure(folder_fd, udid, DEPTH_MAX, &found);

	if (r < 0 && r != -ENOENT)
		return r;
	*ret = found;
	return 0;
}

/* The file as a property list; NULL if it is none, or not (wholly) there. */
static plist_t list_read(int folder, const char *name)
{
	_cleanup_close_ int fd =
	    openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_free_ char *bytes = NULL;
	size_t used = 0, n;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
	    st.st_size > LIST_BYTES_MAX)
		return NULL;
	n = (size_t)st.st_size;
	bytes = malloc(n);
	while (bytes && used < n) {
		ssize_t got = read(fd, bytes + used, n - used);

		if (got <= 0)
			return NULL;
		used += (size_t)got;
	}
	return bytes ? property_list_parse(bytes, n) : NULL;
}

static bool list_is_whole(int folder, const char *name)
{
	_cleanup_(plist_freep) plist_t list = list_read(folder, name);

	return list != NULL;
}

/* Until the phone has moved its files to their place they are in Snapshot. */
static void look_at_state(int folder, struct backup_found *found)
{
	_cleanup_(plist_freep) plist_t state = list_read(folder, "Status.plist");
	const char *word = state ? property_list_text(state, "SnapshotState") : NULL;

	found->state = word != NULL;
	found->finished = word && strcmp(word, "finished") == 0;
	found->info = list_is_whole(folder, "Info.plist");
	found->manifest = list_is_whole(folder, "Manifest.plist") ||
			  list_is_whole(folder, "Snapshot/Manifest.plist");
}

int backup_folder_look(int folder_fd, const char *udid, struct backup_found *ret)
{
	_cleanup_close_ int folder = -1;
	struct backup_found found = {};
	int r = backup_folder_measure(folder_fd, udid, &found);

	if (r < 0)
		return r;
	folder = openat(folder_fd, udid, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder >= 0)
		look_at_state(folder, &found);
	*ret = found;
	return 0;
}

bool backup_found_proves(const struct backup_found *found, bool ended)
{
	if (!found->info || !found->state)
		return false;
	if (ended)
		return found->finished && found->manifest;
	/* files come one after the other: with two of them, the first is whole */
	return found->manifest || found->payloads >= 2;
}

/* --- removing it */

/* Gives a folder that lies too deep a place in the top one. 1 if it did, 0 if there is none, or a
 * negative errno: -EEXIST, -ENOTEMPTY, -ENOTDIR if something has that name already. Recurses
 * RAISE_DEPTH times at most. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static int raise_one(int top, int parent, const char *name, unsigned depth, const char *raised)
{
	_cleanup_(closedirp) DIR *folder = NULL;
	struct dirent *entry;
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	folder = fdopendir(fd);
	if (!folder) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (entry = readdir(folder))) {
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;
		if (depth > 0)
			r = raise_one(top, fd, entry->d_name, depth - 1, raised);
		else
			r = renameat(fd, entry->d_name, top, raised) < 0 ? -errno : 1;
	}
	return r;
}

int backup_folder_remove(int folder_fd, const char *name)
{
	int r = restore_folder_remove(folder_fd, name);

	for (unsigned i = 0; r == -ELOOP && i < RAISED_MAX; i++) {
		_cleanup_close_ int top =
		    openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		char raised[sizeof("raised-4294967295")];
		int moved;

		if (top < 0)
			return -errno;
		snprintf(raised, sizeof(raised), "raised-%u", i);
		moved = raise_one(top, folder_fd, name, RAISE_DEPTH, raised);
		if (moved < 0 && moved != -EEXIST && moved != -ENOTEMPTY && moved != -ENOTDIR)
			return moved;
		r = restore_folder_remove(folder_fd, name);
	}
	return r;
}
