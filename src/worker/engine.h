/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Starts the unmodified idevicerestore (DESIGN §9) so that nothing of ours leaks into it. */
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct engine_call {
	uint64_t ecid;
	const char *path;    /* of the firmware file, absolute */
	const char *variant; /* exact Info/Variant; never left to the engine */
	bool erase;          /* -e */
	uint16_t relay_port;
	int folder_fd;         /* the job's folder */
	const char *folder;    /* its path; holds "tmp" and "cache" */
	const char *log, *out; /* names in it: out is created here, log by the engine */
};

/* What a program that could not be executed ends with. */
enum { ENGINE_EXIT_NOT_STARTED = 127 };

/*
 * Starts it with standard input from nowhere, standard output and error into `out`, every other
 * descriptor closed, in a session of its own, in the folder "tmp", with an environment that is ours
 * but for what says where phones are; it gets SIGTERM if we die. The caller reaps *ret_pid. Returns
 * 0, or a negative errno with err set (ERROR_NO_SPACE when `out` cannot be written).
 */
int engine_spawn(const struct engine_call *call, pid_t *ret_pid, struct error *err);
