/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The disk that we were started from, among all that the kernel lists. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DATA_DISKS_MAX = 64, DATA_NAME_BYTES = 64, DATA_MAKER_BYTES = 128, DATA_PATH_BYTES = 256 };

struct data_disk {
	char name[DATA_NAME_BYTES];   /* "sdb" */
	char path[DATA_PATH_BYTES];   /* "/dev/sdb"; of a test: the image file */
	char maker[DATA_MAKER_BYTES]; /* what the maker calls it, "" unknown */
};

/* How the boot menu found the medium (rescue/grub.cfg.in), and what the person wants. */
struct data_wish {
	bool forbidden;  /* idevicerescue.data=no */
	bool from_menu;  /* idevicerescue.medium=ROOT: our boot menu, on a medium, has started us */
	bool from_stick; /* and ROOT is the second partition of a GPT, as our stick has it */
};

/* From the kernel's command line. */
void data_wish_read(const char *cmdline, struct data_wish *ret);
/* Allocated text of /proc/cmdline, or of the file $IDEVICERESCUE_CMDLINE (a test); NULL none. */
char *data_cmdline_read(void);

/*
 * Waits until a disk with our table is there and udevd has looked at all that it was told of, at
 * most limit_ms, and writes those that have it, at most `max`. With $IDEVICERESCUE_DISKS (a test)
 * the folder's files NAME.img are the disks, and nothing is awaited. Returns their number, 0 none,
 * or a negative errno.
 */
int data_disks_await(unsigned limit_ms, struct data_disk *ret, size_t max);
