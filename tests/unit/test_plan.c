/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/ladder.h"
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
		char text[1024];                                                                   \
		assert_string_equal(steps_of(&plan_of_goal, text), expected);                      \
	} while (0)

static void test_steps(void **state)
{
	assert_steps(GOAL_TRUST, MODE_NORMAL, "forget-record pair verify-trust");
	assert_steps(GOAL_TRUST_STORE, MODE_NORMAL, "forget-store pair verify-trust");
	assert_steps(GOAL_FORGET, MODE_NORMAL, "unpair? forget-record");
	assert_steps(GOAL_PROVE, MODE_NORMAL, "verify-trust replug? verify-trust verify-backup?");
	assert_steps(GOAL_LINK_TEST, MODE_NORMAL, "look? swap-cable? swap-port?");
	assert_steps(GOAL_RESTART, MODE_NORMAL, "restart await-normal");
	assert_steps(GOAL_RESTART, MODE_RESTORE, "restart await-normal");
	assert_steps(GOAL_ENTER_RECOVERY, MODE_NORMAL, "enter-recovery");
	assert_steps(GOAL_EXIT_RECOVERY, MODE_RECOVERY, "exit-recovery await-normal");
	assert_steps(GOAL_FIRMWARE, MODE_DFU, "catalogue fetch check");
	assert_steps(GOAL_UPDATE, MODE_NORMAL,
		     "network fetch sign check enter-recovery update await-normal verify-system "
		     "pair? verify-trust?");
	assert_steps(GOAL_UPDATE, MODE_RECOVERY,
		     "network fetch sign check update await-normal verify-system pair? "
		     "verify-trust?");
	assert_steps(GOAL_ERASE, MODE_DFU,
		     "network fetch sign check erase await-normal verify-system pair? "
		     "verify-trust?");
}

/* The ladder, rung by rung: the mildest first, and what proves it after each. */
static void test_ladder(void **state)
{
	assert_steps(GOAL_REPAIR, MODE_NORMAL,
		     "look? restart-mux? verify-trust? pair? verify-trust? "
		     "forget-record? pair? verify-trust? unpair? pair? verify-trust? "
		     "forget-store? pair? verify-trust? reset-privacy? pair? verify-trust? "
		     "reset-network? pair? verify-trust? reset-settings? pair? verify-trust? "
		     "restart? await-normal? pair? verify-trust? swap-cable? pair? verify-trust? "
		     "swap-port? pair? verify-trust? "
		     "verify-trust replug? verify-trust verify-backup?");
}

/* No goal of the ladder has a step whose data is not kept, in whatever state the phone is. */
static void test_ladder_keeps_everything(void **state)
{
	static const enum goal goals[] = { GOAL_REPAIR, GOAL_FORGET, GOAL_PROVE, GOAL_LINK_TEST };

	for (size_t i = 0; i < ARRAY_LEN(goals); i++) {
		size_t count, in_plan = 0;
		const struct plan_step *steps = ladder_steps(goals[i], &count);
		struct plan plan = doctor_plan(goals[i], MODE_NORMAL);
		unsigned rung = 0;

		assert_true(count > 0 && count <= PLAN_STEPS_MAX);
		assert_int_equal(plan.step_count, count);
		assert_int_equal(plan.data, DATA_KEPT);
		assert_false(plan_erases(&plan));
		assert_int_equal(goal_fact(goals[i])->data, DATA_KEPT);
		for (; in_plan < count; in_plan++) {
			const struct plan_step *step = &plan.steps[in_plan];

			assert_int_equal(step_fact(steps[in_plan].kind)->data, DATA_KEPT);
			assert_int_equal(step->rung, steps[in_plan].rung);
			/* a rung is tried, never demanded; each ends with its proof */
			assert_true(step->rung == 0 || step->optional);
			assert_true(step->rung == 0 || step->rung == rung ||
				    step->rung == rung + 1);
			if (step->rung > rung && rung > 0)
				assert_int_equal(plan.steps[in_plan - 1].kind, STEP_VERIFY_TRUST);
			rung = step->rung > rung ? step->rung : rung;
		}
		assert_int_equal(rung, goals[i] == GOAL_REPAIR ? 11 : 0);
	}
}

