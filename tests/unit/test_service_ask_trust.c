/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The check of trust: when it is asked, when again, and what becomes of its answers. */
#include "ask_bench.h"
#include <sys/stat.h>
#include <unistd.h>

#define UDID_ANNA "00008110-001C20223E29401E"

static void anna_boots(struct bench *bench)
{
	file_write(bench, "probe",
		   "{\"v\":1,\"type\":\"result\",\"ok\":true,\"mode\":\"normal\","
		   "\"identity\":{\"udid\":\"" UDID_ANNA "\"}}");
	sighting_at(bench, SIGHTING_APPEARED, 1, PID_NORMAL);
	fleet_mux(bench->fleet, UDID_ANNA, 1 << 16 | 1, true, clock_now_ms());
	bench->touched = true;
}

static unsigned trust_requests(const struct bench *bench)
{
	char path[128], line[1024];
	unsigned count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/requests-trust", bench->folder);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		assert_non_null(strstr(line, "\"action\":\"check\""));
		count++;
	}
	if (file)
		fclose(file);
	return count;
}

static void turn_until_trust(struct bench *bench, enum trust trust)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	while (clock_now_ms() < end_ms &&
	       !(fleet_at(bench->fleet, 0) && fleet_at(bench->fleet, 0)->trust_known &&
		 fleet_at(bench->fleet, 0)->trust == trust))
		turn(bench);
	assert_int_equal(fleet_at(bench->fleet, 0)->trust, trust);
}

static void test_trust_is_asked_once_after_the_probe(void **state)
{
	struct bench *bench = *state;
	const struct phone *phone;

	file_write(bench, "trust-check",
		   "{\"v\":1,\"type\":\"result\",\"ok\":true,\"trust\":\"stale\",\"record\":true,"
		   "\"identity\":{\"battery_percent\":7},\"reason\":{\"origin\":\"lockdownd\","
		   "\"code\":-21,\"text\":\"it forgot us\"}}");
	anna_boots(bench);
	turn_until_trust(bench, TRUST_STALE);
	phone = fleet_at(bench->fleet, 0);
	assert_true(phone->has_record);
	assert_int_equal(phone->trust_reason.code, -21);
	assert_string_equal(phone->trust_reason.text, "it forgot us");
	assert_int_equal(phone->identity.battery, 8);
	for (int i = 0; i < 10; i++) {
		bench->touched = true;
		turn(bench);
	}
	assert_int_equal(trust_requests(bench), 1);
	assert_int_equal(requests(bench, NULL), 1);
}

static void test_person_asks_for_trust_again(void **state)
{
	struct bench *bench = *state;
	struct error err;

	anna_boots(bench);
	turn_until_trust(bench, TRUST_UNKNOWN);
	file_write(
	    bench, "trust-check",
	    "{\"v\":1,\"type\":\"result\",\"ok\":true,\"trust\":\"trusted\",\"record\":true}");
	assert_int_equal(
	    asker_ask(bench->asker, fleet_at(bench->fleet, 0), ASK_TRUST, on_answer, bench, &err),
	    0);
	turn_until_answers(bench, 1);
	assert_int_equal(bench->err.kind, ERROR_NONE);
	assert_int_equal(fleet_at(bench->fleet, 0)->trust, TRUST_TRUSTED);
	assert_int_equal(trust_requests(bench), 2);
}

static void test_bad_answer_about_trust_is_a_problem(void **state)
{
	struct bench *bench = *state;
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	file_write(bench, "trust-check",
		   "{\"v\":1,\"type\":\"result\",\"ok\":true,\"trust\":\"certainly\"}");
	anna_boots(bench);
	while (clock_now_ms() < end_ms && !(fleet_at(bench->fleet, 0) &&
					    asker_problem(bench->asker, fleet_at(bench->fleet, 0))))
		turn(bench);
	assert_int_equal(asker_problem(bench->asker, fleet_at(bench->fleet, 0))->kind,
			 ERROR_PROTOCOL);
	assert_false(fleet_at(bench->fleet, 0)->trust_known);
	assert_int_equal(trust_requests(bench), 1); /* and not in a loop */
}

#define TRUST_ANSWER(word, more)                                                                   \
	"{\"v\":1,\"type\":\"result\",\"ok\":true,\"trust\":\"" word "\",\"record\":true" more "}"

