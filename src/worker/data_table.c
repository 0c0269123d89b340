/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/data_table.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <blkid/blkid.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static inline void blkid_free_probep(blkid_probe *probe)
{
	blkid_free_probe(*probe);
}

/* rescue/layout */
static const char table_id[] = "1d0b5c5e-7e5c-4e00-a11a-1d00d0e10001";
static const char type_data[] = "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7";
const char data_name_of_ours[] = "RESCUEDATA";
static const struct {
	int number;
	const char *type, *uuid;
} boot_partitions[] = {
	{ 1, "21686148-6449-6e6f-744e-656564454649", "1d0b5c5e-7e5c-4e00-a11a-1d00d0e10002" },
	{ 2, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "1d0b5c5e-7e5c-4e00-a11a-1d00d0e10003" },
};

static const char *const state_names[PARTITION_STATE_MAX] = {
	[PARTITION_MADE] = "made",
	[PARTITION_ADOPTED] = "adopted",
	[PARTITION_FOREIGN] = "foreign",
	[PARTITION_NO_ROOM] = "no-room",
	[PARTITION_NOT_OUR_STICK] = "not-our-stick",
	[PARTITION_NO_GPT] = "no-gpt",
	[PARTITION_SEVERAL] = "several",
	[PARTITION_FORBIDDEN] = "forbidden",
	[PARTITION_PROTECTED] = "protected",
	[PARTITION_FAILED] = "failed",
};

const char *partition_state_name(enum partition_state state)
{
	return state_names[state];
}

static int read_at(int fd, uint64_t offset, void *ret, size_t n)
{
	ssize_t r = pread(fd, ret, n, (off_t)offset);

	return r < 0 ? -errno : (size_t)r < n ? -EIO : 0;
}

/* --- the table ------------------------------------------------------------------------------- */

/* *ret_probe owns the list. */
static int partitions_read(int fd, blkid_probe *ret_probe, blkid_partlist *ret)
{
	_cleanup_(blkid_free_probep) blkid_probe probe = blkid_new_probe();
	blkid_partlist list;

	if (!probe || blkid_probe_set_device(probe, fd, 0, 0) < 0 ||
	    blkid_probe_enable_superblocks(probe, 0) < 0 ||
	    blkid_probe_enable_partitions(probe, 1) < 0)
		return -EIO;
	list = blkid_probe_get_partitions(probe);
	if (!list || !blkid_partlist_get_table(list))
		return -ENOENT;
	*ret_probe = TAKE(probe);
	*ret = list;
	return 0;
}

static bool text_is(const char *text, const char *wanted)
{
	return text && text_equal_fold(text, wanted);
}

bool data_table_is_ours(int fd)
{
	_cleanup_(blkid_free_probep) blkid_probe probe = NULL;
	blkid_partlist list = NULL;
	blkid_parttable table;

	if (partitions_read(fd, &probe, &list) < 0)
		return false;
	table = blkid_partlist_get_table(list);
	return text_is(blkid_parttable_get_type(table), "gpt") &&
	       text_is(blkid_parttable_get_id(table), table_id);
}

