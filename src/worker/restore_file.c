/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/restore_file.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/line.h"
#include "worker/request.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { FILE_MODE = 0660, DEPTH_MAX = 32 };

int restore_file_create(int folder_fd, unsigned attempt, struct restore_file *ret,
			struct error *err)
{
	struct restore_file file = {};
	_cleanup_close_ int fd = -1;

	snprintf(file.name, sizeof(file.name), "engine-%u.jsonl", attempt);
	fd = openat(folder_fd, file.name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC,
		    FILE_MODE);
	if (fd < 0 && errno == EEXIST)
		return error_set(err, ERROR_BUSY, "worker", 0,
				 "The job's folder has %s already: this attempt was begun before",
				 file.name);
	if (fd < 0)
		return error_set_errno(err, ERROR_NO_SPACE, "kernel", errno,
				       "Cannot write into the job's folder");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return error_set_errno(err, ERROR_BUSY, "kernel", errno, "Cannot lock %s",
				       file.name);
	file.fd = TAKE_FD(fd);
	*ret = file;
	return 0;
}

void restore_file_done(struct restore_file *file)
{
	closep(&file->fd);
	file->fd = -1;
}

/* All of it or, on a full disk, nothing: a torn line would spoil the next one. */
static int append(struct restore_file *file, const char *text, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t written = write(file->fd, text + done, n - done);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			int r = written < 0 ? -errno : -EIO;

			(void)!ftruncate(file->fd, file->bytes);
			return r;
		}
		done += (size_t)written;
	}
	file->bytes += (int64_t)n;
	return 0;
}

static int line_append(struct restore_file *file, sd_json_variant *line)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r = sd_json_variant_format(line, SD_JSON_FORMAT_NEWLINE, &text);

	if (r < 0)
		return r;
	n = strlen(text);
	return n > LINE_BYTES_MAX ? -EMSGSIZE : append(file, text, n);
}

int restore_file_event(struct restore_file *file, const char *event, sd_json_variant *fields)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	int r = sd_json_buildo(&line, SD_JSON_BUILD_PAIR_INTEGER("v", WORKER_PROTOCOL_VERSION),
			       SD_JSON_BUILD_PAIR_STRING("type", "event"),
			       SD_JSON_BUILD_PAIR_STRING("event", event),
			       SD_JSON_BUILD_PAIR_UNSIGNED("time_ms", clock_wall_ms()));

	if (r >= 0 && fields)
		r = sd_json_variant_merge_object(&line, fields);
	return r < 0 ? r : line_append(file, line);
}

int restore_file_end(struct restore_file *file, sd_json_variant *line)
{
	int r = line_append(file, line);

	if (r == 0 && fsync(file->fd) < 0)
		r = -errno;
	return r;
}

/* --- removing a folder */

static int entries_remove(int parent_fd, const char *name, unsigned depth)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r = 0;
	struct dirent *entry;
	DIR *folder;

	if (fd < 0)
		return -errno;
	folder = fdopendir(fd);
	if (!folder) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (entry = readdir(folder))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) == 0)
			continue;
		if (errno != EISDIR && errno != EPERM)
			r = -errno;
		else if (depth == 0)
			r = -ELOOP;
		else
			r = entries_remove(fd, entry->d_name, depth - 1);
		if (r == 0 && unlinkat(fd, entry->d_name, AT_REMOVEDIR) < 0)
			r = -errno;
	}
	closedir(folder);
	return r;
}

int restore_folder_remove(int folder_fd, const char *name)
{
	int r = entries_remove(folder_fd, name, DEPTH_MAX);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && unlinkat(folder_fd, name, AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}
