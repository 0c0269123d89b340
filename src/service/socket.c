/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "service/socket.h"
#include "base/cleanup.h"
#include "service/interface.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

int socket_path(const char *wanted, char **ret, struct error *err)
{
	_cleanup_free_ char *here = NULL;
	char *path = NULL;
	int n;

	if (!wanted)
		wanted = getenv(INTERFACE_SOCKET_ENV);
	if (!wanted || wanted[0] == '\0')
		wanted = INTERFACE_SOCKET_DEFAULT;
	if (wanted[0] == '/') {
		path = strdup(wanted);
		n = path ? 0 : -1;
	} else {
		here = getcwd(NULL, 0);
		if (!here)
			return error_set_errno(err, ERROR_USAGE, "service", errno,
					       "socket '%s' has no folder", wanted);
		n = asprintf(&path, "%s/%s", here, wanted);
	}
	if (n < 0)
		return error_set_errno(err, ERROR_BUG, "service", ENOMEM, "socket path");
	*ret = path;
	return 0;
}

static int claim_fail(struct error *err, int errno_value, const char *path)
{
	return error_set_errno(err, ERROR_USAGE, "service", errno_value, "cannot listen at '%s'",
			       path);
}

int socket_claim(const char *path, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *lock = NULL;
	struct stat found;

	if (asprintf(&lock, "%s.lock", path) < 0)
		return error_set_errno(err, ERROR_BUG, "service", ENOMEM, "socket path");
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return claim_fail(err, errno, path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return error_set(err, ERROR_BUSY, "service", 0,
					 "another service is running at '%s'", path);
		return claim_fail(err, errno, path);
	}
	if (lstat(path, &found) == 0) {
		if (!S_ISSOCK(found.st_mode))
			return claim_fail(err, EEXIST, path);
		if (unlink(path) < 0)
			return claim_fail(err, errno, path);
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}