static uint32_t crc32_of(const unsigned char *bytes, size_t n)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static uint32_t number_at(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

/* Is the first copy of the table whole? libblkid and sfdisk read the backup if not; Linux and some
 * firmware do not. (UEFI specification, 5.3.2; sizes as sfdisk writes them.) */
static bool first_copy_is_whole(int fd)
{
	enum { HEADER = 92, HEADER_CRC = 16, COUNT = 80, SIZE = 84, ARRAY_CRC = 88 };
	unsigned char bytes[(DATA_TABLE_SECTORS - 1) * DATA_SECTOR], header[HEADER];
	const unsigned char *array = bytes + DATA_SECTOR;

	if (read_at(fd, DATA_SECTOR, bytes, sizeof(bytes)) < 0 || memcmp(bytes, "EFI PART", 8) != 0)
		return false;
	memcpy(header, bytes, sizeof(header));
	memset(header + HEADER_CRC, 0, 4);
	return number_at(bytes + COUNT) == 128 && number_at(bytes + SIZE) == 128 &&
	       number_at(bytes + HEADER_CRC) == crc32_of(header, HEADER) &&
	       number_at(bytes + ARRAY_CRC) == crc32_of(array, sizeof(bytes) - DATA_SECTOR);
}

/* --- the volume ------------------------------------------------------------------------------ */

static void value_copy(blkid_probe probe, const char *name, char ret[static DATA_FOUND_BYTES])
{
	const char *value = NULL;
	size_t n = 0;

	ret[0] = '\0';
	if (blkid_probe_lookup_value(probe, name, &value, &n) == 0)
		text_to_utf8(ret, DATA_FOUND_BYTES, value, n);
}

/* Size in the boot sector (exFAT specification, 3.1), 0 if it is not one that we make. */
static uint64_t volume_sectors(int fd, uint64_t start)
{
	enum { LENGTH = 72, SECTOR_SHIFT = 108, SHIFT_512 = 9 };
	unsigned char boot[DATA_SECTOR];
	uint64_t length;

	if (read_at(fd, start * DATA_SECTOR, boot, sizeof(boot)) < 0 ||
	    boot[SECTOR_SHIFT] != SHIFT_512)
		return 0;
	memcpy(&length, boot + LENGTH, sizeof(length));
	return le64toh(length);
}

int data_volume_look(int fd, uint64_t start, uint64_t sectors, uint64_t *ret_volume,
		     char found[static DATA_FOUND_BYTES])
{
	_cleanup_(blkid_free_probep) blkid_probe probe = blkid_new_probe();
	char label[DATA_FOUND_BYTES];
	uint64_t volume;
	int r;

	if (!probe ||
	    blkid_probe_set_device(probe, fd, (blkid_loff_t)(start * DATA_SECTOR),
				   (blkid_loff_t)(sectors * DATA_SECTOR)) < 0 ||
	    blkid_probe_enable_superblocks(probe, 1) < 0 ||
	    blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL) < 0 ||
	    blkid_probe_enable_partitions(probe, 1) < 0)
		return -EIO;
	r = blkid_do_safeprobe(probe);
	if (r == 1)
		return 0;
	if (r == -1)
		return -EIO;
	value_copy(probe, "TYPE", found);
	value_copy(probe, "LABEL", label);
	volume = volume_sectors(fd, start);
	if (r == 0 && strcmp(found, "exfat") == 0 && strcmp(label, data_name_of_ours) == 0 &&
	    volume >= DATA_ALIGN && volume <= sectors) {
		*ret_volume = volume;
		return 1;
	}
	if (found[0] == '\0')
		value_copy(probe, "PTTYPE", found);
	if (r < 0 || found[0] == '\0')
		snprintf(found, DATA_FOUND_BYTES, "%s", "several signatures");
	return -EEXIST;
}

/* --- judging --------------------------------------------------------------------------------- */

/* what: borrowed, may be judgement->found itself. */
static void foreign(struct data_judgement *judgement, const char *what)
{
	judgement->state = PARTITION_FOREIGN;
	if (what && what != judgement->found)
		text_copy(judgement->found, sizeof(judgement->found), what);
}

/* The two that every image of ours has, in front of the data partition. */
static bool boot_partitions_are_ours(blkid_partlist list)
{
	for (size_t i = 0; i < ARRAY_LEN(boot_partitions); i++) {
		blkid_partition part =
		    blkid_partlist_get_partition_by_partno(list, boot_partitions[i].number);

		if (!part ||
		    !text_is(blkid_partition_get_type_string(part), boot_partitions[i].type) ||
		    !text_is(blkid_partition_get_uuid(part), boot_partitions[i].uuid) ||
		    blkid_partition_get_start(part) + blkid_partition_get_size(part) > DATA_START)
			return false;
	}
	return true;
}

static bool is_data(blkid_partition part)
{
	const char *name = blkid_partition_get_name(part);

	return text_is(blkid_partition_get_type_string(part), type_data) && name &&
	       strcmp(name, data_name_of_ours) == 0;
}

