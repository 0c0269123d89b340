/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor_fixture.h"
#include <errno.h>

/* The steps' names, a '?' behind optional ones. */
static const char *steps_of(const struct plan *plan, char *ret)
{
	ret[0] = '\0';
	for (size_t i = 0; i < plan->step_count; i++) {
		strcat(ret, i > 0 ? " " : "");
		strcat(ret, step_name(plan->steps[i].kind));
		strcat(ret, plan->steps[i].optional ? "?" : "");
	}
	return ret;
}

#define assert_steps(goal, mode, expected)                                                         \
	do {                                                                                       \
		struct plan plan_of_goal = doctor_plan(goal, mode);                                \
		char text[512];                                                                    \
		assert_string_equal(steps_of(&plan_of_goal, text), expected);                      \
	} while (0)

static void test_steps(void **state)
{
	assert_steps(GOAL_TRUST, MODE_NORMAL, "forget-record pair verify-trust");
	assert_steps(GOAL_TRUST_STORE, MODE_NORMAL, "forget-store pair verify-trust");
	assert_steps(GOAL_RESTART, MODE_NORMAL, "restart await-normal");
	assert_steps(GOAL_RESTART, MODE_RESTORE, "restart await-normal");
	assert_steps(GOAL_ENTER_RECOVERY, MODE_NORMAL, "enter-recovery");
	assert_steps(GOAL_EXIT_RECOVERY, MODE_RECOVERY, "exit-recovery await-normal");
	assert_steps(GOAL_FIRMWARE, MODE_DFU, "catalogue fetch check");
	assert_steps(GOAL_UPDATE, MODE_NORMAL,
		     "fetch check enter-recovery update await-normal verify-system pair? "
		     "verify-trust?");
	assert_steps(GOAL_UPDATE, MODE_RECOVERY,
		     "fetch check update await-normal verify-system pair? verify-trust?");
	assert_steps(GOAL_ERASE, MODE_DFU,
		     "fetch check erase await-normal verify-system pair? verify-trust?");
}

/* What one change to a request makes of it. */
struct bench {
	struct phone phone;
	struct firmware firmware;
	struct variant update, erase;
	struct room room;
	struct plan_request request;
	struct plan plan;
	struct error err;
};

static struct bench *bench_init(struct bench *bench, enum goal goal, enum mode mode)
{
	*bench = (struct bench){
		.phone = doctor_phone(mode),
		.firmware = doctor_firmware(),
		.update = doctor_update,
		.erase = doctor_erase,
		.room = doctor_room,
	};
	bench->request = (struct plan_request){
		.goal = goal,
		.phone = &bench->phone,
		.firmware = &bench->firmware,
		.update = &bench->update,
		.erase = &bench->erase,
		.room = &bench->room,
	};
	return bench;
}

static int make(struct bench *bench)
{
	bench->err = (struct error){ 0 };
	return plan_make(&bench->request, &bench->plan, &bench->err);
}

static void test_no_record_is_not_forgotten(void **state)
{
	struct bench bench;
	char text[512];

	bench_init(&bench, GOAL_TRUST, MODE_NORMAL)->phone.trust_known = true;
	assert_int_equal(make(&bench), 0);
	assert_string_equal(steps_of(&bench.plan, text), "pair verify-trust");
	bench.phone.has_record = true;
	assert_int_equal(make(&bench), 0);
	assert_string_equal(steps_of(&bench.plan, text), "forget-record pair verify-trust");
}

static void test_modes_that_cannot(void **state)
{
	static const struct {
		enum goal goal;
		enum mode mode;
	} rows[] = {
		{ GOAL_TRUST, MODE_RECOVERY },     { GOAL_TRUST_STORE, MODE_DFU },
		{ GOAL_RESTART, MODE_RECOVERY },   { GOAL_RESTART, MODE_DFU },
		{ GOAL_RESTART, MODE_PORT_DFU },   { GOAL_ENTER_RECOVERY, MODE_RECOVERY },
		{ GOAL_ENTER_RECOVERY, MODE_DFU }, { GOAL_EXIT_RECOVERY, MODE_NORMAL },
		{ GOAL_EXIT_RECOVERY, MODE_DFU },  { GOAL_UPDATE, MODE_PORT_DFU },
		{ GOAL_ERASE, MODE_UNKNOWN },      { GOAL_UPDATE, MODE_WTF },
	};
	struct bench bench;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(make(bench_init(&bench, rows[i].goal, rows[i].mode)), -EOPNOTSUPP);
		assert_int_equal(bench.err.kind, ERROR_UNSUPPORTED);
		assert_true(strlen(bench.err.text) > 20);
	}
	make(bench_init(&bench, GOAL_RESTART, MODE_DFU));
	assert_non_null(strstr(bench.err.text, "Tap the upper volume button"));
	assert_non_null(strstr(bench.err.text, "emergency call"));
}