/* What one change to a request makes of it. */
struct bench {
	struct phone phone;
	struct firmware firmware;
	struct variant update, erase;
	struct signing signing;
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
		.signing = doctor_signed,
		.room = doctor_room,
	};
	bench->request = (struct plan_request){
		.goal = goal,
		.phone = &bench->phone,
		.firmware = &bench->firmware,
		.update = &bench->update,
		.erase = &bench->erase,
		.signing = &bench->signing,
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
		{ GOAL_REPAIR, MODE_RECOVERY },    { GOAL_PROVE, MODE_DFU },
		{ GOAL_FORGET, MODE_RESTORE },     { GOAL_LINK_TEST, MODE_PORT_DFU },
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

/* Of one version the build decides; numbers of betas say nothing about those of releases. */
static void test_older_build_of_the_same_version(void **state)
{
	struct bench bench;

	bench_init(&bench, GOAL_UPDATE, MODE_NORMAL);
	strcpy(bench.phone.identity.version, "17.5.1");
	strcpy(bench.phone.identity.build, "21F91");
	assert_int_equal(make(&bench), -EACCES);
	assert_non_null(strstr(bench.err.text, "21F91"));
	strcpy(bench.phone.identity.build, "21F90");
	assert_int_equal(make(&bench), 0);
	strcpy(bench.phone.identity.build, "21F5090b");
	assert_int_equal(make(&bench), 0);
	strcpy(bench.phone.identity.build, "21F91");
	bench.request.goal = GOAL_ERASE;
	assert_int_equal(make(&bench), 0);
}

static void test_order_of_builds(void **state)
{
	static const char *const older_first[] = { "9A334",  "10A403", "12H321", "15C114", "17F80",
						   "22A999", "22B2",   "23G71",  "23G83",  "23H1" };

	for (size_t i = 0; i < ARRAY_LEN(older_first); i++)
		for (size_t k = 0; k < ARRAY_LEN(older_first); k++) {
			int order = build_compare(older_first[i], older_first[k]);

			assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
		}
	assert_int_equal(build_compare("23G83", "23g83"), 0);
	assert_int_equal(build_compare("23A5260n", "23A341"), 0);
	assert_int_equal(build_compare("23G6083", "23G83"), 0);
	assert_int_equal(build_compare("", "23G83"), 0);
	assert_int_equal(build_compare("G", "23G83"), 0);
	assert_true(version_compare("18.7.10", "18.7.9") > 0);
	assert_int_equal(version_compare("26", "26.0"), 0);
}

static void test_room(void **state)
{
	uint64_t need = UINT64_C(13000000000) + (512 << 20);
	struct bench bench;

	bench_init(&bench, GOAL_UPDATE, MODE_NORMAL)->room.free_bytes = need;
	assert_int_equal(make(&bench), 0);
	assert_int_equal(bench.plan.need_bytes, need);
	bench.room.free_bytes--;
	assert_int_equal(make(&bench), -ENOSPC);
	assert_non_null(strstr(bench.err.text, "13.5 GB of room are needed"));
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
			    "network sign check erase await-normal verify-system pair? "
			    "verify-trust?");
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
	bench.room.why = "partition-no-room"; /* why all of it is in memory, if that is known */
	assert_int_equal(make(&bench), 0);
	assert_false(warns(&bench.plan, "plan-warning-battery"));
	assert_true(warns(&bench.plan, "partition-no-room"));
}

static void test_signature(void **state)
{
	struct bench bench;

	bench_init(&bench, GOAL_ERASE, MODE_NORMAL)->signing =
	    (struct signing){ .verdict = SIGN_NOT_SIGNED, .text = "STATUS 94" };
	assert_int_equal(make(&bench), -EKEYREJECTED);
	assert_int_equal(bench.err.kind, ERROR_NOT_SIGNED);
	assert_string_equal(bench.err.text, "STATUS 94");
	/* it may be kept all the same */
	bench.request.goal = GOAL_FIRMWARE;
	assert_int_equal(make(&bench), 0);
	assert_true(warns(&bench.plan, "plan-sign-no"));
	bench.request.goal = GOAL_ERASE;
	bench.signing.verdict = SIGN_UNKNOWN;
	assert_int_equal(make(&bench), 0);
	assert_true(warns(&bench.plan, "plan-sign-unknown"));
	assert_string_equal(bench.plan.signing.text, "STATUS 94");
	bench.request.signing = NULL;
	assert_int_equal(make(&bench), 0);
	assert_true(warns(&bench.plan, "plan-sign-not-asked"));
}

