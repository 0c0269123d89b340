/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The commands that start a job which erases nothing, and follow it. */
#include "base/cleanup.h"
#include "face/command.h"
#include "face/follow.h"
#include "face/output.h"
#include "face/request.h"
#include "service/fields.h"
#include <stdio.h>

static int act(const struct command_call *call, enum goal goal)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *job = NULL;
	struct wish wish = { .who = call->argv[0], .goal = goal };
	int status = request_start(call, &wish, &job);

	return status != 0 ? status : follow_job(call, job);
}

int command_trust_reset(const struct command_call *call)
{
	return act(call, call->all_records ? GOAL_TRUST_STORE : GOAL_TRUST);
}

int command_trust_repair(const struct command_call *call)
{
	return act(call, GOAL_REPAIR);
}

int command_trust_forget(const struct command_call *call)
{
	return act(call, GOAL_FORGET);
}

int command_trust_prove(const struct command_call *call)
{
	return act(call, GOAL_PROVE);
}

int command_link_test(const struct command_call *call)
{
	return act(call, GOAL_LINK_TEST);
}

int command_recovery_enter(const struct command_call *call)
{
	return act(call, GOAL_ENTER_RECOVERY);
}

int command_recovery_exit(const struct command_call *call)
{
	return act(call, GOAL_EXIT_RECOVERY);
}

int command_restart(const struct command_call *call)
{
	return act(call, GOAL_RESTART);
}

int command_firmware_get(const struct command_call *call)
{
	return act(call, GOAL_FIRMWARE);
}
