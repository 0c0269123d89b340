/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Following a job until it ends or asks. */
#include "face/command.h"
#include <systemd/sd-json.h>

/*
 * Tells each change of the job: steps as they begin and end, what the person is to do, progress; in
 * JSON a line of type "job" a change. job: as the service last told it. Returns the exit status of
 * the command, after the last line was written: that of the job when it ended, ERROR_NO_CONSENT's
 * when it asks, 0 when the person left (SIGINT, SIGTERM; the job goes on), ERROR_NO_SERVICE's when
 * the service stays away for TIMING_PHONE_BACK. With --no-wait it only tells that the job was
 * started.
 */
int follow_job(const struct command_call *call, sd_json_variant *job);

/* How a job stands that waits or has ended, for `job show` and the end of following: the last line
 * of the command. Returns the exit status. */
int follow_end(const struct command_call *call, sd_json_variant *job);
