/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * May firmware be kept on this volume, and which volume does a person mean? Pure: what
 * host_volumes_find_all() told goes in, words for people come out.
 */
#include "worker/host_volume.h"

/* The parent of what worker disk mounts; below it a folder with the volume's uuid. In the image
 * tmpfiles.d makes it. */
#define DISK_PARENT "/run/idevicerescue-disk"

/* Why not. The words of most are those of enum host_cause. */
enum disk_cause {
	DISK_NONE,
	DISK_OURS,    /* a partition of our own stick */
	DISK_MOUNTED, /* elsewhere than below DISK_PARENT */
	DISK_EMPTY,   /* no file system */
	DISK_NO_ID,   /* no uuid, so it could not be told from another one later */
	DISK_HIBERNATED,
	DISK_SLEEPER,
	DISK_DIRTY,
	DISK_LOG_OPEN,
	DISK_RECOVER, /* of an internal disk: a sleeping Linux may have it open */
	DISK_ERRORS,
	DISK_BITLOCKER,
	DISK_LUKS,
	DISK_PROTECTED,
	DISK_MACOS,
	DISK_FILE_SYSTEM,
	DISK_UNREADABLE,
	DISK_CAUSE_MAX,
};
const char *disk_cause_name(enum disk_cause cause); /* "no-id" */
/* What is wrong and what helps, allocated; NULL for DISK_NONE and without memory. */
char *disk_cause_text(enum disk_cause cause, const struct host_volume *volume);

/* What is known without looking into it. `parent`: DISK_PARENT, or a test's. */
enum disk_cause disk_judge(const struct host_volume *volume, const char *parent);

/* Is it mounted below parent already? */
bool disk_is_used(const struct host_volume *volume, const char *parent);

/*
 * The volume that is meant by "sdb1", "/dev/sdb1", a uuid (any case) or a label, in this order; a
 * label fits also in another case if it fits none as it is. Returns 0 with its index; -ENOENT
 * (ERROR_USAGE: there is none, or only a disk that has partitions) or -ENOTUNIQ (ERROR_AMBIGUOUS:
 * several have it; they are named).
 */
int disk_choose(const struct host_volume *volumes, size_t count, const char *word, size_t *ret,
		struct error *err);
