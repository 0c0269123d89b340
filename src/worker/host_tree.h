/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is in a volume: mounted where nobody sees it, and only as long as it is looked at.
 *
 * The mount is attached nowhere (fsmount): it is a descriptor, and ends with it, also when the
 * worker is killed. Before a volume is looked at, its block node is set read-only (BLKROSET), so
 * that not even a driver's mistake can write; afterwards the node is as it was. A mark in
 * HOST_MARKS stands for each node that we have set: what a killed worker left behind is put right
 * by the next one, and a disk that is really protected is never taken for one of those. One worker
 * at a time: the folder of the marks is locked.
 */
#include "worker/host_volume.h"

/* The units' RuntimeDirectory=. */
#define HOST_MARKS "/run/idevicerescue-host"

/* Locks, and puts right what a killed worker left. *ret_fd is the lock; the caller closes it at the
 * end. A test without the folder gets -1. Returns 0, or -EBUSY with ERROR_BUSY. */
int host_lock(int *ret_fd, struct error *err);

enum host_access { HOST_LOOK, HOST_CHANGE };

struct host_tree {
	int root;                   /* the volume's root folder, -1 closed */
	int node;                   /* the block node, -1 for a test's folder */
	bool was_protected;         /* the node's flag before */
	bool writable;              /* it really is: a driver may have fallen back to read-only */
	char mark[HOST_PATH_BYTES]; /* "" none */
};

#define HOST_TREE_CLOSED ((struct host_tree){ .root = -1, .node = -1 })

/* Mounts. Returns 0 (the caller closes), or a negative errno with err set. */
int host_tree_open(const struct host_volume *volume, enum host_access access, struct host_tree *ret,
		   struct error *err);

/* Unmounts, waits until all is written, and puts the node's flag back. Nothing for a closed one.
 * Returns 0, or a negative errno if what was changed may not have been written. */
int host_tree_close(struct host_tree *tree);

static inline void host_tree_closep(struct host_tree *tree)
{
	(void)host_tree_close(tree);
}