static void test_phone_in_the_way(void **state)
{
	struct bench bench;

	strcpy(bench_init(&bench, GOAL_TRUST, MODE_NORMAL)->phone.job, "20261122-0612-x4k7");
	assert_int_equal(make(&bench), -EBUSY);
	assert_non_null(strstr(bench.err.text, "20261122-0612-x4k7"));
	bench_init(&bench, GOAL_TRUST, MODE_NORMAL)->phone.on_bus = false;
	assert_int_equal(make(&bench), -ENXIO);
	bench_init(&bench, GOAL_TRUST, MODE_NORMAL)->request.phone = NULL;
	assert_int_equal(make(&bench), -EINVAL);
	assert_int_equal(bench.err.kind, ERROR_USAGE);
	bench_init(&bench, GOAL_ERASE, MODE_NORMAL)->phone.identity.ecid = 0;
	assert_int_equal(make(&bench), -EOPNOTSUPP);
}

static void test_firmware_that_does_not_fit(void **state)
{
	struct bench bench;

	strcpy(bench_init(&bench, GOAL_UPDATE, MODE_NORMAL)->phone.identity.version, "17.10");
	assert_int_equal(make(&bench), -EACCES);
	assert_int_equal(bench.err.kind, ERROR_REFUSED);
	strcpy(bench.phone.identity.version, "17.5.1");
	assert_int_equal(make(&bench), 0);
	strcpy(bench.phone.identity.version, "18.0");
	bench.request.goal = GOAL_ERASE;
	assert_int_equal(make(&bench), 0);

	bench_init(&bench, GOAL_UPDATE, MODE_NORMAL)->request.update = NULL;
	assert_int_equal(make(&bench), -EBADMSG);
	bench.request.erase = NULL;
	assert_int_equal(make(&bench), -EBADMSG);
	assert_non_null(strstr(bench.err.text, "not for this phone"));
	bench_init(&bench, GOAL_ERASE, MODE_NORMAL)->request.erase = NULL;
	assert_int_equal(make(&bench), -EBADMSG);
	bench_init(&bench, GOAL_UPDATE, MODE_NORMAL)->update.erases = true;
	assert_int_equal(make(&bench), -EBADMSG);
	bench_init(&bench, GOAL_ERASE, MODE_NORMAL)->erase.erases = false;
	assert_int_equal(make(&bench), -EBADMSG);
	bench_init(&bench, GOAL_UPDATE, MODE_NORMAL)->update = doctor_erase;
	bench.update.erases = false;
	assert_int_equal(make(&bench), -EBADMSG);
	/* a contradictory erase variant spoils no update, but is not offered after it */
	bench_init(&bench, GOAL_UPDATE, MODE_NORMAL)->erase.erases = false;
	assert_int_equal(make(&bench), 0);
	assert_string_equal(bench.plan.erase_variant.name, "");
}

static void test_room(void **state)
{
	uint64_t need = UINT64_C(13000000000) + (64 << 20);
	struct bench bench;

	bench_init(&bench, GOAL_UPDATE, MODE_NORMAL)->room.free_bytes = need;
	assert_int_equal(make(&bench), 0);
	assert_int_equal(bench.plan.need_bytes, need);
	bench.room.free_bytes--;
	assert_int_equal(make(&bench), -ENOSPC);
	assert_non_null(strstr(bench.err.text, "MiB"));
	strcpy(bench.firmware.path, "/data/firmware.ipsw");
	bench.update.os_packed = false;
	bench.room.free_bytes = 64 << 20;
	assert_int_equal(make(&bench), 0);
	bench.room.folder[0] = '\0';
	assert_int_equal(make(&bench), -ENOSPC);
	bench_init(&bench, GOAL_ERASE, MODE_NORMAL)->erase.os_bytes = UINT64_MAX;
	assert_int_equal(make(&bench), -ENOSPC);
}

static void test_brought_file_is_not_fetched(void **state)
{
	struct bench bench;
	char text[512];

	bench_init(&bench, GOAL_ERASE, MODE_RECOVERY)->firmware.url[0] = '\0';
	strcpy(bench.firmware.path, "/media/x.ipsw");
	assert_int_equal(make(&bench), 0);
	assert_string_equal(steps_of(&bench.plan, text),
			    "check erase await-normal verify-system pair? verify-trust?");
}

static void test_last4(void **state)
{
	struct bench bench;

	assert_int_equal(make(bench_init(&bench, GOAL_ERASE, MODE_NORMAL)), 0);
	assert_string_equal(bench.plan.confirm, "JC67");
	bench.phone.identity.serial_number[0] = '\0';
	assert_int_equal(make(&bench), 0);
	assert_string_equal(bench.plan.confirm, "401E");
}

static bool warns(const struct plan *plan, const char *id)
{
	for (size_t i = 0; i < plan->warning_count; i++)
		if (strcmp(plan->warnings[i], id) == 0)
			return true;
	return false;
}

