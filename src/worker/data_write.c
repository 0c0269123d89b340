/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/data_write.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "worker/data_table.h"
#include <errno.h>
#include <string.h>

enum {
	CHUNK = 1024 * 1024,
	BOOT_CODE = 446, /* bytes of sector 0 in front of the protective MBR's entries */
	HEAD = DATA_TABLE_SECTORS * DATA_SECTOR,
	TAIL = (DATA_TABLE_SECTORS - 1) * DATA_SECTOR,
};

static int read_all(int fd, void *ret, size_t n, uint64_t offset)
{
	ssize_t r = pread(fd, ret, n, (off_t)offset);

	return r < 0 ? -errno : (size_t)r < n ? -EIO : 0;
}

static int sync_now(int fd)
{
	return fsync(fd) < 0 ? -errno : 0;
}

/* --- the volume ------------------------------------------------------------------------------ */

static int carry(int to, uint64_t offset, int from, uint64_t begin, uint64_t end)
{
	_cleanup_free_ char *bytes = malloc(CHUNK);
	int r = bytes ? 0 : -ENOMEM;

	while (r == 0 && begin < end) {
		size_t n = end - begin < CHUNK ? (size_t)(end - begin) : CHUNK;

		r = read_all(from, bytes, n, begin);
		if (r == 0)
			r = file_write_at(to, bytes, n, offset + begin);
		begin += n;
	}
	return r;
}

int data_write_volume(int to, uint64_t offset, int from, uint64_t bytes)
{
	int r = carry(to, offset, from, DATA_SECTOR, bytes);

	if (r == 0)
		r = sync_now(to);
	if (r == 0)
		r = carry(to, offset, from, 0, DATA_SECTOR);
	return r == 0 ? sync_now(to) : r;
}

/* --- the table ------------------------------------------------------------------------------- */

/* Writes the runs of sectors in which both differ. */
static int write_changed(int to, const char *now, const char *wanted, size_t bytes, uint64_t offset)
{
	int r = 0;

	for (size_t at = 0, end; r == 0 && at < bytes; at = end) {
		bool differs = memcmp(now + at, wanted + at, DATA_SECTOR) != 0;

		end = at + DATA_SECTOR;
		while (end < bytes &&
		       (memcmp(now + end, wanted + end, DATA_SECTOR) != 0) == differs)
			end += DATA_SECTOR;
		if (differs)
			r = file_write_at(to, wanted + at, end - at, offset + at);
	}
	return r == 0 ? sync_now(to) : r;
}

int data_write_table(int to, int from, uint64_t disk_sectors)
{
	char head[HEAD], wanted_head[HEAD], tail[TAIL], wanted_tail[TAIL];
	uint64_t end = disk_sectors * DATA_SECTOR - TAIL;
	int r = read_all(to, head, HEAD, 0);

	if (r == 0)
		r = read_all(from, wanted_head, HEAD, 0);
	if (r == 0)
		r = read_all(to, tail, TAIL, end);
	if (r == 0)
		r = read_all(from, wanted_tail, TAIL, end);
	if (r == 0 && memcmp(head, wanted_head, BOOT_CODE) != 0)
		r = -EPERM;
	if (r == 0)
		r = write_changed(to, tail, wanted_tail, TAIL, end);
	return r == 0 ? write_changed(to, head, wanted_head, HEAD, 0) : r;
}
