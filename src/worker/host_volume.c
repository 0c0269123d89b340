/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/host_volume.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/host_place.h"
#include "worker/host_superblock.h"
#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP(blkid_probe, blkid_free_probe)

static const char *const cause_names[HOST_CAUSE_MAX] = {
	[HOST_CAUSE_NONE] = "none",
	[HOST_CAUSE_HIBERNATED] = "hibernated",
	[HOST_CAUSE_SLEEPER] = "sleeper",
	[HOST_CAUSE_DIRTY] = "dirty",
	[HOST_CAUSE_LOG_OPEN] = "log-open",
	[HOST_CAUSE_RECOVER] = "recover",
	[HOST_CAUSE_ERRORS] = "errors",
	[HOST_CAUSE_BITLOCKER] = "bitlocker",
	[HOST_CAUSE_LUKS] = "luks",
	[HOST_CAUSE_PROTECTED] = "protected",
	[HOST_CAUSE_MACOS] = "macos",
	[HOST_CAUSE_FILE_SYSTEM] = "file-system",
	[HOST_CAUSE_UNREADABLE] = "unreadable",
};

const char *host_cause_name(enum host_cause cause)
{
	return cause_names[cause];
}

/* --- what libblkid calls it, what we do, and what that means --------------------------------- */

enum content { CONTENT_NTFS, CONTENT_EXT, CONTENT_OTHER };

static const struct kind {
	const char *blkid, *name;
	enum content content;
	enum host_cause cause; /* of CONTENT_OTHER */
} kinds[] = {
	{ "ntfs", "ntfs", CONTENT_NTFS, HOST_CAUSE_NONE },
	{ "ext4", "ext4", CONTENT_EXT, HOST_CAUSE_NONE },
	{ "ext3", "ext3", CONTENT_EXT, HOST_CAUSE_NONE },
	{ "ext2", "ext2", CONTENT_EXT, HOST_CAUSE_NONE },
	{ "BitLocker", "bitlocker", CONTENT_OTHER, HOST_CAUSE_BITLOCKER },
	{ "crypto_LUKS", "luks", CONTENT_OTHER, HOST_CAUSE_LUKS },
	{ "apfs", "apfs", CONTENT_OTHER, HOST_CAUSE_MACOS },
	{ "hfsplus", "hfs+", CONTENT_OTHER, HOST_CAUSE_MACOS },
	{ "hfs", "hfs", CONTENT_OTHER, HOST_CAUSE_MACOS },
};

static const struct kind *kind_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

bool host_volume_is_windows(const struct host_volume *volume)
{
	const struct kind *kind = kind_by_name(volume->filesystem);

	return kind && kind->content == CONTENT_NTFS;
}

bool host_volume_is_looked_into(const struct host_volume *volume)
{
	const struct kind *kind = kind_by_name(volume->filesystem);

	return kind && kind->content != CONTENT_OTHER && volume->cause != HOST_CAUSE_UNREADABLE;
}

static enum host_cause ntfs_cause(int fd)
{
	struct host_ntfs ntfs;

	if (host_ntfs_read(host_read_fd, &fd, &ntfs) < 0)
		return HOST_CAUSE_UNREADABLE;
	if (ntfs.dirty || ntfs.chkdsk)
		return HOST_CAUSE_DIRTY;
	return ntfs.log_open ? HOST_CAUSE_LOG_OPEN : HOST_CAUSE_NONE;
}

static enum host_cause ext_cause(int fd, bool *ret_on_slash)
{
	struct host_ext ext;

	if (host_ext_read(host_read_fd, &fd, &ext) < 0)
		return HOST_CAUSE_UNREADABLE;
	*ret_on_slash = ext.on_slash;
	if (ext.errors)
		return HOST_CAUSE_ERRORS;
	return ext.recover || ext.unclean ? HOST_CAUSE_RECOVER : HOST_CAUSE_NONE;
}

/* --- libblkid -------------------------------------------------------------------------------- */

static int probe_new(int fd, blkid_probe *ret)
{
	_cleanup_(blkid_free_probep) blkid_probe probe = blkid_new_probe();

	if (!probe || blkid_probe_set_device(probe, fd, 0, 0) < 0 ||
	    blkid_probe_enable_superblocks(probe, 1) < 0 ||
	    blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
							 BLKID_SUBLKS_UUID) < 0)
		return -EIO;
	*ret = TAKE(probe);
	return 0;
}

static void probe_text(blkid_probe probe, const char *name, char *ret, size_t bytes)
{
	const char *value = NULL;
	size_t n = 0;

	if (blkid_probe_lookup_value(probe, name, &value, &n) == 0)
		text_to_utf8(ret, bytes, value, n);
}

