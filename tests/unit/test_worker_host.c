/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What NTFS and ext say of themselves (worker/host_superblock.h), and what lies in a volume's
 * folders (worker/host_folder.h). Whole volumes made by other tools are the stories' matter. */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/host_folder.h"
#include "worker/host_superblock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* --- a disk in memory ------------------------------------------------------------------------ */

enum {
	CLUSTER = 4096,
	TABLE = 4 * CLUSTER, /* of the master file table */
	RECORD = 1024,
	JOURNAL = 32 * CLUSTER,
	DISK = 64 * CLUSTER,
	EXT = 1024, /* of ext's superblock */
};

struct disk {
	unsigned char bytes[DISK];
};

static int disk_read(void *user, uint64_t offset, void *ret, size_t n)
{
	const struct disk *disk = user;

	if (offset > DISK || n > DISK - offset)
		return -EIO;
	memcpy(ret, disk->bytes + offset, n);
	return 0;
}

static void put(struct disk *disk, size_t at, unsigned long long value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		disk->bytes[at + i] = (unsigned char)(value >> (8 * i));
}

/* The update sequence as Windows writes it: the last two bytes of each block stand in it. */
static void protect(struct disk *disk, size_t at, size_t bytes, size_t sequence)
{
	put(disk, at + 4, sequence, 2);
	put(disk, at + 6, bytes / 512 + 1, 2);
	put(disk, at + sequence, 0x0bad, 2);
	for (size_t i = 1; i <= bytes / 512; i++) {
		memcpy(disk->bytes + at + sequence + 2 * i, disk->bytes + at + i * 512 - 2, 2);
		put(disk, at + i * 512 - 2, 0x0bad, 2);
	}
}

static size_t record_begin(struct disk *disk, unsigned number)
{
	size_t at = TABLE + number * RECORD;

	memcpy(disk->bytes + at, "FILE", 4);
	put(disk, at + 0x14, 0x38, 2); /* first attribute */
	return at;
}

/* One restart page of the journal. */
static void restart_make(struct disk *disk, unsigned page, unsigned long long number, bool open)
{
	size_t at = JOURNAL + page * 4096;

	memcpy(disk->bytes + at, "RSTR", 4);
	put(disk, at + 0x18, 0x30, 2);
	put(disk, at + 0x30, number, 8);
	put(disk, at + 0x30 + 0x0c, open ? 0 : 0xffff, 2); /* who uses it */
	put(disk, at + 0x30 + 0x0e, 0, 2);                 /* flags */
	protect(disk, at, 4096, 0x1e);
}

/* An NTFS volume whose $Volume has these flags; the journal as Windows formats it: never used. */
static void ntfs_make(struct disk *disk, unsigned flags)
{
	size_t at;

	memset(disk, 0, sizeof(*disk));
	memcpy(disk->bytes + 3, "NTFS    ", 8);
	put(disk, 0x0b, 512, 2);
	disk->bytes[0x0d] = CLUSTER / 512;
	put(disk, 0x30, TABLE / CLUSTER, 8);
	disk->bytes[0x40] = 0xf6; /* 2^10 bytes */
	memset(disk->bytes + JOURNAL, 0xff, 2 * 4096);

	at = record_begin(disk, 3);
	put(disk, at + 0x38, 0x60, 4); /* a name before it */
	put(disk, at + 0x3c, 0x18, 4);
	put(disk, at + 0x50, 0x70, 4);
	put(disk, at + 0x54, 0x28, 4);
	put(disk, at + 0x60, 12, 4);
	put(disk, at + 0x64, 0x18, 2);
	disk->bytes[at + 0x68 + 8] = 3;
	put(disk, at + 0x68 + 10, flags, 2);
	put(disk, at + 0x78, 0xffffffff, 4);
	protect(disk, at, RECORD, 0x2a);

	at = record_begin(disk, 2);
	put(disk, at + 0x38, 0x80, 4);
	put(disk, at + 0x3c, 0x48, 4);
	disk->bytes[at + 0x38 + 8] = 1;
	put(disk, at + 0x38 + 0x20, 0x40, 2);
	put(disk, at + 0x38 + 0x40, 0x11, 1); /* one byte of length, one of place */
	put(disk, at + 0x38 + 0x41, 2, 1);
	put(disk, at + 0x38 + 0x42, JOURNAL / CLUSTER, 1);
	put(disk, at + 0x80, 0xffffffff, 4);
	protect(disk, at, RECORD, 0x2a);
}

