/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Looks at the disks of this computer for pairing records of its own systems (README.md). */
#include "worker/host_folder.h"
#include "worker/host_tree.h"
#include "worker/request.h"

/* Runs the kind host-look. *ret_fields is what the result line carries. Returns 0, or a negative
 * errno with err set. */
int host_look_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);

/* A volume that was looked at. */
struct host_seen {
	enum host_system system;
	enum host_cause cause;
	struct error
	    error; /* with HOST_CAUSE_UNREADABLE: what the driver said, kind none nothing */
	struct host_folder folder; /* empty if nobody looked into it */
};
static inline void host_seen_done(struct host_seen *seen)
{
	host_folder_done(&seen->folder);
}

/* Mounts it read-only, looks into it and unmounts it. `read`: as of host_folder_look(). */
void host_see(const struct host_volume *volume, bool read, struct host_seen *ret);
