/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/restore_link.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const char pattern[] = "/tmp/idevicerescue-XXXXXX";

static int link_try(const char *path, const char *name, struct restore_link *link)
{
	int n;

	snprintf(link->folder, sizeof(link->folder), "%s", pattern);
	if (!mkdtemp(link->folder)) {
		link->folder[0] = '\0';
		return -errno;
	}
	n = snprintf(link->path, sizeof(link->path), "%s/%s", link->folder, name);
	if (n < 0 || (size_t)n >= sizeof(link->path))
		return -ENAMETOOLONG;
	return symlink(path, link->path) < 0 ? -errno : 0;
}

static void unmake(struct restore_link *link)
{
	if (link->folder[0] == '\0')
		return;
	(void)unlink(link->path);
	(void)rmdir(link->folder);
	link->folder[0] = '\0';
}

static int file_lock(int fd, struct error *err)
{
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	if (errno == EWOULDBLOCK)
		return error_set(err, ERROR_BUSY, "worker", 0,
				 "The firmware file is being removed or renamed just now: the "
				 "restore was not begun. Try again");
	log_warning("The firmware file is not locked: %s", strerror(errno));
	return 0;
}

int restore_link_make(const char *path, const char *name, struct restore_link *ret,
		      struct error *err)
{
	struct restore_link made = { .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
	const char *slash = strrchr(path, '/');
	int r = made.fd >= 0 ? file_lock(made.fd, err) : 0;

	if (r < 0) {
		(void)close(made.fd);
		return r;
	}
	*ret = made;
	if (name && strcmp(slash ? slash + 1 : path, name) != 0) {
		r = link_try(path, name, ret);
		if (r == 0)
			return 0;
		log_warning("The engine gets the firmware under the name that it has: %s",
			    strerror(-r));
		unmake(ret);
	}
	snprintf(ret->path, sizeof(ret->path), "%s", path);
	return 0;
}

void restore_link_remove(struct restore_link *link)
{
	unmake(link);
	if (link->fd >= 0)
		(void)close(link->fd);
	link->fd = -1;
}
