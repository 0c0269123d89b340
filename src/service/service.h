/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The service: owner of the truth, in one thread. */
#include "base/error.h"

struct service_options {
	const char *socket;  /* NULL: environment, then default (service/interface.h) */
	const char *replay;  /* tape of sightings to play instead of watching the bus, or NULL */
	const char *record;  /* file to write a tape to, or NULL */
	const char *worker;  /* worker program to fork, NULL: connect to the units' sockets */
	const char *cache;   /* folder for firmware or URL of a mirror, NULL: as it was chosen */
	const char *storage; /* absolute folder for jobs and firmware, NULL: service/storage.h */
};

/*
 * Runs until SIGTERM or SIGINT. Tells systemd when it is ready, and keeps its watchdog quiet.
 * A tape's phones are not on this computer, so with `replay` nothing is asked unless `worker` names
 * a program. Returns 0 after a clean end, or a negative errno with err filled.
 */
int service_run(const struct service_options *options, struct error *err);
