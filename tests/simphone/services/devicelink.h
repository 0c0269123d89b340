/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * DeviceLink: arrays as property lists behind a 32-bit big-endian length, and streams of files
 * between them, in frames of the same kind.
 *
 *   a file, either way:  [path]  {length, 0x0c, bytes}…  {1, 0x00}      end; or {length, code,
 * text} the stream's end:    {0} (files to the host have another path, their name on the phone, in
 * front)
 *
 *   LISTS ──expect_files()──▶ PATH ◀──▶ BLOCKS      PATH ──{0}──▶ LISTS
 */
#pragma once

#include <plist/plist.h>

#include "buf.h"
#include "phone.h"
#include "stream.h"

enum devicelink_state { DEVICELINK_LISTS, DEVICELINK_PATH, DEVICELINK_BLOCKS };

enum { DEVICELINK_PATH_MAX = 4096 };

struct devicelink {
	struct service service; /* first */
	struct phone *phone;
	struct buf in;
	bool closing;
	enum devicelink_state state;
	char path[DEVICELINK_PATH_MAX + 1]; /* of the file that comes */
	struct buf content;

	/* One array, its name first; freed after the call. */
	void (*take)(struct devicelink *d, const char *name, plist_t list);
	/* One file; not @whole: the host has none, or had trouble with it. */
	void (*file)(struct devicelink *d, const char *path, const struct buf *content, bool whole);
};

void devicelink_feed(struct service *service, const uint8_t *bytes, size_t len);
void devicelink_done(struct devicelink *d);
void devicelink_close(struct devicelink *d);

/* Sends and frees @list, an array whose first element is its name. */
void devicelink_send(struct devicelink *d, plist_t list);
/* A stream of files comes next. */
void devicelink_expect_files(struct devicelink *d);

/* One file of a stream to the host: @name on the phone, @path in the backup. @error: what goes
 * wrong after its bytes, or NULL. */
void devicelink_send_file(struct devicelink *d, const char *name, const char *path,
			  const void *bytes, size_t len, const char *error);
void devicelink_end_files(struct devicelink *d);

/* An array that begins with @name. */
plist_t devicelink_list(const char *name);
