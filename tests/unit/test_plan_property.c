/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The planner's promise, over everything that can come together: only GOAL_ERASE has a step that
 * erases, and nothing else becomes one without plan_erase_after(). */
#include "doctor_fixture.h"

struct draw {
	uint64_t state;
};

/* splitmix64: the same on every machine. */
static uint64_t draw(struct draw *draw, uint64_t below)
{
	uint64_t z = (draw->state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) % below;
}

static void check(const struct plan *plan, enum goal goal)
{
	enum data worst = DATA_KEPT;
	bool erases = false;

	assert_int_equal(plan->goal, goal);
	assert_uint_in_range(plan->step_count, 1, PLAN_STEPS_MAX);
	for (size_t i = 0; i < plan->step_count; i++) {
		enum data data = step_fact(plan->steps[i].kind)->data;

		worst = data > worst ? data : worst;
		erases = erases || data == DATA_ERASED;
	}
	assert_int_equal(plan->data, worst);
	assert_int_equal(plan_erases(plan), erases);
	assert_int_equal(erases, goal == GOAL_ERASE);
	assert_int_equal(worst, goal_fact(goal)->data);
	if (goal == GOAL_UPDATE)
		assert_false(plan->variant.erases);
	if (goal == GOAL_ERASE) {
		assert_true(plan->variant.erases);
		assert_int_equal(strlen(plan->confirm), PLAN_CONFIRM_BYTES - 1);
	}
}

static void draw_variant(struct draw *random, struct variant *ret)
{
	static const char *const names[] = {
		"Customer Erase Install (IPSW)",
		"Customer Upgrade Install (IPSW)",
		"Developer Update Install",
		"Recovery Customer Install",
		"",
		"erase update",
	};

	*ret = (struct variant){
		.erases = draw(random, 2),
		.os_bytes = draw(random, 4) == 0 ? UINT64_MAX : draw(random, UINT64_C(1) << 34),
		.os_packed = draw(random, 2),
	};
	strcpy(ret->name, names[draw(random, ARRAY_LEN(names))]);
}

static void draw_phone(struct draw *random, struct phone *ret)
{
	*ret = doctor_phone((enum mode)draw(random, MODE_MAX));
	ret->trust = (enum trust)draw(random, TRUST_MAX);
	ret->trust_known = draw(random, 2);
	ret->has_record = draw(random, 2);
	ret->on_bus = draw(random, 8) > 0;
	ret->identity.battery = (unsigned)draw(random, 102);
	ret->sighting.hub_depth = (unsigned)draw(random, 4);
	ret->sighting.speed_mbps = draw(random, 2) ? 480 : 12;
	if (draw(random, 4) == 0)
		ret->identity.serial_number[draw(random, 5)] = '\0';
	if (draw(random, 8) == 0)
		ret->identity.ecid = 0;
	if (draw(random, 4) == 0)
		ret->identity.model = NULL;
	if (draw(random, 4) == 0)
		ret->identity.product[0] = '\0';
	if (draw(random, 4) == 0)
		strcpy(ret->identity.version, "99.x.1");
	if (draw(random, 8) == 0)
		strcpy(ret->job, "20261122-0612-x4k7");
}

static void test_random(void **state)
{
	struct draw random = { 4 };
	unsigned made = 0, erasing = 0;

	for (int i = 0; i < 60000; i++) {
		struct phone phone;
		struct firmware firmware = doctor_firmware();
		struct variant update, erase;
		struct room room = doctor_room;
		struct plan_request request = {
			.goal = (enum goal)draw(&random, GOAL_MAX),
			.product = draw(&random, 2) ? "iPhone14,5" : NULL,
			.firmware = draw(&random, 16) ? &firmware : NULL,
			.update = draw(&random, 4) ? &update : NULL,
			.erase = draw(&random, 4) ? &erase : NULL,
			.room = &room,
		};
		struct plan plan, after;
		struct error err = { 0 };

		draw_phone(&random, &phone);
		draw_variant(&random, &update);
		draw_variant(&random, &erase);
		request.phone = draw(&random, 8) ? &phone : NULL;
		room.lasting = draw(&random, 2);
		if (draw(&random, 4) == 0)
			firmware.url[0] = '\0';
		if (plan_make(&request, &plan, &err) < 0) {
			assert_int_not_equal(err.kind, ERROR_NONE);
			assert_true(err.text[0] != '\0');
			continue;
		}
		made++;
		check(&plan, request.goal);
		if (plan_erases(&plan))
			erasing++;
		if (plan_erase_after(&plan, &after) == 0) {
			assert_int_equal(request.goal, GOAL_UPDATE);
			check(&after, GOAL_ERASE);
		}
	}
	assert_uint_in_range(made, 1000, 60000);
	assert_uint_in_range(erasing, 100, 60000);
}

static void test_all_goals_modes_and_trusts(void **state)
{
	for (int goal = 0; goal < GOAL_MAX; goal++)
		for (int mode = 0; mode < MODE_MAX; mode++)
			for (int trust = 0; trust < TRUST_MAX; trust++)
				for (int swapped = 0; swapped < 2; swapped++) {
					struct phone phone = doctor_phone((enum mode)mode);
					struct firmware firmware = doctor_firmware();
					struct plan_request request = {
						.goal = (enum goal)goal,
						.phone = &phone,
						.firmware = &firmware,
						.update = swapped ? &doctor_erase : &doctor_update,
						.erase = swapped ? &doctor_update : &doctor_erase,
						.room = &doctor_room,
					};
					struct plan plan;
					struct error err;

					phone.trust = (enum trust)trust;
					if (plan_make(&request, &plan, &err) < 0)
						continue;
					assert_true(!swapped || !goal_fact(goal)->firmware ||
						    goal == GOAL_FIRMWARE);
					check(&plan, (enum goal)goal);
				}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_all_goals_modes_and_trusts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
