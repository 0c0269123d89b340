/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of how steps are done: whole, and in accord with facts/steps.tsv. */
#include "service/job_run.h"
#include "unit.h"

static void test_every_kind_has_its_way(void **state)
{
	const struct step_way *none = step_way(STEP_KIND_MAX);

	for (int kind = 0; kind < STEP_KIND_MAX; kind++)
		if (step_way((enum step_kind)kind)->begin == none->begin)
			fail_msg("step %s has no way", step_name((enum step_kind)kind));
}

/* What its way asks of the phone, its row must ask, too: else it would begin without one. */
static void test_ways_and_rows_agree(void **state)
{
	for (int kind = 0; kind < STEP_KIND_MAX; kind++) {
		const struct step_way *way = step_way((enum step_kind)kind);
		const struct step_fact *fact = step_fact((enum step_kind)kind);

		if (way->flags & WAY_UP && !fact->phone)
			fail_msg("step %s asks a phone that it does not need", fact->id);
		if ((way->begin == work_mode) != (way->action != NULL))
			fail_msg("step %s: the worker mode and its action go together", fact->id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_has_its_way),
		cmocka_unit_test(test_ways_and_rows_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