static void test_warnings(void **state)
{
	struct bench bench;

	bench_init(&bench, GOAL_UPDATE, MODE_NORMAL)->phone.trust = TRUST_TRUSTED;
	assert_int_equal(make(&bench), 0);
	assert_int_equal(bench.plan.warning_count, 0);
	bench.phone.trust = TRUST_UNKNOWN;
	bench.phone.identity.battery = 20;
	bench.phone.sighting.hub_depth = 2;
	bench.phone.sighting.speed_mbps = 12;
	bench.room.lasting = false;
	strcpy(bench.firmware.version, "26.1");
	assert_int_equal(make(&bench), 0);
	assert_int_equal(bench.plan.warning_count, 6);
	assert_true(warns(&bench.plan, "plan-warning-battery"));
	assert_true(warns(&bench.plan, "plan-warning-hubs"));
	assert_true(warns(&bench.plan, "plan-warning-slow-link"));
	assert_true(warns(&bench.plan, "plan-warning-internet"));
	assert_true(warns(&bench.plan, "plan-warning-ram"));
	assert_true(warns(&bench.plan, "plan-warning-trust"));
	for (size_t i = 0; i < bench.plan.warning_count; i++)
		assert_non_null(message_find(bench.plan.warnings[i]));
	bench.phone.identity.battery = 21;
	assert_int_equal(make(&bench), 0);
	assert_false(warns(&bench.plan, "plan-warning-battery"));
}

static void test_product_without_phone(void **state)
{
	struct bench bench;

	bench_init(&bench, GOAL_FIRMWARE, MODE_NORMAL)->request.phone = NULL;
	bench.request.product = "iPhone14,5";
	assert_int_equal(make(&bench), 0);
	assert_string_equal(bench.plan.phone, "product:iPhone14,5");
	assert_string_equal(bench.plan.label, "iPhone 13");
	assert_false(plan_erases(&bench.plan));
}

static void test_erase_after_update(void **state)
{
	struct plan update = doctor_plan(GOAL_UPDATE, MODE_NORMAL), erase, none;
	char text[512];

	assert_false(plan_erases(&update));
	assert_int_equal(plan_erase_after(&update, &erase), 0);
	assert_true(plan_erases(&erase));
	assert_int_equal(erase.goal, GOAL_ERASE);
	assert_string_equal(erase.variant.name, doctor_erase.name);
	assert_string_equal(erase.confirm, update.confirm);
	assert_string_equal(steps_of(&erase, text),
			    "erase await-normal verify-system pair? verify-trust?");
	assert_int_equal(plan_erase_after(&erase, &none), -EINVAL);
	update.erase_variant.name[0] = '\0';
	assert_int_equal(plan_erase_after(&update, &none), -EINVAL);
}

/* What the journal keeps is the whole plan. */
static void test_record(void **state)
{
	for (int goal = 0; goal < GOAL_MAX; goal++) {
		enum mode mode = goal == GOAL_EXIT_RECOVERY ? MODE_RECOVERY : MODE_NORMAL;
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *again = NULL;
		struct plan plan = doctor_plan((enum goal)goal, mode), back;

		assert_int_equal(plan_to_record(&plan, &object), 0);
		assert_int_equal(plan_from_json(object, &back), 0);
		assert_int_equal(plan_to_record(&back, &again), 0);
		assert_true(sd_json_variant_equal(object, again));
		assert_int_equal(back.step_count, plan.step_count);
		assert_string_equal(back.confirm, plan.confirm);
	}
}

static void test_object_hides_the_answer(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct plan plan = doctor_plan(GOAL_ERASE, MODE_NORMAL);

	assert_int_equal(plan_to_json(&plan, &object), 0);
	assert_null(sd_json_variant_by_key(object, "confirm"));
	assert_string_equal(sd_json_variant_string(sd_json_variant_by_key(object, "confirm_hint")),
			    "the last four characters of the serial number");
	assert_string_equal(sd_json_variant_string(sd_json_variant_by_key(object, "variant")),
			    doctor_erase.name);
}

static void test_forged_record(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct plan plan = doctor_plan(GOAL_ERASE, MODE_NORMAL), back;

	/* steps that erase under the name of another goal */
	plan.goal = GOAL_UPDATE;
	assert_int_equal(plan_to_record(&plan, &object), 0);
	assert_int_equal(plan_from_json(object, &back), -EBADMSG);
	assert_int_equal(plan_from_json(NULL, &back), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_no_record_is_not_forgotten),
		cmocka_unit_test(test_modes_that_cannot),
		cmocka_unit_test(test_phone_in_the_way),
		cmocka_unit_test(test_firmware_that_does_not_fit),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_brought_file_is_not_fetched),
		cmocka_unit_test(test_last4),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_product_without_phone),
		cmocka_unit_test(test_erase_after_update),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_object_hides_the_answer),
		cmocka_unit_test(test_forged_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
