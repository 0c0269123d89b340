/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which phones are asked, when, how many at once, and what becomes of the answers. */
#include "ask_bench.h"

/* --- policy ---------------------------------------------------------------------------------- */

struct policy_row {
	const char *what;
	struct phone phone;
	bool due;
	int possible; /* errno */
};

#define AT(product) .on_bus = true, .sighting = { .vid = USB_VENDOR_APPLE, .pid = product }
#define ANNA        .identity = { .udid = "00008110-001C20223E29401E", .ecid = 0x1c20223e29401e }

static const struct policy_row policy_rows[] = {
	{ "debug USB tells no ECID", { .mode = MODE_DEBUG_USB, AT(PID_DEBUG_USB), ANNA }, true, 0 },
	{ "Port DFU shows another ECID", { .mode = MODE_PORT_DFU, AT(0xf014), ANNA }, true, 0 },
	{ "recovery tells all", { .mode = MODE_RECOVERY, AT(PID_RECOVERY), ANNA }, false, 0 },
	{ "recovery without an ECID", { .mode = MODE_RECOVERY, AT(PID_RECOVERY) }, true, 0 },
	{ "settling does not matter",
	  { .mode = MODE_DEBUG_USB, .presence = PRESENCE_SETTLING, AT(PID_DEBUG_USB) },
	  true,
	  0 },
	{ "asked already", { .mode = MODE_DEBUG_USB, .asked = true, AT(PID_DEBUG_USB) }, false, 0 },
	{ "awaited by a job",
	  { .mode = MODE_DEBUG_USB, .presence = PRESENCE_AWAITED, AT(PID_DEBUG_USB) },
	  false,
	  EBUSY },
	{ "gone", { .mode = MODE_RECOVERY, .presence = PRESENCE_GONE }, false, ENXIO },
	{ "mode not known", { .mode = MODE_UNKNOWN, AT(0x1234) }, false, EOPNOTSUPP },
	{ "booted, in the mux",
	  { .mode = MODE_NORMAL, .in_mux = true, AT(PID_NORMAL), ANNA },
	  true,
	  0 },
	{ "booted, not in the mux",
	  { .mode = MODE_NORMAL, AT(PID_NORMAL), ANNA },
	  false,
	  ETIMEDOUT },
	{ "booted, no UDID",
	  { .mode = MODE_NORMAL, .in_mux = true, AT(PID_NORMAL) },
	  false,
	  ETIMEDOUT },
	{ "a job has it",
	  { .mode = MODE_DEBUG_USB, .job = "20261122-0612-x4k7", AT(PID_DEBUG_USB), ANNA },
	  false,
	  EBUSY },
	{ "restoring, in the mux",
	  { .mode = MODE_RESTORE, .in_mux = true, AT(PID_NORMAL), ANNA },
	  true,
	  0 },
};

static void test_policy(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(policy_rows); i++) {
		const struct policy_row *row = &policy_rows[i];
		struct error err;

		if (ask_is_due(&row->phone, ASK_IDENTITY) != row->due ||
		    ask_is_possible(&row->phone, ASK_IDENTITY, &err) != -row->possible)
			fail_msg("%s", row->what);
	}
}

static const struct policy_row trust_rows[] = {
	{ "after a probe",
	  { .mode = MODE_NORMAL, .in_mux = true, .asked = true, AT(PID_NORMAL), ANNA },
	  true,
	  0 },
	{ "before a probe",
	  { .mode = MODE_NORMAL, .in_mux = true, AT(PID_NORMAL), ANNA },
	  false,
	  0 },
	{ "known",
	  { .mode = MODE_NORMAL,
	    .in_mux = true,
	    .asked = true,
	    .trust_known = true,
	    AT(PID_NORMAL),
	    ANNA },
	  false,
	  0 },
	{ "not in the mux",
	  { .mode = MODE_NORMAL, .asked = true, AT(PID_NORMAL), ANNA },
	  false,
	  ETIMEDOUT },
	{ "recovery",
	  { .mode = MODE_RECOVERY, .asked = true, AT(PID_RECOVERY), ANNA },
	  false,
	  EOPNOTSUPP },
	{ "restoring",
	  { .mode = MODE_RESTORE, .in_mux = true, .asked = true, AT(PID_NORMAL), ANNA },
	  false,
	  EOPNOTSUPP },
	{ "a job has it",
	  { .mode = MODE_NORMAL, .in_mux = true, .asked = true, .job = "x", AT(PID_NORMAL), ANNA },
	  false,
	  EBUSY },
};

