/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Makes what is missing to a data partition. sfdisk and mkfs.exfat work on files in memory, as
 * large as disk and partition but almost without content; what they made is looked at, and then
 * carried over to the disk in a safe order (data_write.h).
 */
#include "base/error.h"
#include "worker/data_table.h"

/*
 * fd: the disk, writable, locked. Does what the judgement says is to be done, and looks again: 0
 * means that the disk has a whole table with a whole volume in it. Else a negative errno with err
 * set.
 */
int data_make(int fd, uint64_t disk_sectors, const struct data_judgement *judgement,
	      struct error *err);
