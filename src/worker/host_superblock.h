/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a file system says of itself before it is mounted: was it left in order? Foreign bytes, read
 * by a function, so that a test or a fuzzer can be the disk. Nothing is written.
 *
 * Facts: NTFS as in the Linux kernel's fs/ntfs/layout.h and logfile.h; ext as in fs/ext4/ext4.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads exactly n bytes at offset (bytes). 0 or a negative errno; beyond the end is one, too. */
typedef int (*host_read_fn)(void *user, uint64_t offset, void *ret, size_t n);

/* host_read_fn for a file descriptor; user: int *. */
int host_read_fd(void *user, uint64_t offset, void *ret, size_t n);

struct host_ntfs {
	bool dirty;     /* Windows wants to check it */
	bool chkdsk;    /* a check of Windows is not complete */
	bool log_open;  /* its journal holds what was not written yet */
	unsigned major; /* version of NTFS: 3 since Windows 2000 */
};

/* 0, or a negative errno: -EBADMSG for what is no NTFS or cannot be understood. */
int host_ntfs_read(host_read_fn read, void *user, struct host_ntfs *ret);

struct host_ext {
	bool recover;  /* its journal holds what was not written yet */
	bool errors;   /* Linux has seen errors in it */
	bool unclean;  /* it has no journal and was not unmounted */
	bool on_slash; /* it was last mounted as the root of a system */
};

/* ext2, ext3, ext4. 0, or a negative errno: -EBADMSG for what is none. */
int host_ext_read(host_read_fn read, void *user, struct host_ext *ret);