static struct host_ntfs ntfs_read(struct disk *disk)
{
	struct host_ntfs ntfs = { 0 };

	assert_int_equal(host_ntfs_read(disk_read, disk, &ntfs), 0);
	return ntfs;
}

static struct disk *disk_new(void)
{
	struct disk *disk = malloc(sizeof(*disk));

	assert_non_null(disk);
	return disk;
}

/* --- NTFS ------------------------------------------------------------------------------------ */

static void flags_of_the_volume_are_read(void **state)
{
	_cleanup_free_ struct disk *disk = disk_new();
	struct host_ntfs ntfs;

	ntfs_make(disk, 0);
	ntfs = ntfs_read(disk);
	assert_false(ntfs.dirty || ntfs.chkdsk || ntfs.log_open);
	assert_int_equal(ntfs.major, 3);
	ntfs_make(disk, 0x0001);
	assert_true(ntfs_read(disk).dirty);
	ntfs_make(disk, 0x8000);
	ntfs = ntfs_read(disk);
	assert_true(ntfs.chkdsk && !ntfs.dirty);
}

static void newer_restart_page_says_whether_the_journal_is_open(void **state)
{
	_cleanup_free_ struct disk *disk = disk_new();

	ntfs_make(disk, 0);
	restart_make(disk, 0, 7, false);
	restart_make(disk, 1, 9, true);
	assert_true(ntfs_read(disk).log_open);
	ntfs_make(disk, 0);
	restart_make(disk, 0, 11, false);
	restart_make(disk, 1, 9, true);
	assert_false(ntfs_read(disk).log_open);
	/* one page alone counts; one that is half written does not */
	ntfs_make(disk, 0);
	restart_make(disk, 1, 9, true);
	assert_true(ntfs_read(disk).log_open);
	disk->bytes[JOURNAL + 4096 + 1022] ^= 1;
	assert_true(ntfs_read(disk).log_open); /* nobody knows: nobody writes */
}

static void what_is_no_ntfs_is_refused(void **state)
{
	static const struct {
		size_t at;
		unsigned char value;
	} damages[] = {
		{ 3, 'X' },                                 /* name */
		{ 0x0c, 0x40 },                             /* sectors of 16 KiB */
		{ 0x0d, 0 },                                /* no sectors in a cluster */
		{ 0x37, 0x7f },                             /* a table beyond all disks */
		{ 0x40, 0x20 },                             /* records of 128 KiB */
		{ 0x32, 0xff },                             /* a table beyond this disk */
		{ TABLE + 3 * RECORD, 'B' },                /* no record */
		{ TABLE + 3 * RECORD + 510, 7 },            /* half written */
		{ TABLE + 3 * RECORD + 6, 9 },              /* an update sequence of another size */
		{ TABLE + 3 * RECORD + 0x54, 0 },           /* an attribute of no bytes */
		{ TABLE + 3 * RECORD + 0x56, 1 },           /* one beyond the record */
		{ TABLE + 3 * RECORD + 0x58, 1 },           /* not in the record itself */
		{ TABLE + 3 * RECORD + 0x65, 9 },           /* a value beyond it */
		{ TABLE + 2 * RECORD + 0x38 + 0x21, 9 },    /* a run beyond it */
		{ TABLE + 2 * RECORD + 0x38 + 0x40, 0 },    /* no run */
		{ TABLE + 2 * RECORD + 0x38 + 0x40, 0xf1 }, /* a place of 15 bytes */
	};
	_cleanup_free_ struct disk *disk = disk_new();
	struct host_ntfs ntfs;

	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		ntfs_make(disk, 0);
		disk->bytes[damages[i].at] = damages[i].value;
		if (host_ntfs_read(disk_read, disk, &ntfs) >= 0)
			fail_msg("damage %zu is not seen", i);
	}
}

/* --- ext ------------------------------------------------------------------------------------- */

static struct host_ext ext_read(unsigned state, unsigned compatible, unsigned incompatible)
{
	_cleanup_free_ struct disk *disk = disk_new();
	struct host_ext ext;

