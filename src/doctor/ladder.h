/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The ladder of a repair, and the other goals whose steps do not depend on the phone: which steps,
 * in which order, and which of them are passed over when one has ended. Pure.
 *
 *   look ─▶ rung 1 ─▶ rung 2 ─▶ … ─▶ rung n ─▶ the proof
 *     │        └─ the phone is proven to trust this computer: no further rung ───────▲
 *     └─ healthy already ────────────────────────────────────────────────────────────┘
 *
 * A rung is one remedy and what proves it. A step of it that fails or cannot apply ends the rung,
 * not the ladder; what only the person can mend (the phone stays locked) or nobody here may (lost
 * mode, a supervisor) ends the ladder.
 *
 * Invariant: no step of these goals has data that is not kept.
 */
#include "doctor/plan.h"

/* The steps of GOAL_REPAIR, GOAL_FORGET, GOAL_PROVE, GOAL_LINK_TEST; NULL and 0 for others. */
const struct plan_step *ladder_steps(enum goal goal, size_t *ret_count);

/* How a step ended. */
enum ladder_end {
	LADDER_DONE,
	LADDER_HEALTHY, /* done; nothing is wrong with the phone's trust */
	LADDER_PASSED,  /* it could not apply, or the person passed it over */
	LADDER_FAILED,
	LADDER_END_MAX,
};

/*
 * Which step is next after the one at `step` ended so: its index, the plan's count if none. Those
 * between are passed over; ret_why is the id of the message that says why, NULL if there are none.
 */
size_t ladder_next(const struct plan *plan, size_t step, enum ladder_end end, const char **ret_why);

/* May a plan's step be passed over without having been tried? */
bool ladder_may_pass(const struct plan *plan, size_t step);

/* Does a failure of this step end the job, though the step is optional? trust: the word that the
 * phone said last in it, "" none. */
bool ladder_ends(const struct plan *plan, size_t step, const char *trust);

/* Is a plan that was read back one of the ladder's? Rungs ascend, and only a repair has any. */
bool ladder_is_sound(const struct plan *plan);
