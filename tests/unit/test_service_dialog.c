/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose screen is watched, and what becomes of what it says. */
#include "ask_bench.h"
#include "service/dialog.h"

static const char udid[] = "00008110-001C20223E29401E";
static const char trust_check[] = "{\"v\":1,\"type\":\"result\",\"ok\":true,\"trust\":\"unknown\","
				  "\"record\":false}";
static const char asking[] =
    "{\"v\":1,\"type\":\"event\",\"event\":\"trust\",\"trust\":\"asking\"}";

/* --- policy ---------------------------------------------------------------------------------- */

struct policy_row {
	const char *what;
	struct phone phone;
	bool due;
};

#define HERE  .on_bus = true, .in_mux = true, .identity = { .udid = "00008110-001C20223E29401E" }
#define READY HERE, .presence = PRESENCE_PRESENT, .mode = MODE_NORMAL

static const struct policy_row policy_rows[] = {
	{ "no record, nothing known", { READY, .trust_known = true }, true },
	{ "asking", { READY, .trust_known = true, .trust = TRUST_ASKING }, true },
	{ "denied: nobody is pestered",
	  { READY, .trust_known = true, .trust = TRUST_DENIED },
	  false },
	{ "settling", { HERE, .mode = MODE_NORMAL, .trust_known = true }, true },
	{ "the check has not said yet", { READY }, false },
	{ "a record is there", { READY, .trust_known = true, .has_record = true }, false },
	{ "its record was just forgotten",
	  { READY, .trust_known = true, .had_record = true },
	  false },
	{ "trusted", { READY, .trust_known = true, .trust = TRUST_TRUSTED }, false },
	{ "policy", { READY, .trust_known = true, .trust = TRUST_REFUSED_BY_POLICY }, false },
	{ "a job has it", { READY, .trust_known = true, .job = "20261122-0612-x4k7" }, false },
	{ "awaited",
	  { HERE, .mode = MODE_NORMAL, .trust_known = true, .presence = PRESENCE_AWAITED },
	  false },
	{ "in recovery", { HERE, .trust_known = true, .mode = MODE_RECOVERY }, false },
	{ "away", { .mode = MODE_NORMAL, .trust_known = true, .in_mux = true }, false },
};

static void test_policy(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(policy_rows); i++) {
		struct phone phone = policy_rows[i].phone;

		if (dialog_is_due(&phone) != policy_rows[i].due)
			fail_msg("%s", policy_rows[i].what);
	}
}

/* --- watching -------------------------------------------------------------------------------- */

struct room {
	struct bench *bench;
	struct dialogs *dialogs;
};

static int room_start(void **state)
{
	struct room *room = calloc(1, sizeof(*room));
	void *bench = NULL;

	assert_int_equal(bench_start(&bench), 0);
	room->bench = bench;
	assert_int_equal(dialogs_new(room->bench->fleet, room->bench->asker, room->bench->pool,
				     on_touched, room->bench, &room->dialogs),
			 0);
	*state = room;
	return 0;
}

static void file_remove(const struct bench *bench, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", bench->folder, name);
	unlink(path);
}

static int room_end(void **state)
{
	struct room *room = *state;
	void *bench = room->bench;

	dialogs_free(room->dialogs);
	file_remove(bench, "trust-await");
	assert_int_equal(bench_end(&bench), 0);
	free(room);
	return 0;
}

static const struct phone *room_phone(const struct room *room)
{
	return fleet_at(room->bench->fleet, 0);
}

static void room_turn(struct room *room)
{
	room->bench->touched |= dialogs_deadline(room->dialogs) <= clock_now_ms();
	while (room->bench->touched) {
		room->bench->touched = false;
		dialogs_review(room->dialogs);
		asker_review(room->bench->asker);
	}
	assert_true(sd_event_run(room->bench->event, 20 * 1000) >= 0);
}

