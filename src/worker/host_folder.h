/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Where other systems keep pairing records, and what lies there. Works on a folder descriptor: a
 * mounted volume, or a test's folder. No link is followed, nothing outside the volume is entered.
 *
 *   Windows  ProgramData/Apple/Lockdown (iTunes of either kind, Apple Devices), before Windows
 *            Vista Documents and Settings/All Users/Application Data/Apple/Lockdown
 *   Linux    /var/lib/lockdown (usbmuxd), also where /var is a volume of its own
 */
#include "worker/host_volume.h"
#include "worker/pair_record.h"
#include <stdlib.h>

enum { HOST_FILES_MAX = 1000, HOST_UDID_BYTES = 44 };

enum host_system { HOST_WINDOWS, HOST_LINUX, HOST_MACOS, HOST_SYSTEM_UNKNOWN, HOST_SYSTEM_MAX };
const char *host_system_name(enum host_system system); /* "windows", "unknown" */

struct host_file {
	char name[HOST_NAME_BYTES]; /* "UDID.plist" */
	char udid[HOST_UDID_BYTES];
	uint64_t bytes;
	uint64_t modified_ms; /* since the epoch, as that system's clock was; 0 before it */
	struct pair_record record;
};

struct host_folder {
	enum host_system system;
	bool sleeps;                /* Windows is hibernated, or started fast */
	char path[HOST_PATH_BYTES]; /* of the records' folder in the volume; "" there is none */
	char buid[PAIR_RECORD_NAME_BYTES]; /* who that system is to phones; "" unknown */
	size_t count;
	bool more;               /* there are more than HOST_FILES_MAX */
	struct host_file *files; /* owned; sorted by name */
};
static inline void host_folder_done(struct host_folder *folder)
{
	free(folder->files);
	folder->files = NULL;
}

/* Looks. read: false leaves the records' contents alone (names, sizes and times only). Returns 0
 * (the caller ends it with host_folder_done()), or a negative errno: a folder cannot be read. */
int host_folder_look(const struct host_volume *volume, int root, bool read,
		     struct host_folder *ret);

/* Opens the folder `path` (parts by "/") below root as it is written. A descriptor or a negative
 * errno. */
int host_folder_open(int root, const char *path);
