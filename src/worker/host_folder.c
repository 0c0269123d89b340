/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/host_folder.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "worker/property_list.h"
#include "worker/record.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

DEFINE_CLEANUP(DIR *, closedir)

enum {
	ENTRIES_MAX = 20000,   /* of one folder that are looked through for a name */
	SLEEP_FILE_MIN = 4096, /* bytes of the header of hiberfil.sys */
	MS_PER_S = 1000,
	NS_PER_MS = 1000000,
	/* real records have 8 to 12 KB, and there may be many of them */
	RECORD_BYTES_MAX = 256 * 1024,
};

static const char *const system_names[HOST_SYSTEM_MAX] = {
	[HOST_WINDOWS] = "windows",
	[HOST_LINUX] = "linux",
	[HOST_MACOS] = "macos",
	[HOST_SYSTEM_UNKNOWN] = "unknown",
};

const char *host_system_name(enum host_system system)
{
	return system_names[system];
}

/* --- names ----------------------------------------------------------------------------------- */

static int open_beneath(int folder, const char *path, uint64_t flags)
{
	const struct open_how how = {
		.flags = flags | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW,
		.resolve =
		    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	long r = syscall(SYS_openat2, folder, path, &how, sizeof(how));

	return r < 0 ? -errno : (int)r;
}

int host_folder_open(int root, const char *path)
{
	return open_beneath(root, path, O_RDONLY | O_DIRECTORY);
}

static DIR *list_open(int folder)
{
	int fd = open_beneath(folder, ".", O_RDONLY | O_DIRECTORY);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;

	if (fd >= 0 && !list)
		(void)close(fd);
	return list;
}

/* How the name is really written: as it is, or (Windows takes them as one) in another case. */
static int name_find(int folder, const char *name, bool fold, char ret[static NAME_MAX + 1])
{
	_cleanup_(closedirp) DIR *list = NULL;
	struct dirent *entry;
	struct stat st;

	snprintf(ret, NAME_MAX + 1, "%s", name);
	/* on a driver without case the written form is still wanted, for people */
	if (!fold)
		return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	list = list_open(folder);
	for (size_t i = 0; list && i < ENTRIES_MAX && (entry = readdir(list)); i++) {
		if (!text_equal_fold(entry->d_name, name))
			continue;
		snprintf(ret, NAME_MAX + 1, "%s", entry->d_name);
		return 0;
	}
	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* Opens the folder `wanted`, whose written form goes into ret (HOST_PATH_BYTES). */
static int folder_find(int root, const char *wanted, bool fold, char *ret)
{
	_cleanup_close_ int at = open_beneath(root, ".", O_RDONLY | O_DIRECTORY);
	char part[NAME_MAX + 1], name[NAME_MAX + 1];
	size_t used = 0;

	ret[0] = '\0';
	while (at >= 0 && *wanted != '\0') {
		size_t n = strcspn(wanted, "/");
		int next;

		snprintf(part, sizeof(part), "%.*s", (int)n, wanted);
		wanted += n + (wanted[n] == '/');
		next = name_find(at, part, fold, name);
		if (next == 0)
			next = open_beneath(at, name, O_RDONLY | O_DIRECTORY);
		if (next < 0)
			return next;
		closep(&at);
		at = next;
		used += (size_t)snprintf(ret + used, HOST_PATH_BYTES - used, "%s%s",
					 used > 0 ? "/" : "", name);
		if (used >= HOST_PATH_BYTES)
			return -ENAMETOOLONG;
	}
	return at < 0 ? at : TAKE_FD(at);
}

/* --- files ----------------------------------------------------------------------------------- */

/* A plain file's bytes; the caller frees. */
static int read_file(int folder, const char *name, size_t max, char **ret, size_t *ret_bytes)
{
	_cleanup_close_ int fd = open_beneath(folder, name, O_RDONLY);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return file_read_whole(fd, max, ret, ret_bytes);
}

static void read_record(int folder, struct host_file *file)
{
	_cleanup_free_ char *bytes = NULL;
	size_t n = 0;
	int r = read_file(folder, file->name, RECORD_BYTES_MAX, &bytes, &n);

	if (r == 0) {
		pair_record_judge(bytes, n, &file->record);
		return;
	}
	file->record.broken = true;
	snprintf(file->record.why, sizeof(file->record.why), "%s",
		 r == -EFBIG ? "it is far larger than a record" : "it cannot be read");
}

/* True if it is a record; links and folders of such a name are none. */
static bool file_fill(int folder, const char *name, struct host_file *file)
{
	static const char ending[] = ".plist";
	struct stat st;

	if (!record_file_name(name) || strlen(name) >= sizeof(file->name) ||
	    strlen(name) - (sizeof(ending) - 1) >= sizeof(file->udid) ||
	    fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	*file = (struct host_file){ .bytes = (uint64_t)st.st_size };
	if (st.st_mtim.tv_sec > 0)
		file->modified_ms = (uint64_t)st.st_mtim.tv_sec * MS_PER_S +
				    (uint64_t)st.st_mtim.tv_nsec / NS_PER_MS;
	text_copy(file->name, sizeof(file->name), name);
	text_to_utf8(file->udid, sizeof(file->udid), name, strlen(name) - (sizeof(ending) - 1));
	return true;
}

static int by_name(const void *a, const void *b)
{
	const struct host_file *first = a, *second = b;

	return strcmp(first->name, second->name);
}

static int list_records(int fd, bool read, struct host_folder *folder)
{
	_cleanup_(closedirp) DIR *list = list_open(fd);
	struct dirent *entry;

	if (!list)
		return -errno;
	folder->files = calloc(HOST_FILES_MAX, sizeof(*folder->files));
	if (!folder->files)
		return -ENOMEM;
	while (errno = 0, (entry = readdir(list)) != NULL) {
		struct host_file *file = &folder->files[folder->count];

		folder->more = folder->count == HOST_FILES_MAX;
		if (folder->more)
			break;
		folder->count += file_fill(fd, entry->d_name, file);
	}
	if (errno != 0)
		return -errno;
	qsort(folder->files, folder->count, sizeof(*folder->files), by_name);
	for (size_t i = 0; read && i < folder->count; i++)
		read_record(fd, &folder->files[i]);
	return 0;
}

/* Who that system is to phones; "" if its file does not say. */
static void read_buid(int fd, bool fold, char ret[static PAIR_RECORD_NAME_BYTES])
{
	_cleanup_(plist_freep) plist_t list = NULL;
	_cleanup_free_ char *bytes = NULL;
	const char *text;
	char name[NAME_MAX + 1];
	size_t n = 0;

	if (name_find(fd, "SystemConfiguration.plist", fold, name) < 0 ||
	    read_file(fd, name, RECORD_BYTES_MAX, &bytes, &n) < 0)
		return;
	list = property_list_parse(bytes, n);
	text = property_list_text(list, "SystemBUID");
	/* cut off it would be another one */
	text_copy(ret, PAIR_RECORD_NAME_BYTES,
		  text && strlen(text) < PAIR_RECORD_NAME_BYTES ? text : "");
}

/* --- systems --------------------------------------------------------------------------------- */

/* Only a header of zeros says that Windows is not asleep; the driver holds it the same way, and
 * would not write either. */
static bool sleeps(int root)
{
	char name[NAME_MAX + 1], header[SLEEP_FILE_MIN];
	_cleanup_close_ int fd = -1;

	if (name_find(root, "hiberfil.sys", true, name) < 0)
		return false;
	fd = open_beneath(root, name, O_RDONLY);
	if (fd < 0 || pread(fd, header, sizeof(header), 0) != (ssize_t)sizeof(header))
		return true;
	for (size_t i = 0; i < sizeof(header); i++)
		if (header[i] != '\0')
			return true;
	return false;
}

static bool is_there(int root, const char *path, bool fold)
{
	char written[HOST_PATH_BYTES];
	_cleanup_close_ int fd = folder_find(root, path, fold, written);

	return fd >= 0;
}

static enum host_system system_of(const struct host_volume *volume, int root)
{
	struct stat st;

	if (host_volume_is_windows(volume))
		return is_there(root, "Windows/System32", true) ? HOST_WINDOWS
								: HOST_SYSTEM_UNKNOWN;
	if (volume->on_slash || fstatat(root, "etc/os-release", &st, AT_SYMLINK_NOFOLLOW) == 0)
		return HOST_LINUX;
	return HOST_SYSTEM_UNKNOWN;
}

static const char *const windows_folders[] = {
	"ProgramData/Apple/Lockdown",
	"Documents and Settings/All Users/Application Data/Apple/Lockdown",
};
static const char *const linux_folders[] = { "var/lib/lockdown", "lib/lockdown" };

/* The records' folder, or -ENOENT. */
static int records_find(int root, bool windows, char ret[static HOST_PATH_BYTES])
{
	const char *const *folders = windows ? windows_folders : linux_folders;
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_LEN(windows_folders); i++) {
		r = folder_find(root, folders[i], windows, ret);
		/* a link (the second name of ProgramData on newer systems) is passed over */
		if (r >= 0 || (r != -ENOENT && r != -ENOTDIR && r != -ELOOP))
			break;
	}
	if (r < 0)
		ret[0] = '\0';
	return r == -ENOTDIR || r == -ELOOP ? -ENOENT : r;
}

int host_folder_look(const struct host_volume *volume, int root, bool read, struct host_folder *ret)
{
	_cleanup_(host_folder_done) struct host_folder folder = { 0 };
	bool windows = host_volume_is_windows(volume);
	_cleanup_close_ int fd = -1;
	int r;

	folder.system = system_of(volume, root);
	folder.sleeps = windows && sleeps(root);
	fd = records_find(root, windows, folder.path);
	if (fd < 0 && fd != -ENOENT)
		return fd;
	if (fd >= 0) {
		/* they are there only because a system used them there */
		if (folder.system == HOST_SYSTEM_UNKNOWN)
			folder.system = windows ? HOST_WINDOWS : HOST_LINUX;
		if (read)
			read_buid(fd, windows, folder.buid);
		r = list_records(fd, read, &folder);
		if (r < 0)
			return r;
	}
	*ret = TAKE_STRUCT(folder);
	return 0;
}
