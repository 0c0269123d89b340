/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the commands ask the service: calls that may take long, and their failures told at once. */
#include "base/error.h"
#include "face/command.h"
#include "facts/facts.h"
#include <systemd/sd-json.h>

/*
 * One call, waiting as long as the method may take (service/client_call.h). Returns 0 and the reply
 * (the caller unrefs), or a negative errno with err filled. *ret_next: the service's own advice,
 * NULL if it gave none; the caller frees.
 */
int request_try(const struct command_call *call, const char *method, sd_json_variant *parameters,
		sd_json_variant **ret, struct error *err, char **ret_next);

/* The same; a failure is told as the end of the command. Returns 0, or the exit status that the
 * command is to return. */
int request_send(const struct command_call *call, const char *method, sd_json_variant *parameters,
		 sd_json_variant **ret);

/* What a plan is asked for, and a start: `goal` for the PHONE (or product) in `who`, with the
 * options of the command line. */
struct wish {
	const char *who;
	enum goal goal;
};

/* Plan or Start of the interface. Returns as request_send(), and the object plan or job. */
int request_plan(const struct command_call *call, const struct wish *wish, sd_json_variant **ret);
int request_start(const struct command_call *call, const struct wish *wish, sd_json_variant **ret);

/* The methods that take a job's id and answer with the job: "Job", "Cancel". */
int request_job(const struct command_call *call, const char *method, const char *id,
		sd_json_variant **ret);