static void test_policy_of_trust(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(trust_rows); i++) {
		const struct policy_row *row = &trust_rows[i];
		struct error err;

		if (ask_is_due(&row->phone, ASK_TRUST) != row->due ||
		    ask_is_possible(&row->phone, ASK_TRUST, &err) != -row->possible)
			fail_msg("%s", row->what);
	}
}

static void test_answer_goes_into_the_fleet(void **state)
{
	struct bench *bench = *state;
	const struct phone *phone;

	answer_is(bench, "probe", 0x42);
	sighting_at(bench, SIGHTING_APPEARED, 1, PID_DEBUG_USB);
	turn_until_requests(bench, 1);
	assert_int_equal(fleet_count(bench->fleet), 1);
	phone = fleet_at(bench->fleet, 0);
	assert_int_equal(phone->identity.ecid, 0x42);
	assert_non_null(phone->identity.model);
	assert_null(asker_problem(bench->asker, phone));
}

static void test_request_says_where_the_phone_is(void **state)
{
	struct bench *bench = *state;
	char last[1024] = "";

	answer_is(bench, "probe", 0x42);
	sighting_at(bench, SIGHTING_APPEARED, 3, PID_DEBUG_USB);
	turn_until_requests(bench, 1);
	requests(bench, last);
	assert_string_equal(last, "{\"v\":1,\"type\":\"request\",\"kind\":\"probe\","
				  "\"mode\":\"debug-usb\",\"bus\":1,\"address\":3}\n");
}

static void test_so_many_at_once_and_the_rest_in_line(void **state)
{
	struct bench *bench = *state;

	for (unsigned place = 1; place <= ASK_AT_ONCE_MAX + 2; place++)
		sighting_at(bench, SIGHTING_APPEARED, place, PID_DEBUG_USB);
	turn_until_requests(bench, ASK_AT_ONCE_MAX);
	sighting_at(bench, SIGHTING_GONE, 1, PID_DEBUG_USB);
	sighting_at(bench, SIGHTING_GONE, 2, PID_DEBUG_USB);
	turn_until_requests(bench, ASK_AT_ONCE_MAX + 2);
	assert_int_equal(fleet_count(bench->fleet), ASK_AT_ONCE_MAX);
}

static void test_failure_is_kept_until_the_phone_returns(void **state)
{
	struct bench *bench = *state;
	const struct error *problem;

	file_write(bench, "probe",
		   "{\"v\":1,\"type\":\"result\",\"ok\":false,\"error\":{\"kind\":\"busy\","
		   "\"origin\":\"kernel\",\"code\":16,\"text\":\"somebody has it\"}}");
	sighting_at(bench, SIGHTING_APPEARED, 1, PID_DEBUG_USB);
	turn_until_requests(bench, 1); /* and not again and again */
	problem = asker_problem(bench->asker, fleet_at(bench->fleet, 0));
	assert_non_null(problem);
	assert_int_equal(problem->kind, ERROR_BUSY);
	assert_int_equal(problem->code, 16);
	assert_string_equal(problem->text, "somebody has it");
	sighting_at(bench, SIGHTING_GONE, 1, PID_DEBUG_USB);
	answer_is(bench, "probe", 0x42);
	sighting_at(bench, SIGHTING_APPEARED, 1, PID_DEBUG_USB);
	turn_until_requests(bench, 2);
	assert_null(asker_problem(bench->asker, fleet_at(bench->fleet, 0)));
}