static void room_turn_until(struct room *room, enum trust trust)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;

	while (!(room_phone(room)->trust_known && room_phone(room)->trust == trust) &&
	       clock_now_ms() < end_ms)
		room_turn(room);
	assert_string_equal(trust_name(room_phone(room)->trust), trust_name(trust));
}

/* A phone without a record is plugged in; its watch answers with these lines. */
static void plug(struct room *room, const char *lines)
{
	struct bench *bench = room->bench;

	file_write(bench, "probe",
		   "{\"v\":1,\"type\":\"result\",\"ok\":true,\"mode\":\"normal\",\"identity\":{"
		   "\"ecid\":\"0x001c20223e29401e\"}}");
	file_write(bench, "trust-check", trust_check);
	file_write(bench, "trust-await", lines);
	sighting_at(bench, SIGHTING_APPEARED, 1, PID_NORMAL);
	fleet_mux(bench->fleet, udid, 1 << 16 | 1, true, clock_now_ms());
	bench->touched = true;
}

static void test_what_the_phone_says_is_told(void **state)
{
	struct room *room = *state;
	char lines[256];

	snprintf(lines, sizeof(lines), "%s\nhang", asking);
	plug(room, lines);
	room_turn_until(room, TRUST_ASKING);
	assert_false(room_phone(room)->has_record);
}

/* The screen of the first phone is asked for at once, the next ones one after the other. */
static void test_turns(void **state)
{
	enum { MANY = 3, APART_MS = 1000 };
	struct room *room = *state;
	struct fleet *fleet = room->bench->fleet;
	struct trust_answer nothing_known = { .trust = TRUST_UNKNOWN };
	uint64_t before_ms = clock_now_ms(), first_ms, second_ms;

	file_write(room->bench, "trust-await", "hang");
	for (unsigned port = 1; port <= MANY; port++) {
		char name[UDID_BYTES];
		const struct phone *phone;

		snprintf(name, sizeof(name), "00008110-001C20223E29400%u", port);
		sighting_at(room->bench, SIGHTING_APPEARED, port, PID_NORMAL);
		fleet_mux(fleet, name, 1 << 16 | port, true, clock_now_ms());
		phone = fleet_at(fleet, port - 1);
		fleet_mark_asked(fleet, phone->id);
		fleet_trust(fleet, phone->id, phone->sighting.syspath, &nothing_known,
			    clock_now_ms());
		assert_true(dialog_is_due(phone));
	}
	dialogs_review(room->dialogs);
	first_ms = dialogs_deadline(room->dialogs);
	assert_uint_in_range(first_ms, before_ms, clock_now_ms());
	dialogs_review(room->dialogs); /* begins it */
	second_ms = dialogs_deadline(room->dialogs);
	assert_true(second_ms >= first_ms + APART_MS && second_ms < first_ms + 10 * APART_MS);
}

/* A check finds no record, and knows less than who asked the phone. */
static void test_a_check_does_not_undo_it(void **state)
{
	struct room *room = *state;
	char lines[256];

	snprintf(lines, sizeof(lines), "%s\nhang", asking);
	plug(room, lines);
	room_turn_until(room, TRUST_ASKING);
	assert_int_equal(asker_ask(room->bench->asker, room_phone(room), ASK_TRUST, on_answer,
				   room->bench, NULL),
			 0);
	while (room->bench->answers == 0)
		room_turn(room);
	assert_int_equal(room_phone(room)->trust, TRUST_ASKING);
}

static void test_a_record_is_checked(void **state)
{
	struct room *room = *state;

	plug(room,
	     "{\"v\":1,\"type\":\"result\",\"ok\":true,\"trust\":\"unknown\",\"record\":true}");
	room_turn_until(room, TRUST_UNKNOWN);
	file_write(
	    room->bench, "trust-check",
	    "{\"v\":1,\"type\":\"result\",\"ok\":true,\"trust\":\"trusted\",\"record\":true}");
	room_turn_until(room, TRUST_TRUSTED);
}

