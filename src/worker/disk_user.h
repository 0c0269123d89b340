/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Who uses a file system: the programs that have something of it open, or stand in it. */
#include "worker/host_volume.h"

/*
 * The names of those that use what is mounted at `where`, "idevicerescue-w, bash", each once. Other
 * programs' descriptors are seen with CAP_SYS_PTRACE only. Returns how many programs, also those
 * whose names do not fit; 0 if it cannot be looked at.
 */
size_t disk_users(const char *where, char ret[static HOST_TEXT_BYTES]);
