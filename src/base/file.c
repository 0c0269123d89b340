/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/file.h"
#include "base/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int file_write_at(int fd, const void *bytes, size_t n, size_t offset)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r =
		    pwrite(fd, (const char *)bytes + done, n - done, (off_t)(offset + done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			return -EIO;
		done += (size_t)r;
	}
	return 0;
}

/* Writes the part and renames it. */
static int write_and_rename(int folder_fd, const char *part, const char *name, const void *bytes,
			    size_t n)
{
	_cleanup_close_ int fd = -1;
	int r;

	fd = openat(folder_fd, part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	r = file_write_at(fd, bytes, n, 0);
	if (r < 0)
		return r;
	if (fsync(fd) < 0)
		return -errno;
	return renameat(folder_fd, part, folder_fd, name) < 0 ? -errno : 0;
}

int file_write_whole(int folder_fd, const char *name, const void *bytes, size_t n)
{
	char part[NAME_MAX + 1];
	int r;

	r = snprintf(part, sizeof(part), "%s.part", name);
	if (r < 0 || (size_t)r >= sizeof(part))
		return -ENAMETOOLONG;
	r = write_and_rename(folder_fd, part, name, bytes, n);
	if (r < 0) {
		(void)unlinkat(folder_fd, part, 0);
		return r;
	}
	return fsync(folder_fd) < 0 ? -errno : 0;
}

int file_read_whole(int fd, size_t max, char **ret, size_t *ret_bytes)
{
	_cleanup_free_ char *bytes = NULL;
	size_t used = 0;
	struct stat st;
	size_t size;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	size = (size_t)st.st_size;
	bytes = malloc(size + 1);
	if (!bytes)
		return -ENOMEM;
	while (used < size) {
		ssize_t n = pread(fd, bytes + used, size - used, (off_t)used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break; /* it became shorter meanwhile */
		used += (size_t)n;
	}
	bytes[used] = '\0';
	*ret = TAKE(bytes);
	*ret_bytes = used;
	return 0;
}
