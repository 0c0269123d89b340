/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Whether a file system has room for a firmware, and what to say if not. */
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/* What is there. */
struct space {
	uint64_t free_bytes;   /* for us, on the file system */
	bool is_ram;           /* what is written there takes memory */
	uint64_t memory_bytes; /* that programs could still get; for is_ram */
	bool is_fat;           /* no file over 4 GiB less one byte */
};

/* Asks the kernel about the file system of fd. 0, or a negative errno with err set. */
int space_read(int fd, struct space *ret, struct error *err);

/*
 * 0 if `more` bytes fit, of a file that will have size bytes; else ERROR_NO_SPACE that tells
 * how much is needed and free. folder: for the text. Some room is left for others: 16 MiB on a
 * disk, 400 MiB of memory.
 */
int space_check(const struct space *space, uint64_t more, uint64_t size, const char *folder,
		struct error *err);

/* For a write that failed: full disk, read-only, and the rest. Returns the negative errno. */
int space_write_error(int errno_value, const char *folder, struct error *err);
