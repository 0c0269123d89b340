/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a backup has left on the disk, judged by the files themselves (backup-and-logs.md §1.7).
 * Info.plist is written by idevicebackup2 before the phone sends anything, and so proves nothing
 * but that the disk takes files.
 */
#include <stdbool.h>
#include <stdint.h>

struct backup_found {
	uint64_t bytes;    /* of files that the phone sent */
	uint64_t files;    /* those */
	uint64_t payloads; /* of them: content, named by 40 hex digits, not empty */
	bool info;         /* Info.plist is there and whole */
	bool state;        /* Status.plist of the phone is there and whole */
	bool finished;     /* and says so */
	bool manifest;     /* Manifest.plist is there and whole */
};

/* Looks at FOLDER/udid. A folder that is not there (yet) is an empty one. Returns 0 or a negative
 * errno; -EFBIG for more files than are counted. */
int backup_folder_look(int folder_fd, const char *udid, struct backup_found *ret);

/* Only counts: for progress, cheap. */
int backup_folder_measure(int folder_fd, const char *udid, struct backup_found *ret);

/* Is it proven that this phone can be backed up here? With `ended`, the program ended by itself
 * with success: then everything must be whole; else what came before it was stopped. */
bool backup_found_proves(const struct backup_found *found, bool ended);

/* Removes FOLDER/name with all that is in it, however deep the phone nested its folders. Nothing
 * that a link leads to. Returns 0, also if it was not there, or a negative errno. */
int backup_folder_remove(int folder_fd, const char *name);