/* The first partition that is neither for booting nor named as ours; NULL none. */
static blkid_partition stranger_find(blkid_partlist list)
{
	for (int i = 0; i < blkid_partlist_numof_partitions(list); i++) {
		blkid_partition part = blkid_partlist_get_partition(list, i);

		if (blkid_partition_get_partno(part) > (int)ARRAY_LEN(boot_partitions) &&
		    !is_data(part))
			return part;
	}
	return NULL;
}

static const char *stranger_words(blkid_partition part)
{
	const char *name = blkid_partition_get_name(part);

	return name && *name ? name : blkid_partition_get_type_string(part);
}

static blkid_partition data_find(blkid_partlist list)
{
	for (int i = 0; i < blkid_partlist_numof_partitions(list); i++)
		if (is_data(blkid_partlist_get_partition(list, i)))
			return blkid_partlist_get_partition(list, i);
	return NULL;
}

/* The table has an entry of ours: with a volume it is used; an empty one that stands where ours
 * begin is one whose making was broken off. */
static int judge_entry(int fd, blkid_partition part, struct data_judgement *ret)
{
	uint64_t volume = 0;
	int r;

	ret->start = (uint64_t)blkid_partition_get_start(part);
	ret->sectors = (uint64_t)blkid_partition_get_size(part);
	r = data_volume_look(fd, ret->start, ret->sectors, &volume, ret->found);
	if (r == 1) {
		ret->state = PARTITION_ADOPTED;
		return 0;
	}
	if (r == -EEXIST || (r == 0 && (ret->start != DATA_START || ret->sectors < DATA_ALIGN))) {
		foreign(ret, r == 0 ? data_name_of_ours : ret->found);
		return 0;
	}
	ret->state = PARTITION_MADE;
	ret->make_volume = true;
	return r;
}

static int judge_room(int fd, uint64_t disk_sectors, struct data_judgement *ret)
{
	uint64_t end = disk_sectors - (DATA_TABLE_SECTORS - 1), volume = 0;
	int r;

	ret->start = DATA_START;
	ret->state = PARTITION_NO_ROOM;
	if (disk_sectors < DATA_TABLE_SECTORS || end < DATA_START + (uint64_t)DATA_SECTORS_MIN)
		return 0;
	ret->sectors = (end - DATA_START) / DATA_ALIGN * DATA_ALIGN;
	r = data_volume_look(fd, ret->start, ret->sectors, &volume, ret->found);
	if (r == -EEXIST) {
		foreign(ret, ret->found);
		return 0;
	}
	if (r < 0)
		return r;
	ret->state = r == 1 ? PARTITION_ADOPTED : PARTITION_MADE;
	ret->add_entry = true;
	ret->make_volume = r == 0;
	if (r == 1)
		ret->sectors = volume;
	return 0;
}

int data_table_judge(int fd, uint64_t disk_sectors, struct data_judgement *ret)
{
	_cleanup_(blkid_free_probep) blkid_probe probe = NULL;
	struct data_judgement judgement = { 0 };
	blkid_partition data, stranger;
	blkid_partlist list = NULL;
	int r = partitions_read(fd, &probe, &list);

	if (r < 0)
		return r;
	data = data_find(list);
	stranger = stranger_find(list);
	if (data)
		r = judge_entry(fd, data, &judgement);
	if (r < 0)
		return r;
	if (data && judgement.state == PARTITION_ADOPTED &&
	    (stranger || !boot_partitions_are_ours(list))) {
		*ret = judgement; /* it is used as it is, and nothing else is touched */
		return 0;
	}
	if (stranger)
		foreign(&judgement, stranger_words(stranger));
	else if (!boot_partitions_are_ours(list))
		foreign(&judgement, "changed boot partitions");
	else if (!data)
		r = judge_room(fd, disk_sectors, &judgement);
	if (r < 0)
		return r;
	if (judgement.state == PARTITION_MADE || judgement.state == PARTITION_ADOPTED)
		judgement.mend_table = !first_copy_is_whole(fd);
	else
		judgement.make_volume = judgement.add_entry = false;
	*ret = judgement;
	return 0;
}
