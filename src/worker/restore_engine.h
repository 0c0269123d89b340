/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* One run of idevicerestore under our eyes: followed, told of, judged. */
#include "facts/facts.h"
#include "worker/restore.h"
#include "worker/restore_file.h"

/* How it ended. */
struct restore_end {
	const struct engine_rule *rule; /* NULL: it succeeded */
	struct error why;               /* of a failure; for people */
	int exit;                       /* exit status, or 128 and a signal's number */
	unsigned seconds;
	bool touched; /* the phone was being changed */
};

struct relay;

/*
 * Starts the engine and follows it to its end, appending events to file. folder_fd is the job's
 * folder, relay (borrowed) where it asks for tickets. Returns 0 with *ret, or a negative errno with
 * err set if the engine could not be started: then nothing happened to the phone.
 */
int restore_engine_run(const struct restore_request *request, int folder_fd,
		       struct restore_file *file, struct relay *relay, struct restore_end *ret,
		       struct error *err);
