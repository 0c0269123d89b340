/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/ladder.h"
#include "base/cleanup.h"
#include <string.h>

#define RUNG(number, kind) { kind, true, number }
#define ALWAYS(kind)       { kind, false, 0 }
#define WANTED(kind)       { kind, true, 0 }

/*
 * Rung 2 makes a pairing where there is none, and replaces one that the phone does not know or
 * believe: the worker deletes such a record, and says so. Rung 3 deletes also a record that the
 * phone seems to honour. Without a record it has nothing to do, and is passed over.
 */
/* clang-format off */
static const struct plan_step repair_steps[] = {
	WANTED(STEP_LOOK),
	RUNG(1, STEP_RESTART_MUX),    RUNG(1, STEP_VERIFY_TRUST),
	RUNG(2, STEP_PAIR),           RUNG(2, STEP_VERIFY_TRUST),
	RUNG(3, STEP_FORGET_RECORD),  RUNG(3, STEP_PAIR), RUNG(3, STEP_VERIFY_TRUST),
	RUNG(4, STEP_UNPAIR),         RUNG(4, STEP_PAIR), RUNG(4, STEP_VERIFY_TRUST),
	RUNG(5, STEP_FORGET_STORE),   RUNG(5, STEP_PAIR), RUNG(5, STEP_VERIFY_TRUST),
	RUNG(6, STEP_RESET_PRIVACY),  RUNG(6, STEP_PAIR), RUNG(6, STEP_VERIFY_TRUST),
	RUNG(7, STEP_RESET_NETWORK),  RUNG(7, STEP_PAIR), RUNG(7, STEP_VERIFY_TRUST),
	RUNG(8, STEP_RESET_SETTINGS), RUNG(8, STEP_PAIR), RUNG(8, STEP_VERIFY_TRUST),
	RUNG(9, STEP_RESTART), RUNG(9, STEP_AWAIT_NORMAL),
				      RUNG(9, STEP_PAIR), RUNG(9, STEP_VERIFY_TRUST),
	RUNG(10, STEP_SWAP_CABLE),    RUNG(10, STEP_PAIR), RUNG(10, STEP_VERIFY_TRUST),
	RUNG(11, STEP_SWAP_PORT),     RUNG(11, STEP_PAIR), RUNG(11, STEP_VERIFY_TRUST),
	ALWAYS(STEP_VERIFY_TRUST),
	WANTED(STEP_REPLUG), ALWAYS(STEP_VERIFY_TRUST),
	WANTED(STEP_VERIFY_BACKUP),
};

static const struct plan_step forget_steps[] = {
	WANTED(STEP_UNPAIR),
	ALWAYS(STEP_FORGET_RECORD),
};

static const struct plan_step prove_steps[] = {
	ALWAYS(STEP_VERIFY_TRUST),
	WANTED(STEP_REPLUG), ALWAYS(STEP_VERIFY_TRUST),
	WANTED(STEP_VERIFY_BACKUP),
};

static const struct plan_step link_test_steps[] = {
	WANTED(STEP_LOOK),
	WANTED(STEP_SWAP_CABLE),
	WANTED(STEP_SWAP_PORT),
};
/* clang-format on */

static_assert(ARRAY_LEN(repair_steps) <= PLAN_STEPS_MAX);

const struct plan_step *ladder_steps(enum goal goal, size_t *ret_count)
{
	static const struct {
		enum goal goal;
		const struct plan_step *steps;
		size_t count;
	} ladders[] = {
		{ GOAL_REPAIR, repair_steps, ARRAY_LEN(repair_steps) },
		{ GOAL_FORGET, forget_steps, ARRAY_LEN(forget_steps) },
		{ GOAL_PROVE, prove_steps, ARRAY_LEN(prove_steps) },
		{ GOAL_LINK_TEST, link_test_steps, ARRAY_LEN(link_test_steps) },
	};

	for (size_t i = 0; i < ARRAY_LEN(ladders); i++)
		if (ladders[i].goal == goal) {
			*ret_count = ladders[i].count;
			return ladders[i].steps;
		}
	*ret_count = 0;
	return NULL;
}

/* A replug proves nothing by itself: the connection after it does, and only that. */
static bool is_proof_of_replug(const struct plan *plan, size_t step)
{
	return step > 0 && step < plan->step_count && plan->steps[step].kind == STEP_VERIFY_TRUST &&
	       plan->steps[step - 1].kind == STEP_REPLUG;
}

bool ladder_may_pass(const struct plan *plan, size_t step)
{
	return step < plan->step_count &&
	       (plan->steps[step].rung > 0 || is_proof_of_replug(plan, step));
}

/* The first step from `step` on that is no rung. */
static size_t after_rungs(const struct plan *plan, size_t step)
{
	while (step < plan->step_count && plan->steps[step].rung > 0)
		step++;
	return step;
}

static size_t after_rung(const struct plan *plan, size_t step, unsigned rung)
{
	while (step < plan->step_count && plan->steps[step].rung == rung)
		step++;
	return step;
}

size_t ladder_next(const struct plan *plan, size_t step, enum ladder_end end, const char **ret_why)
{
	const struct plan_step *now = &plan->steps[step];
	const char *why = NULL;
	size_t next = step + 1;

	switch (end) {
	case LADDER_HEALTHY:
		next = after_rungs(plan, next);
		why = "repair-pass-healthy";
		break;
	case LADDER_DONE:
		if (now->rung == 0 || now->kind != STEP_VERIFY_TRUST)
			break;
		next = after_rungs(plan, next);
		why = "repair-pass-trusted";
		break;
	case LADDER_PASSED:
	case LADDER_FAILED:
		if (now->rung > 0)
			next = after_rung(plan, next, now->rung);
		else if (is_proof_of_replug(plan, next))
			next++;
		why = now->rung > 0 ? "repair-pass-rung" : "repair-pass-replug";
		break;
	case LADDER_END_MAX:
		break;
	}
	*ret_why = next > step + 1 ? why : NULL;
	return next;
}

bool ladder_ends(const struct plan *plan, size_t step, const char *trust)
{
	const struct plan_step *now = &plan->steps[step];

	if (plan->goal != GOAL_REPAIR || (now->kind != STEP_LOOK && now->kind != STEP_PAIR))
		return false;
	return strcmp(trust, trust_name(TRUST_REFUSED_BY_POLICY)) == 0 ||
	       (now->kind == STEP_PAIR && strcmp(trust, trust_name(TRUST_LOCKED)) == 0);
}

bool ladder_is_sound(const struct plan *plan)
{
	unsigned highest = 0;

	for (size_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *step = &plan->steps[i];

		if (step->rung == 0)
			continue;
		if (plan->goal != GOAL_REPAIR || !step->optional || step->rung < highest)
			return false;
		highest = step->rung;
	}
	return true;
}
