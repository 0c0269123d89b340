/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Is the firmware file what the request takes it for? Asked once more, just before it is used. */
#include "worker/restore.h"

/*
 * ERROR_BAD_FILE unless the file's manifest has identities of exactly this variant, and all of them
 * erase if and only if `erase` is asked for; ERROR_NO_SPACE when the system image must be unpacked
 * and does not fit into the folder. 0, or a negative errno with err set.
 */
int restore_check(const struct restore_request *request, int folder_fd, struct error *err);
