/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What firmware.c, member.c and judge.c share beyond firmware.h. */
#pragma once

#include "restore/firmware.h"

/* A string of @dict, copied. False: there is none, or it does not fit. */
bool manifest_text(plist_t dict, const char *key, char *to, size_t room);

/* NULL: the file has no such member, or it cannot be read. Owned by the caller. */
struct member *member_open(const char *path, const char *name);