/* The phone tells nobody whom it does not trust that it was unlocked. */
static void test_locked_is_asked_again_and_again(void **state)
{
	struct bench *bench = *state;
	const struct phone *phone;
	uint64_t deadline_ms;

	file_write(bench, "trust-check",
		   TRUST_ANSWER("locked", ",\"detail\":\"escrow\",\"reach\":\"record\""));
	anna_boots(bench);
	turn_until_trust(bench, TRUST_LOCKED);
	phone = fleet_at(bench->fleet, 0);
	assert_int_equal(phone->detail, DETAIL_ESCROW);
	assert_int_equal(phone->reach, REACH_RECORD);
	assert_null(asker_problem(bench->asker, phone)); /* it was answered */
	turn(bench);
	deadline_ms = asker_deadline(bench->asker);
	assert_true(deadline_ms <= clock_now_ms() + timing_ms(TIMING_TRUST_AGAIN));
	file_write(bench, "trust-check", TRUST_ANSWER("trusted", ",\"reach\":\"service\""));
	while (fleet_at(bench->fleet, 0)->trust != TRUST_TRUSTED &&
	       clock_now_ms() < deadline_ms + LOOP_LIMIT_MS) {
		bench->touched |= clock_now_ms() >= asker_deadline(bench->asker);
		turn(bench);
	}
	assert_int_equal(fleet_at(bench->fleet, 0)->reach, REACH_SERVICE);
	assert_true(clock_now_ms() >= deadline_ms);
	assert_int_equal(trust_requests(bench), 2);
	turn(bench);
	assert_true(asker_deadline(bench->asker) == UINT64_MAX); /* that is the end of it */
}

static void test_usbmuxd_has_news_of_it(void **state)
{
	struct bench *bench = *state;

	anna_boots(bench);
	turn_until_trust(bench, TRUST_UNKNOWN);
	assert_true(asker_deadline(bench->asker) == UINT64_MAX);
	file_write(bench, "trust-check", TRUST_ANSWER("trusted", ""));
	asker_ask_anew(bench->asker, "00008110-000000000000002A"); /* another phone's */
	turn(bench);
	assert_int_equal(trust_requests(bench), 1);
	asker_ask_anew(bench->asker, fleet_at(bench->fleet, 0)->identity.udid);
	asker_ask_anew(bench->asker, fleet_at(bench->fleet, 0)->identity.udid);
	turn_until_trust(bench, TRUST_TRUSTED);
	assert_int_equal(fleet_at(bench->fleet, 0)->reach, REACH_SESSION); /* at least */
	assert_int_equal(trust_requests(bench), 2);
}

static void test_failure_says_how_far_it_came(void **state)
{
	struct bench *bench = *state;
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;
	const struct phone *phone;

	file_write(bench, "trust-check",
		   "{\"v\":1,\"type\":\"result\",\"ok\":false,\"reach\":\"record\",\"error\":{"
		   "\"kind\":\"refused\",\"origin\":\"lockdownd\",\"code\":-5,\"text\":\"no\"}}");
	anna_boots(bench);
	while (clock_now_ms() < end_ms && !(fleet_at(bench->fleet, 0) &&
					    asker_problem(bench->asker, fleet_at(bench->fleet, 0))))
		turn(bench);
	phone = fleet_at(bench->fleet, 0);
	assert_int_equal(phone->reach, REACH_RECORD);
	assert_int_equal(phone->reach_problem.code, -5);
	assert_int_equal(asker_problem(bench->asker, phone)->code, -5);
	assert_false(phone->trust_known);
}

/* --- one worker for both questions -------------------------------------------------------------
 */

#define SAYS_WHO_IT_IS                                                                             \
	"{\"v\":1,\"type\":\"event\",\"event\":\"identity\",\"mode\":\"normal\","                  \
	"\"reach\":\"lockdown\",\"identity\":{\"udid\":\"" UDID_ANNA "\",\"name\":\"Anna\"}}\n"

static void anna_comes(struct bench *bench, const char *lines)
{
	file_write(bench, "probe", lines);
	sighting_at(bench, SIGHTING_APPEARED, 1, PID_NORMAL);
	fleet_mux(bench->fleet, UDID_ANNA, 1 << 16 | 1, true, clock_now_ms());
	bench->touched = true;
}

static void turn_until_name(struct bench *bench, const char *name)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	while (clock_now_ms() < end_ms &&
	       strcmp(fleet_at(bench->fleet, 0)->identity.name, name) != 0)
		turn(bench);
	assert_string_equal(fleet_at(bench->fleet, 0)->identity.name, name);
}

static void test_one_worker_answers_both(void **state)
{
	struct bench *bench = *state;
	char last[1024];

	anna_comes(bench, SAYS_WHO_IT_IS TRUST_ANSWER("trusted", ",\"reach\":\"service\""));
	turn_until_trust(bench, TRUST_TRUSTED);
	assert_string_equal(fleet_at(bench->fleet, 0)->identity.name, "Anna");
	assert_int_equal(fleet_at(bench->fleet, 0)->reach, REACH_SERVICE);
	turn_until_requests(bench, 1);
	assert_int_equal(requests(bench, last), 1);
	assert_non_null(strstr(last, "\"trust\":true"));
	assert_int_equal(trust_requests(bench), 0);
	assert_null(asker_problem(bench->asker, fleet_at(bench->fleet, 0)));
	/* what is known is not asked with it again */
	assert_int_equal(asker_ask(bench->asker, fleet_at(bench->fleet, 0), ASK_IDENTITY, on_answer,
				   bench, NULL),
			 0);
	turn_until_requests(bench, 2);
	assert_int_equal(requests(bench, last), 2);
	assert_null(strstr(last, "\"trust\""));
}