	memset(disk, 0, sizeof(*disk));
	put(disk, EXT + 0x38, 0xef53, 2);
	put(disk, EXT + 0x3a, state, 2);
	put(disk, EXT + 0x5c, compatible, 4);
	put(disk, EXT + 0x60, incompatible, 4);
	disk->bytes[EXT + 0x88] = '/';
	assert_int_equal(host_ext_read(disk_read, disk, &ext), 0);
	disk->bytes[EXT + 0x38] = 0;
	assert_int_equal(host_ext_read(disk_read, disk, &ext), -EBADMSG);
	return ext;
}

static void ext_tells_how_it_was_left(void **state)
{
	struct host_ext ext = ext_read(1, 4, 0x2c2);

	assert_true(ext.on_slash && !ext.recover && !ext.errors && !ext.unclean);
	assert_true(ext_read(1, 4, 0x2c6).recover);
	assert_true(ext_read(3, 4, 0x2c2).errors);
	assert_true(ext_read(0, 0, 0).unclean);  /* ext2 that was not unmounted */
	assert_false(ext_read(0, 4, 0).unclean); /* its journal says it */
}

/* --- folders --------------------------------------------------------------------------------- */

static void make_file(const char *folder, const char *path, const char *content)
{
	char whole[256];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", folder, path);
	for (char *at = whole + strlen(folder) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		(void)mkdir(whole, 0700);
		*at = '/';
	}
	file = fopen(whole, "we");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void look(const char *folder, const char *filesystem, struct host_folder *ret)
{
	struct host_volume volume = { 0 };
	_cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	snprintf(volume.filesystem, sizeof(volume.filesystem), "%s", filesystem);
	assert_true(fd >= 0);
	assert_int_equal(host_folder_look(&volume, fd, true, ret), 0);
}

static void windows_names_have_no_case_and_links_are_not_followed(void **state)
{
	char folder[] = "/tmp/host-XXXXXX", command[64];
	struct host_folder found;

	assert_non_null(mkdtemp(folder));
	make_file(folder, "PROGRAMDATA/apple/LockDown/00008110-001C20223E29401E.plist", "");
	make_file(folder, "PROGRAMDATA/apple/LockDown/notes.txt", "mine");
	make_file(folder, "elsewhere/00008110-00AAAAAAAAAAAAAA.plist", "");
	snprintf(command, sizeof(command), "%s/PROGRAMDATA/apple/LockDown/b.plist", folder);
	assert_int_equal(symlink("/etc/passwd", command), 0);
	look(folder, "ntfs", &found);
	assert_string_equal(found.path, "PROGRAMDATA/apple/LockDown");
	assert_int_equal(found.system, HOST_WINDOWS);
	assert_int_equal(found.count, 1);
	assert_string_equal(found.files[0].udid, "00008110-001C20223E29401E");
	assert_true(found.files[0].record.broken);
	assert_false(found.sleeps);
	host_folder_done(&found);
	/* on Linux names have case */
	look(folder, "ext4", &found);
	assert_string_equal(found.path, "");
	assert_int_equal(found.system, HOST_SYSTEM_UNKNOWN);
	host_folder_done(&found);
}

static void sleeping_windows_is_seen(void **state)
{
	char folder[] = "/tmp/host-XXXXXX";
	struct host_folder found;
	char header[8192];

	assert_non_null(mkdtemp(folder));
	make_file(folder, "Hiberfil.sys", "");
	look(folder, "ntfs", &found);
	assert_true(found.sleeps); /* too short for a header: another volume's system sleeps */
	host_folder_done(&found);
	memset(header, 'h', sizeof(header) - 1);
	header[sizeof(header) - 1] = '\0';
	make_file(folder, "Hiberfil.sys", header);
	look(folder, "ntfs", &found);
	assert_true(found.sleeps);
	host_folder_done(&found);
	look(folder, "ext4", &found);
	assert_false(found.sleeps);
	host_folder_done(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_of_the_volume_are_read),
		cmocka_unit_test(newer_restart_page_says_whether_the_journal_is_open),
		cmocka_unit_test(what_is_no_ntfs_is_refused),
		cmocka_unit_test(ext_tells_how_it_was_left),
		cmocka_unit_test(windows_names_have_no_case_and_links_are_not_followed),
		cmocka_unit_test(sleeping_windows_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
