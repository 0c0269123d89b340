/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/fetch_space.h"
#include "base/cleanup.h"
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

static const uint64_t disk_kept = 16ULL << 20;
static const uint64_t memory_kept = 400ULL << 20;
static const uint64_t fat_file_max = (4ULL << 30) - 1;
enum { SIZE_BYTES = 24, LINE_BYTES = 128, KIB = 1024 };

/* MemAvailable of the kernel, in bytes; 0 if it does not say. */
static uint64_t memory_available(void)
{
	static const char key[] = "MemAvailable:";
	FILE *file = fopen("/proc/meminfo", "re");
	char line[LINE_BYTES];
	uint64_t bytes = 0;

	if (!file)
		return 0;
	while (bytes == 0 && fgets(line, sizeof(line), file))
		if (strncmp(line, key, sizeof(key) - 1) == 0)
			bytes = strtoull(line + sizeof(key) - 1, NULL, 10) * KIB;
	(void)fclose(file);
	return bytes;
}

int space_read(int fd, struct space *ret, struct error *err)
{
	struct statvfs vfs;
	struct statfs fs;

	if (fstatvfs(fd, &vfs) < 0 || fstatfs(fd, &fs) < 0)
		return error_set_errno(err, ERROR_NO_SPACE, "kernel", errno,
				       "Cannot see how much room there is for the firmware");
	*ret = (struct space){
		.free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize,
		.is_ram = fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC,
		.is_fat = fs.f_type == MSDOS_SUPER_MAGIC,
	};
	if (ret->is_ram)
		ret->memory_bytes = memory_available();
	/* ramfs knows no limit and tells none */
	if (fs.f_type == RAMFS_MAGIC)
		ret->free_bytes = UINT64_MAX;
	return 0;
}

static void size_format(uint64_t bytes, char ret[static SIZE_BYTES])
{
	static const uint64_t mb = 1000 * 1000, gb = 1000 * mb;

	if (bytes >= gb)
		snprintf(ret, SIZE_BYTES, "%.1f GB", (double)bytes / (double)gb);
	else
		snprintf(ret, SIZE_BYTES, "%.1f MB", (double)bytes / (double)mb);
}

int space_check(const struct space *space, uint64_t more, uint64_t size, const char *folder,
		struct error *err)
{
	char need[SIZE_BYTES], have[SIZE_BYTES];

	size_format(more, need);
	if (space->is_fat && size > fat_file_max)
		return error_set(err, ERROR_NO_SPACE, "worker", 0,
				 "%.80s is on a FAT file system, which holds no file over 4 GB. "
				 "Choose a disk with exFAT or ext4",
				 folder);
	if (more + disk_kept > space->free_bytes) {
		size_format(space->free_bytes, have);
		return error_set(
		    err, ERROR_NO_SPACE, "worker", ENOSPC,
		    "Not enough room in %.80s: the firmware needs %s more, %s are free. "
		    "Make room, or use a larger stick or disk",
		    folder, need, have);
	}
	if (space->is_ram && more + memory_kept > space->memory_bytes) {
		size_format(space->memory_bytes, have);
		return error_set(err, ERROR_NO_SPACE, "worker", ENOMEM,
				 "Not enough memory: the firmware needs %s more in %.80s, %s of "
				 "memory are free. Use a stick or disk with room for it",
				 need, folder, have);
	}
	return 0;
}

int space_write_error(int errno_value, const char *folder, struct error *err)
{
	if (errno_value == ENOSPC || errno_value == EDQUOT)
		return error_set(err, ERROR_NO_SPACE, "kernel", errno_value,
				 "%.80s became full while the firmware was written. Make room and "
				 "try again: what is there is kept",
				 folder);
	if (errno_value == EFBIG)
		return error_set(
		    err, ERROR_NO_SPACE, "kernel", errno_value,
		    "The file system of %.80s holds no file of this size. Choose a disk "
		    "with exFAT or ext4",
		    folder);
	if (errno_value == EROFS || errno_value == EACCES || errno_value == EPERM)
		return error_set(err, ERROR_NO_SPACE, "kernel", errno_value,
				 "Nothing can be written in %.80s: it is read-only. Choose another "
				 "stick or disk",
				 folder);
	if (errno_value == ENOENT || errno_value == ENODEV || errno_value == ENXIO ||
	    errno_value == ESTALE)
		return error_set(err, ERROR_NO_SPACE, "kernel", errno_value,
				 "%.80s is gone: the stick or disk was pulled out, or the folder "
				 "was removed. Plug it in again, then try again",
				 folder);
	if (errno_value == EIO)
		return error_set(err, ERROR_NO_SPACE, "kernel", errno_value,
				 "The stick or disk with %.80s does not take what is written: it "
				 "is worn out or was pulled out. Use another one",
				 folder);
	return error_set_errno(err, ERROR_NO_SPACE, "kernel", errno_value,
			       "Cannot write the firmware in %.80s", folder);
}
