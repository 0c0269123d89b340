/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The path at which the service listens: which one it is, and that only one service has it. */
#include "base/error.h"

/*
 * The socket's absolute path: `wanted`, else the environment, else the default. Allocated, the
 * caller frees. Returns 0 or a negative errno with err filled.
 */
int socket_path(const char *wanted, char **ret, struct error *err);

/*
 * Claims the path for this process until *ret_fd is closed (or the process dies, however it does):
 * a lock on PATH.lock, which stays behind. Then removes a socket that a dead service left. Returns
 * 0; -EBUSY (ERROR_BUSY) when another service has it, or another negative errno.
 */
int socket_claim(const char *path, int *ret_fd, struct error *err);
