/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Apple's name for a firmware file that lies under the name of its hash. The engine calls the
 * folder that it unpacks into, and what it writes into its log, by the file's name. The link lies
 * in /tmp: the file systems of sticks have no links. As long as it is there the file has a shared
 * lock (flock), so that nobody makes room with it.
 */
#include "base/error.h"
#include <linux/limits.h>

struct restore_link {
	int fd;              /* of the file, locked; -1 none */
	char folder[32];     /* "" none was made */
	char path[PATH_MAX]; /* what the engine is to open */
};

/*
 * Without a name, with the one that it has, or where no link can be made: the path itself. A file
 * that cannot be opened is the engine's to complain of. 0, or a negative errno with err set and
 * nothing made: ERROR_BUSY, somebody is removing the file just now.
 */
int restore_link_make(const char *path, const char *name, struct restore_link *ret,
		      struct error *err);
void restore_link_remove(struct restore_link *link);
