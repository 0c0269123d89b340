/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Starts idevicebackup2, unmodified, found in $PATH. It follows ".." in names that a phone sends,
 * also when it deletes (backup-and-logs.md §0), so it may write beneath its folder only: Landlock
 * sees to that where the kernel has it, besides the unit's sandbox.
 */
#include "base/error.h"
#include <stdint.h>
#include <sys/types.h>

struct backup_call {
	const char *udid;
	const char *folder; /* absolute; exists */
	int folder_fd;      /* the same */
	uint64_t file_bytes_max;
};

/*
 * In a process group of its own (its leader), dying with us; *ret_fd reads what it says: a
 * terminal, since its lines stay in a buffer until the end of a pipe. Returns 0 (the caller reaps
 * *ret_pid and closes *ret_fd), or a negative errno with err set. A program that cannot be begun
 * exits with 127.
 */
int backup_child_spawn(const struct backup_call *call, pid_t *ret_pid, int *ret_fd,
		       struct error *err);