/* As the service's timer does: a review when the deadline comes. */
static void turn_until_deadline(struct bench *bench)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	assert_true(asker_deadline(bench->asker) < end_ms);
	while (clock_now_ms() < asker_deadline(bench->asker))
		turn(bench);
	bench->touched = true;
}

static void test_silence_is_asked_again_but_not_for_ever(void **state)
{
	struct bench *bench = *state;

	file_write(bench, "probe",
		   "{\"v\":1,\"type\":\"result\",\"ok\":false,\"error\":{\"kind\":\"silent\","
		   "\"origin\":\"usbmuxd\",\"code\":0,\"text\":\"it boots\"}}");
	sighting_at(bench, SIGHTING_APPEARED, 1, PID_DEBUG_USB);
	for (unsigned attempt = 1; attempt <= ASK_ATTEMPTS_MAX; attempt++) {
		turn_until_requests(bench, attempt);
		if (attempt < ASK_ATTEMPTS_MAX)
			turn_until_deadline(bench);
	}
	assert_true(asker_deadline(bench->asker) == UINT64_MAX);
	assert_non_null(asker_problem(bench->asker, fleet_at(bench->fleet, 0)));
}

static void test_what_is_worth_asking_again(void **state)
{
	assert_true(ask_is_worth_again(ERROR_SILENT));
	assert_true(ask_is_worth_again(ERROR_NO_SERVICE));
	assert_false(ask_is_worth_again(ERROR_UNPLUGGED));
	assert_false(ask_is_worth_again(ERROR_REFUSED));
	assert_false(ask_is_worth_again(ERROR_BUG));
}

static void test_bad_answers_are_problems(void **state)
{
	static const char *const answers[] = {
		"crash",
		"{\"v\":1,\"type\":\"result\",\"ok\":true}",
		"{\"v\":1,\"type\":\"result\",\"ok\":true,\"mode\":\"dfu\",\"identity\":7}",
		"{\"v\":1,\"type\":\"result\",\"ok\":true,\"identity\":{\"ecid\":\"0x1\"}}",
	};
	struct bench *bench = *state;

	for (unsigned i = 0; i < ARRAY_LEN(answers); i++) {
		file_write(bench, "probe", answers[i]);
		sighting_at(bench, SIGHTING_APPEARED, 1, PID_DEBUG_USB);
		turn_until_requests(bench, i + 1);
		if (!asker_problem(bench->asker, fleet_at(bench->fleet, 0)))
			fail_msg("accepted: %s", answers[i]);
		sighting_at(bench, SIGHTING_GONE, 1, PID_DEBUG_USB);
		turn(bench);
	}
}

static void test_two_who_ask_share_one_question(void **state)
{
	struct bench *bench = *state;
	struct error err;

	answer_is(bench, "probe", 0x42);
	sighting_at(bench, SIGHTING_APPEARED, 1, PID_DEBUG_USB);
	for (int i = 0; i < 2; i++)
		assert_int_equal(asker_ask(bench->asker, fleet_at(bench->fleet, 0), ASK_IDENTITY,
					   on_answer, bench, &err),
				 0);
	assert_int_equal(bench->answers, 0);
	turn_until_answers(bench, 2);
	assert_int_equal(requests(bench, NULL), 1);
	assert_int_equal(bench->err.kind, ERROR_NONE);
	assert_string_equal(bench->answered_key, "ecid:0x0000000000000042");
}

static void test_who_asks_hears_that_the_phone_left(void **state)
{
	struct bench *bench = *state;
	struct error err;

	sighting_at(bench, SIGHTING_APPEARED, 1, PID_DEBUG_USB);
	assert_int_equal(asker_ask(bench->asker, fleet_at(bench->fleet, 0), ASK_IDENTITY, on_answer,
				   bench, &err),
			 0);
	turn_until_requests(bench, 1);
	sighting_at(bench, SIGHTING_GONE, 1, PID_DEBUG_USB);
	turn_until_answers(bench, 1);
	assert_int_equal(bench->err.kind, ERROR_UNPLUGGED);
	assert_string_equal(bench->answered_key, "");
}