/* Who asked for the name does not wait for the rest; who asks for trust waits for this answer. */
static void test_each_hears_its_own_answer(void **state)
{
	struct bench *bench = *state;
	char fifo[64];
	FILE *file;
	int other = 0;

	snprintf(fifo, sizeof(fifo), "%s/go", bench->folder);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	anna_comes(bench, SAYS_WHO_IT_IS "wait go\n" TRUST_ANSWER("denied", ""));
	for (int ask = 0; ask < ASK_MAX; ask++)
		assert_int_equal(asker_ask(bench->asker, fleet_at(bench->fleet, 0), (enum ask)ask,
					   on_answer, bench, NULL),
				 0);
	turn_until_answers(bench, 1);
	assert_int_equal(bench->err.kind, ERROR_NONE);
	assert_string_equal(fleet_at(bench->fleet, 0)->identity.name, "Anna");
	assert_false(fleet_at(bench->fleet, 0)->trust_known);
	assert_int_equal(
	    asker_ask(bench->asker, fleet_at(bench->fleet, 0), ASK_TRUST, on_answer, &other, NULL),
	    0);
	asker_forget(bench->asker, &other);
	file = fopen(fifo, "we");
	assert_non_null(file);
	fputs("now\n", file);
	assert_int_equal(fclose(file), 0);
	turn_until_answers(bench, 2);
	assert_int_equal(fleet_at(bench->fleet, 0)->trust, TRUST_DENIED);
	turn_until_requests(bench, 1);
	assert_int_equal(trust_requests(bench), 0);
	assert_int_equal(unlink(fifo), 0);
}

/* The first answer stands, the second question is asked again by itself. */
static void test_it_breaks_in_between(void **state)
{
	struct bench *bench = *state;
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;
	const struct phone *phone;

	file_write(bench, "trust-check", TRUST_ANSWER("trusted", ""));
	anna_comes(bench, SAYS_WHO_IT_IS "crash");
	turn_until_name(bench, "Anna");
	phone = fleet_at(bench->fleet, 0);
	while (!asker_problem(bench->asker, phone) && clock_now_ms() < end_ms)
		turn(bench);
	assert_int_equal(asker_problem(bench->asker, phone)->kind, ERROR_PROTOCOL);
	assert_false(phone->trust_known);
	while (phone->trust != TRUST_TRUSTED && clock_now_ms() < end_ms) {
		bench->touched |= clock_now_ms() >= asker_deadline(bench->asker);
		turn(bench);
	}
	assert_int_equal(phone->trust, TRUST_TRUSTED);
	assert_int_equal(trust_requests(bench), 1);
	assert_int_equal(requests(bench, NULL), 1);
}

static void test_nonsense_about_who_it_is(void **state)
{
	struct bench *bench = *state;
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	anna_comes(bench, "{\"v\":1,\"type\":\"event\",\"event\":\"identity\",\"mode\":\"normal\","
			  "\"identity\":{\"ecid\":\"0x1\"}}\n" TRUST_ANSWER("trusted", ""));
	while (!asker_problem(bench->asker, fleet_at(bench->fleet, 0)) && clock_now_ms() < end_ms)
		turn(bench);
	assert_int_equal(asker_problem(bench->asker, fleet_at(bench->fleet, 0))->kind,
			 ERROR_PROTOCOL);
	assert_false(fleet_at(bench->fleet, 0)->trust_known);
}

static void test_pauses_grow(void **state)
{
	unsigned most = timing_ms(TIMING_TRUST_AGAIN_MOST);

	assert_int_equal(ask_pause_ms(1), timing_ms(TIMING_TRUST_AGAIN));
	for (unsigned attempts = 1; attempts < 100; attempts++) {
		assert_true(ask_pause_ms(attempts) <= ask_pause_ms(attempts + 1));
		assert_true(ask_pause_ms(attempts) <= most);
	}
	assert_int_equal(ask_pause_ms(100), most);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_start, bench_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_trust_is_asked_once_after_the_probe),
		TEST(test_person_asks_for_trust_again),
		TEST(test_bad_answer_about_trust_is_a_problem),
		TEST(test_locked_is_asked_again_and_again),
		TEST(test_usbmuxd_has_news_of_it),
		TEST(test_failure_says_how_far_it_came),
		TEST(test_one_worker_answers_both),
		TEST(test_each_hears_its_own_answer),
		TEST(test_it_breaks_in_between),
		TEST(test_nonsense_about_who_it_is),
		cmocka_unit_test(test_pauses_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
