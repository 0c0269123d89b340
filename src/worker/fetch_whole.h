/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A firmware file that lies whole in a folder, and NAME.json beside it, which tells that its hashes
 * were right and how to see that it is the same file still: v, size, mtime_ms, sha1, sha256,
 * verified_ms.
 */
#include "worker/fetch_part.h"

/*
 * Looks for wanted->name in folder_fd. Returns 1 if it is there and right, with both hashes filled
 * into *wanted: by its note if size and time fit, else hashed anew; 0 if it is not there, or was
 * wrong and is NAME.bad now; a negative errno with err set. folder: its path, for texts.
 */
int whole_find(int folder_fd, const char *folder, struct ipsw *wanted, part_progress_fn progress,
	       void *context, struct error *err);

/* Writes the note for a file whose hashes (both set in ipsw) are known to be right. A negative
 * errno costs nothing but hashing it the next time. */
int whole_note(int folder_fd, const struct ipsw *ipsw);