static void test_old_enumeration_is_not_answered_for_the_new(void **state)
{
	struct bench *bench = *state;
	struct error err;

	sighting_at(bench, SIGHTING_APPEARED, 1, PID_DEBUG_USB);
	assert_int_equal(asker_ask(bench->asker, fleet_at(bench->fleet, 0), ASK_IDENTITY, on_answer,
				   bench, &err),
			 0);
	turn_until_requests(bench, 1); /* it hangs */
	answer_is(bench, "probe", 0x42);
	/* same port, same path in sysfs, and nobody looked in between */
	sighting_at(bench, SIGHTING_GONE, 1, PID_DEBUG_USB);
	sighting_at(bench, SIGHTING_APPEARED, 1, PID_DEBUG_USB);
	turn_until_requests(bench, 2);
	assert_int_equal(bench->answers, 1);
	assert_int_equal(bench->err.kind, ERROR_UNPLUGGED);
	assert_int_equal(fleet_at(bench->fleet, 0)->identity.ecid, 0x42);
}

static void test_job_takes_the_phone_from_who_asks(void **state)
{
	struct bench *bench = *state;
	struct error err;

	file_write(bench, "probe", "hang");
	sighting_at(bench, SIGHTING_APPEARED, 1, PID_DEBUG_USB);
	assert_int_equal(asker_ask(bench->asker, fleet_at(bench->fleet, 0), ASK_IDENTITY, on_answer,
				   bench, &err),
			 0);
	turn_until_requests(bench, 1);
	assert_int_equal(
	    fleet_set_job(bench->fleet, fleet_at(bench->fleet, 0)->id, "x", clock_now_ms()), 0);
	turn_until_answers(bench, 1);
	assert_int_equal(bench->err.kind, ERROR_BUSY);
	turn_until_requests(bench, 1);
}

static void test_forgotten_asker_is_not_called(void **state)
{
	struct bench *bench = *state;
	struct error err;
	int other;

	answer_is(bench, "probe", 0x42);
	sighting_at(bench, SIGHTING_APPEARED, 1, PID_DEBUG_USB);
	assert_int_equal(asker_ask(bench->asker, fleet_at(bench->fleet, 0), ASK_IDENTITY, on_answer,
				   bench, &err),
			 0);
	asker_forget(bench->asker, &other);
	asker_forget(bench->asker, bench);
	turn_until_requests(bench, 1);
	assert_int_equal(bench->answers, 0);
}

static void test_nothing_is_asked_without_workers(void **state)
{
	struct bench *bench = *state;
	struct error err;

	asker_free(bench->asker);
	assert_int_equal(asker_new(bench->fleet, NULL, on_touched, bench, &bench->asker), 0);
	sighting_at(bench, SIGHTING_APPEARED, 1, PID_DEBUG_USB);
	turn(bench);
	assert_int_equal(asker_ask(bench->asker, fleet_at(bench->fleet, 0), ASK_IDENTITY, on_answer,
				   bench, &err),
			 -EOPNOTSUPP);
	assert_int_equal(requests(bench, NULL), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_start, bench_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_policy_of_trust),
		TEST(test_answer_goes_into_the_fleet),
		TEST(test_request_says_where_the_phone_is),
		TEST(test_so_many_at_once_and_the_rest_in_line),
		TEST(test_failure_is_kept_until_the_phone_returns),
		TEST(test_silence_is_asked_again_but_not_for_ever),
		cmocka_unit_test(test_what_is_worth_asking_again),
		TEST(test_bad_answers_are_problems),
		TEST(test_two_who_ask_share_one_question),
		TEST(test_who_asks_hears_that_the_phone_left),
		TEST(test_old_enumeration_is_not_answered_for_the_new),
		TEST(test_job_takes_the_phone_from_who_asks),
		TEST(test_forgotten_asker_is_not_called),
		TEST(test_nothing_is_asked_without_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