static void set_kind(struct host_volume *volume, int fd, const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const struct kind *kind = &kinds[i];

		if (strcmp(kind->blkid, type) != 0)
			continue;
		text_copy(volume->filesystem, sizeof(volume->filesystem), kind->name);
		volume->cause = kind->cause;
		if (kind->content == CONTENT_NTFS)
			volume->cause = ntfs_cause(fd);
		else if (kind->content == CONTENT_EXT)
			volume->cause = ext_cause(fd, &volume->on_slash);
		return;
	}
	text_copy(volume->filesystem, sizeof(volume->filesystem), type);
	volume->cause = HOST_CAUSE_FILE_SYSTEM;
}

/* Fills what the volume's own bytes say. False: there is no medium in it. */
static bool look_at(struct host_volume *volume)
{
	_cleanup_(blkid_free_probep) blkid_probe probe = NULL;
	_cleanup_close_ int fd = open(volume->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char type[HOST_NAME_BYTES] = "";
	int r;

	if (fd < 0 && errno == ENOMEDIUM)
		return false; /* an empty card reader */
	volume->cause = HOST_CAUSE_UNREADABLE;
	if (fd < 0 || probe_new(fd, &probe) < 0)
		return true;
	r = blkid_do_safeprobe(probe);
	if (r == 1)
		volume->cause = HOST_CAUSE_FILE_SYSTEM; /* nothing is in it */
	if (r != 0)
		return true; /* an error, or signatures of two kinds */
	probe_text(probe, "TYPE", type, sizeof(type));
	probe_text(probe, "LABEL", volume->label, sizeof(volume->label));
	probe_text(probe, "UUID", volume->uuid, sizeof(volume->uuid));
	set_kind(volume, fd, type);
	if (volume->cause == HOST_CAUSE_NONE && volume->protected)
		volume->cause = HOST_CAUSE_PROTECTED;
	return true;
}

/* Is there anything to tell of it, as of a volume of the computer's own systems? */
static bool is_of_a_system(const struct host_volume *volume)
{
	bool empty = volume->filesystem[0] == '\0' && volume->cause == HOST_CAUSE_FILE_SYSTEM;

	return !empty && strcmp(volume->filesystem, "swap") != 0;
}

/* --- our own stick --------------------------------------------------------------------------- */

/* The id of the partition table of rescue/layout, and the label of the CD's image. */
static const char own_table[] = "1d0b5c5e-7e5c-4e00-a11a-1d00d0e10001";
static const char own_label[] = "IDR-RESCUE", own_data[] = "RESCUEDATA";

bool host_disk_is_ours(const char *path)
{
	_cleanup_(blkid_free_probep) blkid_probe probe = NULL;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char table[HOST_NAME_BYTES] = "", label[HOST_NAME_BYTES] = "";

	if (fd < 0 || probe_new(fd, &probe) < 0 || blkid_probe_enable_partitions(probe, 1) < 0 ||
	    blkid_do_fullprobe(probe) != 0)
		return false;
	probe_text(probe, "PTUUID", table, sizeof(table));
	probe_text(probe, "LABEL", label, sizeof(label));
	return text_equal_fold(table, own_table) || strcmp(label, own_label) == 0;
}

static bool is_ours(const struct host_volume *volume)
{
	return strcmp(volume->filesystem, "exfat") == 0 && strcmp(volume->label, own_data) == 0;
}

/* --- finding --------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct host_volume *first = a, *second = b;

	return strverscmp(first->name, second->name);
}

static int volumes_find(bool all, struct host_volume ret[static HOST_VOLUMES_MAX],
			size_t *ret_count, struct error *err)
{
	const char *folder = getenv("IDEVICERESCUE_DISKS");
	size_t places = 0, count = 0;
	int r = folder ? host_places_images(folder, ret, &places) : host_places_find(ret, &places);

	if (r < 0)
		return error_set_errno(err, ERROR_REFUSED, "kernel", -r,
				       "The disks of this computer cannot be listed");
	for (size_t i = 0; i < places; i++) {
		struct host_volume volume = ret[i];

		/* what is mounted, or ours, is not even opened without need */
		if (!all && (volume.ours || volume.mounted[0] != '\0'))
			continue;
		if (!look_at(&volume))
			continue;
		volume.ours = volume.ours || is_ours(&volume);
		if (all || (!volume.ours && is_of_a_system(&volume)))
			ret[count++] = volume;
	}
	qsort(ret, count, sizeof(*ret), by_name);
	*ret_count = count;
	return 0;
}

int host_volumes_find(struct host_volume ret[static HOST_VOLUMES_MAX], size_t *ret_count,
		      struct error *err)
{
	return volumes_find(false, ret, ret_count, err);
}

int host_volumes_find_all(struct host_volume ret[static HOST_VOLUMES_MAX], size_t *ret_count,
			  struct error *err)
{
	return volumes_find(true, ret, ret_count, err);
}
