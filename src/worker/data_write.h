/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The only place that writes to the stick. What is written was made in memory before, by sfdisk and
 * mkfs.exfat (data_make.h); here it is only carried over, in an order in which the power may fail
 * at every sector:
 *
 *   volume: all but its first sector · sync · first sector · sync
 *   table:  backup at the disk's end · sync · first copy · sync
 *
 * Before the volume's first sector there is nothing there, after it a whole volume; before the
 * table's first copy the old table holds, inside it the backup, after it the new one. The boot code
 * and the boot partitions are never written.
 */
#include <stdint.h>

/* Carries the first `bytes` of the file `from` over to `to`, from byte `offset` on. 0 or a negative
 * errno. */
int data_write_volume(int to, uint64_t offset, int from, uint64_t bytes);

/*
 * Carries over what differs in the table's two copies; `from` is as large as the disk. -EPERM,
 * and nothing is written, if the boot code differs. 0 or a negative errno.
 */
int data_write_table(int to, int from, uint64_t disk_sectors);
