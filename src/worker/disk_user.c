/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/disk_user.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

DEFINE_CLEANUP(DIR *, closedir)

enum { COMM_BYTES = 64 };

static bool is_on(int folder, const char *name, dev_t device)
{
	struct stat st;

	return fstatat(folder, name, &st, 0) == 0 && st.st_dev == device;
}

/* Has the process anything of it open, or as its own folder? */
static bool uses(int process, dev_t device)
{
	_cleanup_(closedirp) DIR *list = NULL;
	struct dirent *entry;
	int fd;

	if (is_on(process, "cwd", device) || is_on(process, "root", device))
		return true;
	fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	list = fd >= 0 ? fdopendir(fd) : NULL;
	if (!list) {
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	while ((entry = readdir(list)))
		if (isdigit((unsigned char)entry->d_name[0]) && is_on(fd, entry->d_name, device))
			return true;
	return false;
}

static void name_of(int process, char ret[static COMM_BYTES])
{
	_cleanup_close_ int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	char bytes[COMM_BYTES];
	ssize_t n = fd >= 0 ? read(fd, bytes, sizeof(bytes)) : -1;

	while (n > 0 && bytes[n - 1] == '\n')
		n--;
	(void)text_to_utf8(ret, COMM_BYTES, bytes, n > 0 ? (size_t)n : 0);
}

static void add_name(const char *name, char ret[static HOST_TEXT_BYTES])
{
	size_t n = strlen(ret);

	if (!strstr(ret, name))
		snprintf(ret + n, HOST_TEXT_BYTES - n, "%s%s", n ? ", " : "", name);
}

size_t disk_users(const char *where, char ret[static HOST_TEXT_BYTES])
{
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closedirp) DIR *list = proc >= 0 ? fdopendir(proc) : NULL;
	struct dirent *entry;
	struct stat mount;
	size_t count = 0;

	ret[0] = '\0';
	if (!list || stat(where, &mount) < 0)
		return 0;
	while ((entry = readdir(list))) {
		_cleanup_close_ int process = -1;
		char name[COMM_BYTES];

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		process = openat(proc, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0 || !uses(process, mount.st_dev))
			continue;
		name_of(process, name);
		add_name(name, ret);
		count++;
	}
	return count;
}