static void test_silence_to_the_end_is_told(void **state)
{
	struct room *room = *state;

	plug(room, "{\"v\":1,\"type\":\"result\",\"ok\":false,\"trust\":\"asking\",\"detail\":"
		   "\"silent-dialog\",\"error\":{\"kind\":\"silent\",\"origin\":\"worker\","
		   "\"code\":0,\"text\":\"nobody tapped\"}}");
	room_turn_until(room, TRUST_ASKING);
	assert_int_equal(room_phone(room)->detail, DETAIL_SILENT_DIALOG);
}

/* Watches that were begun so far, and how long the latest may take. */
static unsigned watches(const struct room *room, unsigned *ret_limit_s)
{
	char path[128], line[1024];
	unsigned count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/requests-trust", room->bench->folder);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		const char *limit = strstr(line, "\"limit_s\":");

		if (!strstr(line, "\"action\":\"await\"") || !limit)
			continue;
		*ret_limit_s = (unsigned)strtoul(limit + strlen("\"limit_s\":"), NULL, 10);
		count++;
	}
	if (file)
		(void)fclose(file);
	return count;
}

static void room_turn_until_watched(struct room *room, unsigned limit_s)
{
	uint64_t end_ms = clock_now_ms() + LOOP_LIMIT_MS;
	unsigned found_s = 0;

	while ((watches(room, &found_s) == 0 || found_s != limit_s) && clock_now_ms() < end_ms)
		room_turn(room);
	assert_int_equal(found_s, limit_s);
}

/* Who was not answered for a whole limit asks ever more rarely, until the phone says something. */
static void test_a_phone_that_lies_there_is_asked_rarely(void **state)
{
	enum { SHORT_S = 45, LONG_S = 3600 };
	struct room *room = *state;
	unsigned before, found_s = 0;

	plug(room, "{\"v\":1,\"type\":\"result\",\"ok\":false,\"trust\":\"asking\",\"detail\":"
		   "\"silent-dialog\",\"error\":{\"kind\":\"silent\",\"origin\":\"worker\","
		   "\"code\":0,\"text\":\"nobody tapped\"}}");
	room_turn_until_watched(room, SHORT_S);
	room_turn_until_watched(room, LONG_S);
	file_write(room->bench, "trust-await",
		   "{\"v\":1,\"type\":\"event\",\"event\":\"trust\",\"trust\":\"locked\","
		   "\"detail\":\"passcode\"}\nhang");
	room_turn_until(room, TRUST_LOCKED);
	room_turn_until_watched(room, SHORT_S);
	before = watches(room, &found_s);
	for (int turn = 0; turn < 20; turn++)
		room_turn(room);
	assert_int_equal(watches(room, &found_s), before); /* its own words again are no news */
}

static void test_a_job_ends_it(void **state)
{
	struct room *room = *state;
	char lines[256];

	snprintf(lines, sizeof(lines), "%s\nhang", asking);
	plug(room, lines);
	room_turn_until(room, TRUST_ASKING);
	assert_int_equal(fleet_set_job(room->bench->fleet, room_phone(room)->id,
				       "20261122-0612-x4k7", clock_now_ms()),
			 0);
	dialogs_review(room->dialogs);
	assert_true(dialogs_deadline(room->dialogs) == UINT64_MAX);
	assert_int_equal(room_phone(room)->trust, TRUST_ASKING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test_setup_teardown(test_what_the_phone_says_is_told, room_start,
						room_end),
		cmocka_unit_test_setup_teardown(test_turns, room_start, room_end),
		cmocka_unit_test_setup_teardown(test_a_check_does_not_undo_it, room_start,
						room_end),
		cmocka_unit_test_setup_teardown(test_a_record_is_checked, room_start, room_end),
		cmocka_unit_test_setup_teardown(test_silence_to_the_end_is_told, room_start,
						room_end),
		cmocka_unit_test_setup_teardown(test_a_phone_that_lies_there_is_asked_rarely,
						room_start, room_end),
		cmocka_unit_test_setup_teardown(test_a_job_ends_it, room_start, room_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
