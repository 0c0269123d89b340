/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <sys/types.h>

/*
 * Starts argv[0] (a path) with one end of a stream socket pair as its standard input and output,
 * standard error inherited, every other descriptor closed, signals at their defaults, in a session
 * of its own, and dying with its parent. *ret_fd is our end (close-on-exec, non-blocking; the
 * caller closes it), *ret_pid the child (the caller reaps it). Returns 0 or a negative errno; a
 * program that cannot be executed ends with status 127.
 */
int process_spawn_socket(char *const argv[], pid_t *ret_pid, int *ret_fd);
