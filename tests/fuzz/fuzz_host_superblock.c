/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A volume of a foreign disk: what it says of itself is read whatever stands in it. */
#include "worker/host_superblock.h"
#include <errno.h>
#include <string.h>

struct disk {
	const uint8_t *bytes;
	size_t n;
};

/* The bytes again and again, so that what a pointer leads to is there. */
static int disk_read(void *user, uint64_t offset, void *ret, size_t n)
{
	const struct disk *disk = user;
	unsigned char *to = ret;

	if (disk->n == 0 || offset > UINT64_C(1) << 40)
		return -EIO;
	for (size_t i = 0; i < n; i++)
		to[i] = disk->bytes[(offset + i) % disk->n];
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct disk disk = { .bytes = bytes, .n = n };
	struct host_ntfs ntfs;
	struct host_ext ext;

	if (host_ntfs_read(disk_read, &disk, &ntfs) == 0 && ntfs.major > UINT8_MAX)
		__builtin_trap();
	(void)host_ext_read(disk_read, &disk, &ext);
	return 0;
}
