/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/host_superblock.h"
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* --- little-endian numbers at any place ------------------------------------------------------ */

static unsigned le16_at(const unsigned char *p)
{
	return (unsigned)p[0] | (unsigned)p[1] << 8;
}

static uint32_t le32_at(const unsigned char *p)
{
	return (uint32_t)le16_at(p) | (uint32_t)le16_at(p + 2) << 16;
}

static uint64_t le64_at(const unsigned char *p)
{
	return (uint64_t)le32_at(p) | (uint64_t)le32_at(p + 4) << 32;
}

int host_read_fd(void *user, uint64_t offset, void *ret, size_t n)
{
	const int *fd = user;
	ssize_t r;

	if (offset > INT64_MAX)
		return -EBADMSG;
	r = pread(*fd, ret, n, (off_t)offset);
	if (r < 0)
		return -errno;
	return (size_t)r == n ? 0 : -EBADMSG;
}

/* --- NTFS ------------------------------------------------------------------------------------ */

enum {
	BLOCK = 512,              /* what update sequences protect */
	RECORD_MIN = 1024,        /* of the master file table */
	RECORD_MAX = 4096,        /* disks with sectors of 4096 bytes */
	CLUSTER_MAX = 2 << 20,    /* bytes */
	RECORD_LOG = 2,           /* number of $LogFile's record */
	RECORD_VOLUME = 3,        /* of $Volume's */
	TYPE_INFORMATION = 0x70,  /* $VOLUME_INFORMATION */
	TYPE_CONTENT = 0x80,      /* $DATA */
	TYPE_END = 0x7fffffff,    /* and 0xffffffff */
	FLAG_DIRTY = 0x0001,      /* of $VOLUME_INFORMATION */
	FLAG_CHKDSK = 0x8000,     /* changed by chkdsk */
	RESTART_PAGE = 4096,      /* bytes; the second one stands behind the first */
	RESTART_CLEAN = 0x0002,   /* flag of a restart area */
	NO_CLIENT = 0xffff,       /* nobody uses the journal */
	RESTART_AREA_BYTES = 0x10 /* of it are read */
};

struct ntfs {
	host_read_fn read;
	void *user;
	uint64_t cluster;    /* bytes */
	uint64_t table;      /* where the master file table begins, bytes */
	size_t record_bytes; /* of one record in it */
};

/* A power of two in n bits, or -x for 2^x bytes, as the boot sector writes sizes. */
static uint64_t record_size(unsigned code, uint64_t cluster)
{
	if (code < 0x80)
		return code * cluster;
	return 256 - code < 32 ? (uint64_t)1 << (256 - code) : 0;
}

static int ntfs_open(struct ntfs *ntfs)
{
	unsigned char boot[BLOCK];
	uint64_t sector, clusters, number;
	int r = ntfs->read(ntfs->user, 0, boot, sizeof(boot));

	if (r < 0)
		return r;
	if (memcmp(boot + 3, "NTFS    ", 8) != 0)
		return -EBADMSG;
	sector = le16_at(boot + 0x0b);
	clusters = boot[0x0d] > 0x80 ? record_size(boot[0x0d], 1) : boot[0x0d];
	ntfs->cluster = sector * clusters;
	number = le64_at(boot + 0x30);
	ntfs->record_bytes = record_size(boot[0x40], ntfs->cluster);
	if (sector < 256 || sector > RECORD_MAX || ntfs->cluster == 0 ||
	    ntfs->cluster > CLUSTER_MAX || number > INT64_MAX / CLUSTER_MAX ||
	    ntfs->record_bytes < RECORD_MIN || ntfs->record_bytes > RECORD_MAX ||
	    ntfs->record_bytes % BLOCK != 0)
		return -EBADMSG;
	ntfs->table = number * ntfs->cluster;
	return 0;
}

/* Puts the bytes back that the update sequence holds; `bytes` is a multiple of BLOCK. */
static int fix_up(unsigned char *record, size_t bytes)
{
	size_t offset = le16_at(record + 4), count = le16_at(record + 6);

	if (count != bytes / BLOCK + 1 || offset + 2 * count > BLOCK - 2)
		return -EBADMSG;
	for (size_t i = 1; i < count; i++) {
		unsigned char *end = record + i * BLOCK - 2;

		if (memcmp(end, record + offset, 2) != 0)
			return -EBADMSG; /* it was half written */
		memcpy(end, record + offset + 2 * i, 2);
	}
	return 0;
}

static int record_read(const struct ntfs *ntfs, unsigned number, unsigned char *ret)
{
	int r = ntfs->read(ntfs->user, ntfs->table + number * ntfs->record_bytes, ret,
			   ntfs->record_bytes);

	if (r < 0)
		return r;
	return memcmp(ret, "FILE", 4) == 0 ? fix_up(ret, ntfs->record_bytes) : -EBADMSG;
}

/* The unnamed attribute of this type, and its bytes to the end of the record; NULL if none. */
static const unsigned char *attribute_find(const struct ntfs *ntfs, const unsigned char *record,
					   uint32_t type, size_t *ret_bytes)
{
	size_t at = le16_at(record + 0x14);

	while (at + 0x18 <= ntfs->record_bytes) {
		const unsigned char *attribute = record + at;
		size_t bytes = le32_at(attribute + 4);

		if (le32_at(attribute) >= TYPE_END || bytes < 0x18 ||
		    bytes > ntfs->record_bytes - at)
			return NULL;
		if (le32_at(attribute) == type && attribute[9] == 0) {
			*ret_bytes = bytes;
			return attribute;
		}
		at += bytes;
	}
	return NULL;
}

