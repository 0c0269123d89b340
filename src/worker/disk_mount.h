/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Mounts a volume for the whole system: PID 1 is asked, over its private socket, for a transient
 * mount unit. So the mount lives where all services see it (ours here has a name space of its own),
 * outlives this worker, ends with the device, and is unmounted in order at power-off.
 *
 * Facts: org.freedesktop.systemd1(5), StartTransientUnit, StopUnit, JobRemoved; names of mount
 * units systemd.mount(5), escapes systemd-escape(1).
 */
#include "base/cleanup.h"
#include "worker/host_volume.h"

/* A connection to PID 1. */
struct disk_manager;

/* address: NULL the machine's own. Returns 0, or -EOPNOTSUPP with ERROR_UNSUPPORTED if there is
 * none that takes orders from us. */
int disk_manager_new(const char *address, struct disk_manager **ret, struct error *err);
struct disk_manager *disk_manager_free(struct disk_manager *manager);
DEFINE_CLEANUP(struct disk_manager *, disk_manager_free)

enum { DISK_UNIT_BYTES = 256 };

/* The unit of a path, "run-idevicerescue\x2ddisk-AB12.mount" for "/run/idevicerescue-disk/AB12" and
 * the ending "mount". path: absolute, no slash at its end. 0, or -ENAMETOOLONG. */
int disk_unit_name(const char *path, const char *ending, char ret[static DISK_UNIT_BYTES]);

/* Mount options of the volume's file system; who may write there is told by ids where it keeps no
 * owners. */
const char *disk_mount_options(const struct host_volume *volume);
/* "exfat", "ext4"; NULL for one that is not to be mounted. */
const char *disk_mount_type(const struct host_volume *volume);

/* Mounts and waits for the end. 0, or -EIO with ERROR_REFUSED, -ETIMEDOUT with ERROR_SILENT. */
int disk_mount(struct disk_manager *manager, const struct host_volume *volume, const char *where,
	       struct error *err);

/* Unmounts. 0, also if nothing is mounted there; -EBUSY with ERROR_BUSY, which tells who uses it;
 * or as above. */
int disk_unmount(struct disk_manager *manager, const char *where, struct error *err);
