/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The volumes of this computer's disks: partitions, and disks without any. What they are is told by
 * libblkid and by their superblocks; nothing is mounted here and nothing written.
 *
 * Left out: what is no disk (loop, RAM, CD, device mapper, RAID); and, unless all are asked for,
 * our own stick (by the ids of its partition table), what is mounted already, and what is empty.
 */
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOST_VOLUMES_MAX = 64, HOST_NAME_BYTES = 64, HOST_TEXT_BYTES = 128, HOST_PATH_BYTES = 256 };

/* Why a volume cannot be written, or not even be looked into; words of the protocol. */
enum host_cause {
	HOST_CAUSE_NONE,
	HOST_CAUSE_HIBERNATED, /* Windows sleeps on it (fast startup, too) */
	HOST_CAUSE_SLEEPER,    /* another Windows of this computer sleeps, and may have it open */
	HOST_CAUSE_DIRTY,      /* Windows wants to check it */
	HOST_CAUSE_LOG_OPEN,   /* NTFS was not shut down */
	HOST_CAUSE_RECOVER,    /* ext was not shut down */
	HOST_CAUSE_ERRORS,     /* ext knows of errors in itself */
	HOST_CAUSE_BITLOCKER,
	HOST_CAUSE_LUKS,
	HOST_CAUSE_PROTECTED,   /* the disk takes no writes */
	HOST_CAUSE_MACOS,       /* APFS, HFS+ */
	HOST_CAUSE_FILE_SYSTEM, /* one that holds no such records, or that we have no driver for */
	HOST_CAUSE_UNREADABLE,  /* the disk or its file system cannot be read */
	HOST_CAUSE_MAX,
};
const char *host_cause_name(enum host_cause cause); /* "log-open"; "none" */

struct host_volume {
	char name[HOST_NAME_BYTES];       /* "nvme0n1p3": the volume's id */
	char path[HOST_PATH_BYTES];       /* "/dev/nvme0n1p3"; of a test: the image file */
	char disk[HOST_TEXT_BYTES];       /* what the maker calls the disk, "" unknown */
	char filesystem[HOST_NAME_BYTES]; /* "ntfs", "ext4", "bitlocker", "hfs+" …; "" none known */
	char label[HOST_TEXT_BYTES], uuid[HOST_NAME_BYTES]; /* "" unknown */
	uint64_t size_bytes;
	bool protected; /* the kernel takes no writes for it */
	bool internal;  /* neither USB nor a card, nor otherwise made to be pulled out */
	bool ours;      /* of the stick that we were started from, or another one of ours */
	char mounted[HOST_PATH_BYTES]; /* where; "?" nobody knows; "" nowhere */
	bool on_slash;                 /* an ext that was last mounted as the root of a system */
	enum host_cause cause;         /* what is known without mounting */
	char tree[HOST_PATH_BYTES];    /* of a test: the folder that stands for the mounted volume;
					       "" a block device */
};

/* True if there is a driver for it and something to look for in it. */
bool host_volume_is_looked_into(const struct host_volume *volume);
/* True for NTFS. */
bool host_volume_is_windows(const struct host_volume *volume);

/*
 * Finds them, in the order of their names, at most HOST_VOLUMES_MAX. With $IDEVICERESCUE_DISKS (a
 * test) the folder's files NAME.img are the volumes, and NAME.mounted is what is in them. Returns 0
 * with the number, or a negative errno with err set.
 */
int host_volumes_find(struct host_volume ret[static HOST_VOLUMES_MAX], size_t *ret_count,
		      struct error *err);

/* The same with those that are ours, mounted, swap, or empty (no file system; cause file-system).
 */
int host_volumes_find_all(struct host_volume ret[static HOST_VOLUMES_MAX], size_t *ret_count,
			  struct error *err);