static void test_sources_that_disagree(void **state)
{
	struct bench bench;

	bench_init(&bench, GOAL_FIRMWARE, MODE_NORMAL)->firmware.conflict = true;
	assert_int_equal(make(&bench), -EBADMSG);
	assert_int_equal(bench.err.kind, ERROR_BAD_FILE);
	assert_non_null(strstr(bench.err.text, "disagree"));
}

static void test_planners_notices(void **state)
{
	static const char *const notices[] = { "plan-warning-offline", "plan-warning-newer" };
	struct bench bench;

	bench_init(&bench, GOAL_UPDATE, MODE_NORMAL)->phone.trust = TRUST_TRUSTED;
	bench.request.warnings = notices;
	bench.request.warning_count = ARRAY_LEN(notices);
	assert_int_equal(make(&bench), 0);
	assert_int_equal(bench.plan.warning_count, 2);
	for (size_t i = 0; i < bench.plan.warning_count; i++)
		assert_non_null(message_find(bench.plan.warnings[i]));
}

static void test_product_without_phone(void **state)
{
	struct bench bench;

	bench_init(&bench, GOAL_FIRMWARE, MODE_NORMAL)->request.phone = NULL;
	bench.request.product = "iPhone14,5";
	assert_int_equal(make(&bench), 0);
	assert_string_equal(bench.plan.phone, "product:iPhone14,5");
	assert_string_equal(bench.plan.label, "iPhone 13");
	bench.request.signing = NULL;
	assert_int_equal(make(&bench), 0);
	assert_int_equal(bench.plan.warning_count, 0); /* no phone, no question */
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
		assert_int_equal(back.signing.verdict, plan.signing.verdict);
		assert_string_equal(back.signing.manifest_sha256, plan.signing.manifest_sha256);
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

static int read_back(const struct plan *plan)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct plan back;

	assert_int_equal(plan_to_record(plan, &object), 0);
	return plan_from_json(object, &back);
}

/* A journal that smuggles something into a ladder. */
static void test_forged_ladder(void **state)
{
	struct plan repair = doctor_plan(GOAL_REPAIR, MODE_NORMAL), forged = repair;

	assert_int_equal(read_back(&repair), 0);
	forged.steps[3].kind = STEP_ERASE;
	forged.data = DATA_ERASED;
	assert_int_equal(read_back(&forged), -EBADMSG);
	forged.steps[3].kind = STEP_UPDATE;
	forged.data = DATA_AT_RISK;
	assert_int_equal(read_back(&forged), -EBADMSG);
	forged = repair;
	forged.steps[3].optional = false;
	assert_int_equal(read_back(&forged), -EBADMSG);
	forged = repair;
	forged.steps[3].rung = 7;
	assert_int_equal(read_back(&forged), -EBADMSG);
	forged = doctor_plan(GOAL_UPDATE, MODE_RECOVERY);
	forged.steps[forged.step_count - 1].rung = 1;
	assert_int_equal(read_back(&forged), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_ladder),
		cmocka_unit_test(test_ladder_keeps_everything),
		cmocka_unit_test(test_forged_ladder),
		cmocka_unit_test(test_no_record_is_not_forgotten),
		cmocka_unit_test(test_modes_that_cannot),
		cmocka_unit_test(test_phone_in_the_way),
		cmocka_unit_test(test_firmware_that_does_not_fit),
		cmocka_unit_test(test_older_build_of_the_same_version),
		cmocka_unit_test(test_order_of_builds),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_brought_file_is_not_fetched),
		cmocka_unit_test(test_last4),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_sources_that_disagree),
		cmocka_unit_test(test_planners_notices),
		cmocka_unit_test(test_product_without_phone),
		cmocka_unit_test(test_erase_after_update),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_object_hides_the_answer),
		cmocka_unit_test(test_forged_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
