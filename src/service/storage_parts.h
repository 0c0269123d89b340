/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What service/storage.c and service/storage_cache.c share. */
#include "service/storage.h"
#include <sys/statfs.h>

struct storage {
	char *folder; /* NULL: mount or ram */
	char *mount, *ram;
	char *cache; /* folder or URL, NULL: as the settings say */
	char *note;  /* NULL: the image's */
};

bool storage_is_ram(const struct statfs *fs);
/* The folder that new files go to, as it is at this moment. */
void storage_folder(const struct storage *storage, char ret[static PLAN_ROOM_BYTES]);
