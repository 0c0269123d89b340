/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Files that are there whole or not at all, also after the power failed. */
#include <stddef.h>

/*
 * Writes n bytes as folder_fd/name, replacing what was there: into name.part first, synced,
 * renamed, the folder synced. name has no slash. After a failure (negative errno) the old file, if
 * any, is untouched and no part is left behind.
 */
int file_write_whole(int folder_fd, const char *name, const void *bytes, size_t n);

/* Writes all n bytes at `offset` of fd, whatever interrupts. 0 or a negative errno. */
int file_write_at(int fd, const void *bytes, size_t n, size_t offset);

/*
 * Reads fd from its begin to its end, at most `max` bytes, and a NUL behind them. Returns 0, -EFBIG
 * beyond max, or a negative errno. The caller frees *ret.
 */
int file_read_whole(int fd, size_t max, char **ret, size_t *ret_bytes);