static int flags_read(const struct ntfs *ntfs, struct host_ntfs *ret)
{
	unsigned char record[RECORD_MAX];
	const unsigned char *attribute;
	size_t bytes, value;
	int r = record_read(ntfs, RECORD_VOLUME, record);

	if (r < 0)
		return r;
	attribute = attribute_find(ntfs, record, TYPE_INFORMATION, &bytes);
	if (!attribute || attribute[8] != 0)
		return -EBADMSG;
	value = le16_at(attribute + 0x14);
	if (le32_at(attribute + 0x10) < 12 || value + 12 > bytes)
		return -EBADMSG;
	ret->major = attribute[value + 8];
	ret->dirty = le16_at(attribute + value + 10) & FLAG_DIRTY;
	ret->chkdsk = le16_at(attribute + value + 10) & FLAG_CHKDSK;
	return 0;
}

/* Where the first run of an attribute's content lies, bytes. */
static int first_run(const struct ntfs *ntfs, const unsigned char *attribute, size_t bytes,
		     uint64_t *ret)
{
	size_t at, length_bytes, place_bytes;
	uint64_t place = 0;

	if (attribute[8] != 1 || bytes < 0x40)
		return -EBADMSG;
	at = le16_at(attribute + 0x20);
	if (at >= bytes)
		return -EBADMSG;
	length_bytes = attribute[at] & 15;
	place_bytes = attribute[at] >> 4;
	at += 1 + length_bytes;
	if (length_bytes == 0 || place_bytes == 0 || place_bytes > 8 || at + place_bytes > bytes)
		return -EBADMSG;
	for (size_t i = place_bytes; i-- > 0;)
		place = place << 8 | attribute[at + i];
	if (place > INT64_MAX / CLUSTER_MAX) /* the first one is not negative either */
		return -EBADMSG;
	*ret = place * ntfs->cluster;
	return 0;
}

/* One restart page. 0 with what it says, -ENOENT if the page was never used, or -EBADMSG. */
static int restart_read(unsigned char *page, uint64_t *ret_number, bool *ret_open)
{
	size_t area;

	if (le32_at(page) == UINT32_MAX)
		return -ENOENT;
	if (memcmp(page, "RSTR", 4) != 0 || fix_up(page, RESTART_PAGE) < 0)
		return -EBADMSG;
	area = le16_at(page + 0x18);
	if (area + RESTART_AREA_BYTES > RESTART_PAGE)
		return -EBADMSG;
	*ret_number = le64_at(page + area);
	*ret_open = le16_at(page + area + 0x0c) != NO_CLIENT &&
		    (le16_at(page + area + 0x0e) & RESTART_CLEAN) == 0;
	return 0;
}

/* The newer of the two restart pages says whether the journal was closed. One that cannot be read
 * counts as open: nobody may write then. */
static int log_read(const struct ntfs *ntfs, struct host_ntfs *ret)
{
	unsigned char record[RECORD_MAX], page[RESTART_PAGE];
	uint64_t place, number, newest = 0;
	const unsigned char *attribute;
	bool found = false, unused = true, open;
	size_t bytes;
	int r = record_read(ntfs, RECORD_LOG, record);

	if (r < 0)
		return r;
	attribute = attribute_find(ntfs, record, TYPE_CONTENT, &bytes);
	if (!attribute || first_run(ntfs, attribute, bytes, &place) < 0)
		return -EBADMSG;
	for (unsigned i = 0; i < 2; i++) {
		r = ntfs->read(ntfs->user, place + (uint64_t)i * RESTART_PAGE, page, sizeof(page));
		if (r < 0)
			return r;
		r = restart_read(page, &number, &open);
		unused = unused && r == -ENOENT;
		if (r < 0 || (found && number < newest))
			continue;
		found = true;
		newest = number;
		ret->log_open = open;
	}
	if (!found)
		ret->log_open = !unused;
	return 0;
}

int host_ntfs_read(host_read_fn read, void *user, struct host_ntfs *ret)
{
	struct ntfs ntfs = { .read = read, .user = user };
	struct host_ntfs found = { 0 };
	int r = ntfs_open(&ntfs);

	if (r == 0)
		r = flags_read(&ntfs, &found);
	if (r == 0)
		r = log_read(&ntfs, &found);
	if (r == 0)
		*ret = found;
	return r;
}

/* --- ext2, ext3, ext4 ------------------------------------------------------------------------ */

enum {
	EXT_PLACE = 1024, /* of the superblock, bytes */
	EXT_BYTES = 1024,
	EXT_MAGIC = 0xef53,
	EXT_STATE_VALID = 1,
	EXT_STATE_ERRORS = 2,
	EXT_COMPAT_JOURNAL = 4,
	EXT_INCOMPAT_RECOVER = 4,
};

int host_ext_read(host_read_fn read, void *user, struct host_ext *ret)
{
	unsigned char block[EXT_BYTES];
	int r = read(user, EXT_PLACE, block, sizeof(block));
	unsigned state;

	if (r < 0)
		return r;
	if (le16_at(block + 0x38) != EXT_MAGIC)
		return -EBADMSG;
	state = le16_at(block + 0x3a);
	*ret = (struct host_ext){
		.recover = le32_at(block + 0x60) & EXT_INCOMPAT_RECOVER,
		.errors = state & EXT_STATE_ERRORS,
		.unclean =
		    !(state & EXT_STATE_VALID) && !(le32_at(block + 0x5c) & EXT_COMPAT_JOURNAL),
		.on_slash = block[0x88] == '/' && block[0x89] == '\0',
	};
	return 0;
}
