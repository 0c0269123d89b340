/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/data_make.h"
#include "base/cleanup.h"
#include "worker/data_program.h"
#include "worker/data_write.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const char sfdisk[] = "/usr/sbin/sfdisk", mkfs[] = "/usr/sbin/mkfs.exfat";

enum {
	PATH_BYTES = 64,
	SCRIPT_BYTES = 256,
	GPT_ALTERNATE = DATA_SECTOR + 32, /* where sector 1 tells the backup's place */
	/* mkfs.exfat chooses 32 or 128 KiB a cluster; a disk of terabytes would get a table of
	 * clusters that takes long to write */
	CLUSTERS_MAX = 4 * 1024 * 1024,
	CLUSTER_DEFAULT_MAX = 128 * 1024,
	CLUSTER_MAX = 32 * 1024 * 1024,
};

static int failed(struct error *err, int r, const char *what)
{
	return error_set_errno(err, ERROR_REFUSED, "kernel", -r, "%s", what);
}

/* --- files in memory ------------------------------------------------------------------------- */

/* A file of that size without content, and a path by which our children open it. */
static int memory_make(const char *name, uint64_t bytes, int *ret_fd, char path[static PATH_BYTES])
{
	_cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
		return -errno;
	snprintf(path, PATH_BYTES, "/proc/%d/fd/%d", (int)getpid(), fd);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int sectors_copy(int to, int from, uint64_t first, uint64_t count)
{
	char bytes[DATA_TABLE_SECTORS * DATA_SECTOR];
	size_t n = (size_t)count * DATA_SECTOR;
	off_t offset = (off_t)(first * DATA_SECTOR);

	if (pread(from, bytes, n, offset) != (ssize_t)n ||
	    pwrite(to, bytes, n, offset) != (ssize_t)n)
		return -EIO;
	return 0;
}

/* Where the first copy says that the backup is, 0 unknown. */
static uint64_t backup_sector(int fd)
{
	uint64_t sector = 0;

	return pread(fd, &sector, sizeof(sector), GPT_ALTERNATE) == (ssize_t)sizeof(sector)
		   ? le64toh(sector)
		   : 0;
}

/* Both copies of the table, and the backup of a table that was made for a smaller disk. */
static int table_copy(int to, int from, uint64_t disk_sectors)
{
	const uint64_t tail = DATA_TABLE_SECTORS - 1;
	uint64_t backup = backup_sector(from);
	int r = sectors_copy(to, from, 0, DATA_TABLE_SECTORS);

	if (r == 0)
		r = sectors_copy(to, from, disk_sectors - tail, tail);
	if (r == 0 && backup >= 2 * tail && backup < disk_sectors - tail)
		r = sectors_copy(to, from, backup - tail + 1, tail);
	return r;
}

/* --- the table ------------------------------------------------------------------------------- */

static int table_make(int fd, uint64_t disk_sectors, const struct data_judgement *judgement,
		      struct error *err)
{
	char path[PATH_BYTES], script[SCRIPT_BYTES];
	const char *relocate[] = { sfdisk, "--quiet", "--relocate", "gpt-bak-std", path, NULL };
	const char *append[] = { sfdisk,   "--quiet", "--append",
				 "--wipe", "never",   "--wipe-partitions",
				 "never",  path,      NULL };
	_cleanup_close_ int copy = -1;
	int r = memory_make("table", disk_sectors * DATA_SECTOR, &copy, path);

	if (r == 0)
		r = table_copy(copy, fd, disk_sectors);
	if (r < 0)
		return failed(err, r, "The stick's partition table cannot be read");
	r = data_program_run(relocate, NULL, err);
	if (r < 0)
		return r;
	snprintf(script, sizeof(script),
		 "start=%llu, size=%llu, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, name=\"%s\"\n",
		 (unsigned long long)judgement->start, (unsigned long long)judgement->sectors,
		 data_name_of_ours);
	r = judgement->add_entry ? data_program_run(append, script, err) : 0;
	if (r < 0)
		return r;
	r = data_write_table(fd, copy, disk_sectors);
	return r < 0 ? failed(err, r, "The stick's partition table cannot be written") : 0;
}

/* --- the volume ------------------------------------------------------------------------------ */

/* "1M" where mkfs.exfat's own choice would make too many clusters, else "". */
static void cluster_words(uint64_t bytes, char ret[static PATH_BYTES])
{
	uint64_t cluster = CLUSTER_DEFAULT_MAX;

	while (cluster < CLUSTER_MAX && bytes / cluster > CLUSTERS_MAX)
		cluster *= 2;
	ret[0] = '\0';
	if (cluster > CLUSTER_DEFAULT_MAX)
		snprintf(ret, PATH_BYTES, "--cluster-size=%lluK",
			 (unsigned long long)cluster / 1024);
}

/* End of what was written into a file of almost only holes. */
static int content_end(int fd, uint64_t *ret)
{
	off_t at = 0, end = 0, data;

	while ((data = lseek(fd, at, SEEK_DATA)) >= 0) {
		at = lseek(fd, data, SEEK_HOLE);
		if (at < 0)
			return -errno;
		end = at;
	}
	if (errno != ENXIO)
		return -errno;
	*ret = (uint64_t)end;
	return 0;
}

static int volume_format(const char *path, uint64_t bytes, struct error *err)
{
	char cluster[PATH_BYTES];
	const char *argv[] = { mkfs, "-q", "-L", data_name_of_ours, path, NULL, NULL };

	cluster_words(bytes, cluster);
	if (cluster[0] != '\0') {
		argv[4] = cluster;
		argv[5] = path;
	}
	return data_program_run(argv, NULL, err);
}

static int volume_make(int fd, const struct data_judgement *judgement, struct error *err)
{
	uint64_t bytes = judgement->sectors * DATA_SECTOR, end = 0, volume = 0;
	char path[PATH_BYTES], found[DATA_FOUND_BYTES];
	_cleanup_close_ int copy = -1;
	int r = memory_make("volume", bytes, &copy, path);

	if (r < 0)
		return failed(err, r, "There is no memory to make a file system in");
	r = volume_format(path, bytes, err);
	if (r < 0)
		return r;
	if (data_volume_look(copy, 0, judgement->sectors, &volume, found) != 1 ||
	    content_end(copy, &end) < 0)
		return error_set(err, ERROR_BUG, "worker", 0,
				 "mkfs.exfat made another file system than it was asked for");
	r = data_write_volume(fd, judgement->start * DATA_SECTOR, copy, end);
	return r < 0 ? failed(err, r, "The stick cannot be written") : 0;
}

/* --- both, and the proof --------------------------------------------------------------------- */

/* What we read from here on comes from the disk, not from the kernel's memory. */
static void caches_drop(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode))
		(void)ioctl(fd, BLKFLSBUF);
}

static int prove(int fd, uint64_t disk_sectors, const struct data_judgement *wanted,
		 struct error *err)
{
	struct data_judgement now;
	int r;

	caches_drop(fd);
	r = data_table_is_ours(fd) ? data_table_judge(fd, disk_sectors, &now) : -EIO;
	if (r < 0 || now.state != PARTITION_ADOPTED || now.add_entry || now.mend_table ||
	    now.start != wanted->start || now.sectors != wanted->sectors)
		return error_set(err, ERROR_REFUSED, "worker", r,
				 "The stick does not keep what is written to it: it is worn or "
				 "smaller than it says");
	return 0;
}

int data_make(int fd, uint64_t disk_sectors, const struct data_judgement *judgement,
	      struct error *err)
{
	int r = 0;

	if (judgement->make_volume)
		r = volume_make(fd, judgement, err);
	if (r == 0 && (judgement->add_entry || judgement->mend_table))
		r = table_make(fd, disk_sectors, judgement, err);
	return r == 0 ? prove(fd, disk_sectors, judgement, err) : r;
}
