/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one table of how each kind of step is done. */
#include "service/job_run.h"

static void begin_unknown(struct run *run, const struct phone *phone)
{
	run_step_fail(run, ERROR_BUG, false, "the plan has no such step");
}

static const struct step_way ways[STEP_KIND_MAX] = {
	[STEP_FORGET_RECORD] = { .begin = work_forget },
	[STEP_FORGET_STORE] = { .begin = repair_forget_store },
	[STEP_PAIR] = { .begin = work_pair, .flags = WAY_UP | WAY_LINK },
	[STEP_VERIFY_TRUST] = { .begin = work_verify, .flags = WAY_UP | WAY_LINK },
	[STEP_RESTART] = { .begin = work_mode,
			   .flags = WAY_UP | WAY_LEAVES,
			   .action = "restart",
			   .late = "the phone did not come back from its restart" },
	[STEP_ENTER_RECOVERY] = { .begin = work_mode,
				  .flags = WAY_UP | WAY_LEAVES,
				  .action = "enter-recovery",
				  .late = "the phone did not show up in recovery" },
	[STEP_EXIT_RECOVERY] = { .begin = work_mode,
				 .flags = WAY_LEAVES,
				 .action = "exit-recovery",
				 .late = "the phone did not leave recovery" },
	[STEP_AWAIT_NORMAL] = { .begin = work_await,
				.flags = WAY_LINK | WAY_LEAVES,
				.late = "the phone did not start iOS, or does not answer there" },
	[STEP_CATALOGUE] = { .begin = work_catalogue },
	[STEP_NETWORK] = { .begin = work_network },
	[STEP_MAKE_ROOM] = { .begin = work_make_room },
	[STEP_FETCH] = { .begin = work_fetch },
	[STEP_SIGN] = { .begin = work_sign },
	[STEP_CHECK] = { .begin = work_check },
	/* the engine is the judge of what it can bear: no WAY_LINK */
	[STEP_UPDATE] = { .begin = engine_begin, .late = "the engine did not end in time" },
	[STEP_ERASE] = { .begin = engine_begin, .late = "the engine did not end in time" },
	[STEP_VERIFY_SYSTEM] = { .begin = work_system, .flags = WAY_UP | WAY_LINK },
	[STEP_LOOK] = { .begin = repair_see, .flags = WAY_UP | WAY_LINK },
	[STEP_RESTART_MUX] = { .begin = repair_mux },
	[STEP_UNPAIR] = { .begin = repair_unpair, .flags = WAY_UP | WAY_LINK },
	/* the person may be quicker than the measurement: no WAY_LINK */
	[STEP_RESET_PRIVACY] = { .begin = guided_begin, .flags = WAY_LEAVES },
	[STEP_RESET_NETWORK] = { .begin = guided_begin, .flags = WAY_LEAVES },
	[STEP_RESET_SETTINGS] = { .begin = guided_begin, .flags = WAY_LEAVES },
	[STEP_SWAP_CABLE] = { .begin = guided_begin, .flags = WAY_LEAVES },
	[STEP_SWAP_PORT] = { .begin = guided_begin, .flags = WAY_LEAVES },
	[STEP_REPLUG] = { .begin = guided_begin, .flags = WAY_LEAVES },
	[STEP_VERIFY_BACKUP] = { .begin = repair_backup, .flags = WAY_UP | WAY_LINK },
};

const struct step_way *step_way(enum step_kind kind)
{
	static const struct step_way none = { .begin = begin_unknown };

	return kind < STEP_KIND_MAX && ways[kind].begin ? &ways[kind] : &none;
}
