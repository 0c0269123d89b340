/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Where a volume may lie, from what the kernel lists; a part of host_volume.c. */
#include "worker/host_volume.h"

/*
 * Partitions, and disks without any: name, path, disk, size_bytes, protected, internal, mounted and
 * (by the disk's ids) ours of each are filled. No CD, no RAM, no loop device. Returns 0 with the
 * number, at most HOST_VOLUMES_MAX, or a negative errno.
 */
int host_places_find(struct host_volume ret[static HOST_VOLUMES_MAX], size_t *ret_count);

/* The same for the images NAME.img of a test's folder; protected: nobody may write the file. */
int host_places_images(const char *folder, struct host_volume ret[static HOST_VOLUMES_MAX],
		       size_t *ret_count);

/* Is this disk the stick or CD that we were started from (or another one of ours)? */
bool host_disk_is_ours(const char *path);
