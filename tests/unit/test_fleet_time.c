/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Presence, deadlines, usbmuxd's list, the ceiling, and how a person names a phone. */
#include "base/cleanup.h"
#include "fleet_bench.h"
#include <errno.h>

#define BENCH(name) _cleanup_(bench_freep) struct bench *name = bench_new()

static void test_settles_exactly(void **state)
{
	BENCH(bench);
	uint64_t start_ms = bench->now_ms, settle_ms = timing_ms(TIMING_SETTLE);

	assert_int_equal(fleet_deadline(bench->fleet), UINT64_MAX);
	bench_see(bench, "1-1", PID_NORMAL, NORMAL_A);
	assert_int_equal(fleet_deadline(bench->fleet), start_ms + settle_ms);
	fleet_tick(bench->fleet, start_ms + settle_ms - 1);
	assert_int_equal(bench_only(bench)->presence, PRESENCE_SETTLING);
	fleet_tick(bench->fleet, start_ms + settle_ms);
	assert_int_equal(bench_only(bench)->presence, PRESENCE_PRESENT);
	assert_int_equal(bench_only(bench)->since_ms, start_ms + settle_ms);
	assert_int_equal(fleet_deadline(bench->fleet), UINT64_MAX);
	/* another enumeration starts it again */
	bench->now_ms = start_ms + 10000;
	bench_see(bench, "1-1", PID_NORMAL, NORMAL_A);
	assert_int_equal(fleet_deadline(bench->fleet), start_ms + 10000 + settle_ms);
	assert_int_equal(bench->added, 1);
	assert_int_equal(bench->removed, 0);
}

static void test_reports(void **state)
{
	BENCH(bench);

	bench_see(bench, "1-1", PID_NORMAL, NORMAL_A);
	assert_int_equal(bench->added, 1);
	assert_int_equal(bench->changed, 0);
	fleet_tick(bench->fleet, bench->now_ms); /* nothing to say */
	assert_int_equal(bench->changed, 0);
	bench_wait(bench, 5000);
	assert_int_equal(bench->changed, 1);
	bench_gone(bench, "1-1");
	assert_int_equal(bench->removed, 1);
	bench_gone(bench, "1-1");
	assert_int_equal(bench->removed, 1);
	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	assert_int_equal(bench->added, 2);
}

static void test_forgets_exactly(void **state)
{
	BENCH(bench);
	uint64_t left_ms;

	bench_see(bench, "1-1", PID_NORMAL, NORMAL_A);
	bench_wait(bench, 5000);
	bench_gone(bench, "1-1");
	left_ms = bench->now_ms;
	assert_int_equal(fleet_deadline(bench->fleet), left_ms + timing_ms(TIMING_FORGET));
	fleet_tick(bench->fleet, left_ms + timing_ms(TIMING_FORGET) - 1);
	assert_non_null(fleet_get(bench->fleet, 1)); /* can still be read */
	fleet_tick(bench->fleet, left_ms + timing_ms(TIMING_FORGET));
	assert_null(fleet_get(bench->fleet, 1));
	assert_int_equal(fleet_deadline(bench->fleet), UINT64_MAX);
	bench->now_ms = left_ms + timing_ms(TIMING_FORGET);
	bench_see(bench, "1-1", PID_NORMAL, NORMAL_A);
	assert_int_equal(bench_only(bench)->id, 2); /* ids are never used again */
	assert_int_equal(bench->removed, 1);
}

static void test_awaited(void **state)
{
	BENCH(bench);
	const struct phone *phone;

	assert_int_equal(fleet_expect(bench->fleet, 1, 1000, bench->now_ms), -ENODEV);
	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	bench_wait(bench, 5000);
	assert_int_equal(fleet_expect(bench->fleet, 1, 60000, bench->now_ms), 0);
	phone = fleet_get(bench->fleet, 1);
	assert_int_equal(phone->presence, PRESENCE_AWAITED);
	assert_true(phone->on_bus);
	assert_int_equal(phone->deadline_ms, bench->now_ms + 60000);
	bench_wait(bench, 1000);
	bench_gone(bench, "1-1");
	assert_int_equal(bench->removed, 0); /* no loss */
	assert_int_equal(bench_only(bench)->presence, PRESENCE_AWAITED);
	/* it comes, but leaves before it has settled: awaited on, to the same limit */
	bench_wait(bench, 10000);
	bench_see(bench, "1-1", PID_DFU, "");
	bench_wait(bench, 500);
	bench_gone(bench, "1-1");
	assert_int_equal(bench_only(bench)->presence, PRESENCE_AWAITED);
	assert_int_equal(fleet_deadline(bench->fleet), BENCH_START_MS + 5000 + 60000);
	bench_see(bench, "1-1", PID_NORMAL, NORMAL_A);
	bench_wait(bench, 5000);
	assert_int_equal(bench_only(bench)->presence, PRESENCE_PRESENT);
	assert_string_equal(bench_only(bench)->awaited_port, "");
	/* it came and settled: leaving is a loss again */
	bench_gone(bench, "1-1");
	assert_int_equal(fleet_count(bench->fleet), 0);
}

static void test_awaited_in_vain(void **state)
{
	BENCH(bench);
	uint64_t limit_ms;

	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	limit_ms = bench->now_ms + 7000;
	assert_int_equal(fleet_expect(bench->fleet, 1, 7000, bench->now_ms), 0);
	bench_gone(bench, "1-1");
	fleet_tick(bench->fleet, limit_ms - 1);
	assert_int_equal(bench_only(bench)->presence, PRESENCE_AWAITED);
	fleet_tick(bench->fleet, limit_ms);
	assert_int_equal(bench->removed, 1);
	assert_int_equal(fleet_get(bench->fleet, 1)->presence, PRESENCE_GONE);
	/* too late for the port to decide */
	bench->now_ms = limit_ms;
	bench_see(bench, "1-1", PID_DEBUG_USB, "");
	assert_int_equal(bench_only(bench)->id, 2);
}

static void test_leaves_at_the_limit(void **state)
{
	BENCH(bench);
	uint64_t limit_ms = bench->now_ms + 7000;

	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	assert_int_equal(fleet_expect(bench->fleet, 1, 7000, bench->now_ms), 0);
	bench_gone(bench, "1-1");
	bench_wait(bench, 6900);
	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	bench->now_ms = limit_ms; /* it is back, but has not settled */
	bench_gone(bench, "1-1");
	assert_int_equal(fleet_count(bench->fleet), 0);
}

static void test_late_loop(void **state)
{
	BENCH(bench);

	/* the limit has passed when the sighting comes, though nobody ticked */
	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	assert_int_equal(fleet_expect(bench->fleet, 1, 7000, bench->now_ms), 0);
	bench_gone(bench, "1-1");
	bench->now_ms += 7000;
	bench_see(bench, "1-1", PID_DEBUG_USB, "");
	assert_int_equal(bench_only(bench)->id, 2);
}

static void test_awaited_and_never_left(void **state)
{
	BENCH(bench);

	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	assert_int_equal(fleet_expect(bench->fleet, 1, 7000, bench->now_ms), 0);
	bench_wait(bench, 7000);
	assert_int_equal(bench_only(bench)->presence, PRESENCE_PRESENT);
	assert_string_equal(bench_only(bench)->awaited_port, "");
}

static void test_expected_after_it_left(void **state)
{
	BENCH(bench);

	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	bench_gone(bench, "1-1");
	assert_int_equal(fleet_expect(bench->fleet, 1, 7000, bench->now_ms), 0);
	bench_check(bench);
	assert_int_equal(bench_only(bench)->presence, PRESENCE_AWAITED);
	bench_see(bench, "1-1", PID_DEBUG_USB, "");
	assert_int_equal(bench_only(bench)->id, 1);
}

static unsigned location(const struct bench *bench)
{
	const struct phone *phone = bench_only(bench);

	return phone->sighting.bus << 16 | phone->sighting.address;
}

static void test_mux(void **state)
{
	BENCH(bench);
	unsigned first;

	bench_mux(bench, UDID_A, 0x10001, true); /* the mux was faster than udev */
	assert_int_equal(fleet_count(bench->fleet), 0);
	bench_see(bench, "1-1", PID_NORMAL, NORMAL_A); /* address 1 */
	first = location(bench);
	assert_int_equal(first, 0x10001);
	assert_true(bench_only(bench)->in_mux);
	/* re-enumerated: the mux still lists the old one */
	bench_gone(bench, "1-1");
	bench_see(bench, "1-1", PID_NORMAL, NORMAL_A);
	assert_false(bench_only(bench)->in_mux);
	bench_mux(bench, UDID_A, location(bench), true);
	assert_true(bench_only(bench)->in_mux);
	bench_mux(bench, UDID_A, first, false); /* the old one's end comes late */
	assert_true(bench_only(bench)->in_mux);
	bench_mux(bench, "nonsense", 0, true);
	bench_mux(bench, UDID_B, 0, true); /* somebody else, over the network */
	assert_int_equal(fleet_count(bench->fleet), 1);
	fleet_mux_reset(bench->fleet, bench->now_ms);
	bench_check(bench);
	assert_false(bench_only(bench)->in_mux);
	/* no location; the list is young, then old */
	bench_mux(bench, NORMAL_A, 0, true);
	assert_true(bench_only(bench)->in_mux);
	bench_mux(bench, UDID_A, 0, false);
	assert_false(bench_only(bench)->in_mux);
	bench_mux(bench, UDID_A, 0, true);
	bench_mux(bench, UDID_A, 0x10005, false); /* its end knows more than its start */
	assert_false(bench_only(bench)->in_mux);
	/* another way of counting locations, but listed after it was seen */
	bench_mux(bench, UDID_A, 0x70007, true);
	assert_true(bench_only(bench)->in_mux);
	/* in recovery nobody is in the mux */
	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	assert_false(bench_only(bench)->in_mux);
}

static void test_mux_gives_the_udid(void **state)
{
	BENCH(bench);

	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	bench_gone(bench, "1-1");
	bench_see(bench, "1-1", PID_NORMAL, ""); /* the kernel could not read its string */
	assert_int_equal(bench_only(bench)->id, 2);
	bench_mux(bench, UDID_A, location(bench), true);
	assert_int_equal(bench_only(bench)->id, 1);
	assert_string_equal(bench_only(bench)->identity.udid, UDID_A);
	assert_true(bench_only(bench)->in_mux);
}

static void test_mux_flood(void **state)
{
	BENCH(bench);

	for (unsigned i = 0; i < 1000; i++)
		bench_mux(bench, UDID_OLD, i + 1, true);
	bench_mux(bench, UDID_OLD, 0, false);
	bench_see(bench, "1-1", PID_NORMAL, UDID_OLD);
	assert_false(bench_only(bench)->in_mux);
}

static void test_flood(void **state)
{
	BENCH(bench);
	char port[SIGHTING_PORT_BYTES], serial[64];

	for (unsigned i = 1; i <= 3 * FLEET_PHONES_MAX; i++) {
		snprintf(port, sizeof(port), "1-%u", i);
		snprintf(serial, sizeof(serial), "CPID:8110 ECID:%X", i);
		bench_see(bench, port, PID_DFU, serial);
	}
	assert_int_equal(fleet_count(bench->fleet), FLEET_PHONES_MAX);
	assert_int_equal(bench->added, FLEET_PHONES_MAX);
	/* whoever is here stays */
	assert_int_equal(fleet_get(bench->fleet, 1)->identity.ecid, 1);
	bench_see(bench, "1-1", PID_DFU, "CPID:8110 ECID:1");
	assert_int_equal(fleet_get(bench->fleet, 1)->enumerations, 2);
	/* its place is taken, its leaving was not seen: it makes room */
	bench_see(bench, "1-2", PID_DFU, "CPID:8110 ECID:2000");
	assert_null(fleet_get(bench->fleet, 2));
	assert_int_equal(fleet_count(bench->fleet), FLEET_PHONES_MAX);
	assert_int_equal(bench->removed, 1);
	/* the longest gone makes room */
	bench_gone(bench, "1-7");
	bench_wait(bench, 10);
	bench_gone(bench, "1-3");
	bench_see(bench, "2-1", PID_DFU, "CPID:8110 ECID:1000");
	assert_null(fleet_get(bench->fleet, 7));
	assert_non_null(fleet_get(bench->fleet, 3));
	assert_int_equal(fleet_count(bench->fleet), FLEET_PHONES_MAX - 1);
}

static void test_order_of_ports(void **state)
{
	static const char *const order[] = { "1-2", "1-2.1", "1-2.10", "1-10", "2-1", "10-1" };
	BENCH(bench);

	for (size_t i = ARRAY_LEN(order); i-- > 0;)
		bench_see(bench, order[i], PID_DFU, "");
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_string_equal(fleet_at(bench->fleet, i)->sighting.port, order[i]);
}

/* Two phones with names, an old one without, a nameless one. */
static void fill(struct bench *bench)
{
	struct identity ada = { .name = "Ada" }, other = { .name = "1-1" };

	bench_see(bench, "1-1", PID_NORMAL, NORMAL_A);
	bench_see(bench, "1-2", PID_NORMAL, NORMAL_B);
	bench_see(bench, "1-3", PID_NORMAL, UDID_OLD);
	bench_see(bench, "1-4.1", PID_DFU, "");
	fleet_mark_asked(bench->fleet, 1);
	fleet_identity(bench->fleet, 1, "/sys/devices/usb1/1-1", MODE_NORMAL, &ada, bench->now_ms);
	fleet_mark_asked(bench->fleet, 2);
	fleet_identity(bench->fleet, 2, "/sys/devices/usb1/1-2", MODE_NORMAL, &other,
		       bench->now_ms);
	bench_check(bench);
}

static void test_find(void **state)
{
	static const struct {
		const char *wanted;
		unsigned id;
	} rows[] = {
		{ "ecid:0x001c20223e29401e", 1 },
		{ "ecid:1C20223E29401E", 1 },
		{ "0x1c20223e29401e", 1 },
		{ "1c20223e29401e", 1 },
		{ "udid:" UDID_A, 1 },
		{ "udid:" NORMAL_A, 1 },
		{ UDID_B, 2 },
		{ "udid:" UDID_OLD, 3 },
		{ "0123456789ABCDEF0123456789ABCDEF01234567", 3 },
		{ "port:1-4.1", 4 },
		{ "1-4.1", 4 },
		{ "name:Ada", 1 },
		{ "ada", 1 },
		{ "1-1", 1 }, /* the phone named "1-1" is at 1-2: a name shadows no id */
		{ "name:1-1", 2 },
	};
	BENCH(bench);

	fill(bench);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct phone *phone = NULL;
		struct error err = { 0 };

		if (fleet_find(bench->fleet, rows[i].wanted, &phone, &err) != 0)
			fail_msg("%s: %s", rows[i].wanted, err.text);
		if (phone->id != rows[i].id)
			fail_msg("%s is phone %u", rows[i].wanted, phone->id);
	}
}

static void test_find_nothing(void **state)
{
	static const struct {
		const char *wanted;
		int result;
		enum error_kind kind;
	} rows[] = {
		{ "", -EINVAL, ERROR_USAGE },
		{ "ecid:", -EINVAL, ERROR_USAGE },
		{ "ecid:0", -EINVAL, ERROR_USAGE },
		{ "ecid:xyz", -EINVAL, ERROR_USAGE },
		{ "ecid:0x00000000000000001", -ENODEV, ERROR_NO_PHONE },
		{ "ecid:0x11111111111111111", -EINVAL, ERROR_USAGE },
		{ "udid:1234", -EINVAL, ERROR_USAGE },
		{ "port:usb1", -EINVAL, ERROR_USAGE },
		{ "name:", -EINVAL, ERROR_USAGE },
		{ "port:1-9", -ENODEV, ERROR_NO_PHONE },
		{ "nobody", -ENODEV, ERROR_NO_PHONE },
		{ "who:knows", -ENODEV, ERROR_NO_PHONE },
		{ "1-5", -ENODEV, ERROR_NO_PHONE },
	};
	BENCH(bench);

	fill(bench);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct phone *phone = NULL;
		struct error err = { 0 };

		if (fleet_find(bench->fleet, rows[i].wanted, &phone, &err) != rows[i].result)
			fail_msg("%s", rows[i].wanted);
		assert_int_equal(err.kind, rows[i].kind);
		assert_null(phone);
	}
	bench_gone(bench, "1-1");
	assert_int_equal(fleet_find(bench->fleet, "Ada", &(const struct phone *){ 0 }, NULL),
			 -ENODEV);
}

static void test_find_ambiguous(void **state)
{
	const struct phone *phone = NULL;
	struct error err = { 0 };
	BENCH(bench);

	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	bench_see(bench, "1-2", PID_DFU, "CPID:8110 BDID:0A ECID:7");
	assert_int_equal(fleet_find(bench->fleet, "iphone 13", &phone, &err), -ENOTUNIQ);
	assert_int_equal(err.kind, ERROR_AMBIGUOUS);
	assert_non_null(strstr(err.text, "ecid:0x001c20223e29401e"));
	assert_non_null(strstr(err.text, "ecid:0x0000000000000007"));
	/* very many: the text is cut, nothing else happens */
	for (unsigned i = 10; i < 90; i++) {
		char port[SIGHTING_PORT_BYTES], serial[64];

		snprintf(port, sizeof(port), "1-%u", i);
		snprintf(serial, sizeof(serial), "CPID:8110 BDID:0A ECID:%X", i);
		bench_see(bench, port, PID_DFU, serial);
	}
	assert_int_equal(fleet_find(bench->fleet, "iPhone 13", &phone, &err), -ENOTUNIQ);
}

static void test_find_awaited_at_its_port(void **state)
{
	const struct phone *phone = NULL;
	BENCH(bench);

	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	assert_int_equal(fleet_expect(bench->fleet, 1, 60000, bench->now_ms), 0);
	bench_gone(bench, "1-1");
	assert_int_equal(fleet_find(bench->fleet, "port:1-1", &phone, NULL), 0);
	assert_int_equal(phone->id, 1);
	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_B);
	assert_int_equal(fleet_find(bench->fleet, "port:1-1", &phone, NULL), 0);
	assert_int_equal(phone->id, 2);
}

/* --- trust and jobs -------------------------------------------------------------------------- */

static void test_trust_belongs_to_the_enumeration(void **state)
{
	BENCH(bench);
	struct identity news = { .battery = 51, .capacity_bytes = 64 };
	struct sighting seen = bench_see(bench, "1-2", PID_NORMAL, NORMAL_A);
	struct error why;
	struct trust_answer bare = { .trust = TRUST_STALE, .has_record = true, .reason = &why };
	struct trust_answer stale = {
		.trust = TRUST_STALE,
		.detail = DETAIL_TLS_REFUSED,
		.has_record = true,
		.record_broken = true,
		.reason = &why,
		.reach = REACH_RECORD,
		.reach_problem = &why,
		.news = &news,
	};
	size_t changed;

	(void)error_set(&why, ERROR_REFUSED, "lockdownd", -21, "it forgot us");
	fleet_trust(bench->fleet, 1, seen.syspath, &bare, bench->now_ms);
	assert_false(fleet_get(bench->fleet, 1)->trust_known); /* nobody asked */
	fleet_mark_asked(bench->fleet, 1);
	fleet_trust(bench->fleet, 1, "/elsewhere", &bare, bench->now_ms);
	assert_false(fleet_get(bench->fleet, 1)->trust_known);
	fleet_trust(bench->fleet, 1, seen.syspath, &stale, bench->now_ms);
	bench_check(bench);
	assert_int_equal(fleet_get(bench->fleet, 1)->trust, TRUST_STALE);
	assert_true(fleet_get(bench->fleet, 1)->trust_known);
	assert_true(fleet_get(bench->fleet, 1)->has_record);
	assert_int_equal(fleet_get(bench->fleet, 1)->trust_reason.code, -21);
	assert_int_equal(fleet_get(bench->fleet, 1)->detail, DETAIL_TLS_REFUSED);
	assert_int_equal(fleet_get(bench->fleet, 1)->reach, REACH_RECORD);
	assert_int_equal(fleet_get(bench->fleet, 1)->reach_problem.code, -21);
	assert_true(fleet_get(bench->fleet, 1)->record_broken);
	assert_int_equal(fleet_get(bench->fleet, 1)->identity.battery, 51);
	changed = bench->changed;
	fleet_trust(bench->fleet, 1, seen.syspath, &stale, bench->now_ms);
	assert_int_equal(bench->changed, changed); /* the same again is no news */
	bench_gone(bench, "1-2");
	bench_see(bench, "1-2", PID_NORMAL, NORMAL_A);
	assert_int_equal(bench_only(bench)->trust, TRUST_UNKNOWN);
	assert_false(bench_only(bench)->trust_known);
	assert_false(bench_only(bench)->has_record);
	assert_int_equal(bench_only(bench)->trust_reason.kind, ERROR_NONE);
	assert_int_equal(bench_only(bench)->reach, REACH_NONE);
	assert_int_equal(bench_only(bench)->reach_problem.kind, ERROR_NONE);
	assert_int_equal(bench_only(bench)->detail, DETAIL_NONE);
	assert_false(bench_only(bench)->record_broken);
	assert_int_equal(bench_only(bench)->identity.capacity_bytes, 64); /* that it still has */
}

static void test_trust_of_another_phone_is_not_taken(void **state)
{
	BENCH(bench);
	struct identity other = { .ecid = ECID_B };
	struct trust_answer answer = { .trust = TRUST_TRUSTED, .has_record = true, .news = &other };
	struct sighting seen = bench_see(bench, "1-2", PID_NORMAL, NORMAL_A);

	fleet_mark_asked(bench->fleet, 1);
	fleet_trust(bench->fleet, 1, seen.syspath, &answer, bench->now_ms);
	assert_false(bench_only(bench)->trust_known);
	assert_int_equal(bench_only(bench)->identity.ecid, ECID_A);
}

static void test_reach(void **state)
{
	BENCH(bench);
	struct sighting seen = bench_see(bench, "1-2", PID_NORMAL, NORMAL_A);
	struct trust_answer trusted = { .trust = TRUST_TRUSTED, .reach = REACH_SERVICE };
	struct error why;
	size_t changed;

	(void)error_set(&why, ERROR_SILENT, "lockdownd", -7, "it says nothing");
	fleet_mark_asked(bench->fleet, 1);
	fleet_reach(bench->fleet, 1, seen.syspath, REACH_LOCKDOWN, NULL, bench->now_ms);
	assert_int_equal(bench_only(bench)->reach, REACH_LOCKDOWN);
	fleet_trust(bench->fleet, 1, seen.syspath, &trusted, bench->now_ms);
	changed = bench->changed;
	/* a probe wants no more than lockdownd's answer */
	fleet_reach(bench->fleet, 1, seen.syspath, REACH_LOCKDOWN, NULL, bench->now_ms);
	assert_int_equal(bench_only(bench)->reach, REACH_SERVICE);
	assert_int_equal(bench->changed, changed);
	/* but one that fails says that it got no further */
	fleet_reach(bench->fleet, 1, seen.syspath, REACH_PORT, &why, bench->now_ms);
	assert_int_equal(bench_only(bench)->reach, REACH_PORT);
	assert_int_equal(bench_only(bench)->reach_problem.code, -7);
	assert_int_equal(bench->changed, changed + 1);
	fleet_reach(bench->fleet, 1, seen.syspath, REACH_LOCKDOWN, NULL, bench->now_ms);
	assert_int_equal(bench_only(bench)->reach_problem.kind, ERROR_NONE);
}

/* A phone that comes again and again; a job's doing does not count. */
static void test_flaps(void **state)
{
	BENCH(bench);

	for (unsigned i = 1; i < PHONE_FLAPS_MANY; i++) {
		bench_see(bench, "1-2", PID_NORMAL, NORMAL_A);
		bench_gone(bench, "1-2");
	}
	bench_see(bench, "1-2", PID_NORMAL, NORMAL_A);
	assert_int_equal(bench_only(bench)->flaps, PHONE_FLAPS_MANY);
	assert_true(fleet_deadline(bench->fleet) <= bench->now_ms + PHONE_FLAP_WINDOW_MS);
	bench_wait(bench, PHONE_FLAP_WINDOW_MS);
	assert_int_equal(bench_only(bench)->flaps, 0);
	assert_int_equal(fleet_set_job(bench->fleet, 1, "one", bench->now_ms), 0);
	for (unsigned i = 0; i < PHONE_FLAPS_MANY; i++) {
		bench_gone(bench, "1-2");
		bench_see(bench, "1-2", PID_NORMAL, NORMAL_A);
	}
	assert_int_equal(bench_only(bench)->flaps, 0);
}

static void test_recoveries(void **state)
{
	BENCH(bench);

	for (unsigned i = 0; i < PHONE_RECOVERIES_MANY; i++) {
		assert_true(i == 0 || bench_only(bench)->recoveries == i);
		bench_gone(bench, "1-2");
		bench_see(bench, "1-2", PID_RECOVERY, RECOVERY_A);
	}
	assert_int_equal(bench_only(bench)->recoveries, PHONE_RECOVERIES_MANY);
	/* recovery after recovery is what an engine does */
	assert_int_equal(fleet_set_job(bench->fleet, 1, "one", bench->now_ms), 0);
	bench_gone(bench, "1-2");
	bench_see(bench, "1-2", PID_RECOVERY, RECOVERY_A);
	assert_int_equal(bench_only(bench)->recoveries, PHONE_RECOVERIES_MANY);
	bench_wait(bench, PHONE_RECOVERY_WINDOW_MS);
	assert_int_equal(bench_only(bench)->recoveries, 0);
}

static void test_trust_that_is_lost(void **state)
{
	BENCH(bench);
	struct trust_answer trusted = { .trust = TRUST_TRUSTED, .has_record = true };
	struct trust_answer stale = { .trust = TRUST_STALE, .has_record = true };
	struct trust_answer none = { .trust = TRUST_UNKNOWN };
	struct sighting seen = bench_see(bench, "1-2", PID_NORMAL, NORMAL_A);

	fleet_mark_asked(bench->fleet, 1);
	fleet_trust(bench->fleet, 1, seen.syspath, &stale, bench->now_ms);
	assert_int_equal(bench_only(bench)->trust_losses, 0); /* it never was */
	fleet_trust(bench->fleet, 1, seen.syspath, &trusted, bench->now_ms);
	fleet_trust(bench->fleet, 1, seen.syspath, &none, bench->now_ms);
	fleet_trust(bench->fleet, 1, seen.syspath, &none, bench->now_ms);
	assert_int_equal(bench_only(bench)->trust_losses, 1);
	fleet_trust(bench->fleet, 1, seen.syspath, &trusted, bench->now_ms);
	bench_gone(bench, "1-2"); /* a replug does not hide it */
	seen = bench_see(bench, "1-2", PID_NORMAL, NORMAL_A);
	fleet_mark_asked(bench->fleet, 1);
	fleet_trust(bench->fleet, 1, seen.syspath, &stale, bench->now_ms);
	assert_int_equal(bench_only(bench)->trust_losses, 2);
	/* what a job of ours does is no loss */
	fleet_trust(bench->fleet, 1, seen.syspath, &trusted, bench->now_ms);
	assert_int_equal(fleet_set_job(bench->fleet, 1, "one", bench->now_ms), 0);
	assert_int_equal(fleet_set_job(bench->fleet, 1, "", bench->now_ms), 0);
	fleet_trust(bench->fleet, 1, seen.syspath, &none, bench->now_ms);
	assert_int_equal(bench_only(bench)->trust_losses, 2);
}

static void test_job_keeps_its_phone(void **state)
{
	BENCH(bench);

	assert_int_equal(fleet_set_job(bench->fleet, 1, "one", bench->now_ms), -ENODEV);
	bench_see(bench, "1-2", PID_NORMAL, NORMAL_A);
	assert_int_equal(fleet_set_job(bench->fleet, 1, "one", bench->now_ms), 0);
	assert_int_equal(fleet_set_job(bench->fleet, 1, "one", bench->now_ms), 0);
	assert_int_equal(fleet_set_job(bench->fleet, 1, "two", bench->now_ms), -EBUSY);
	bench_gone(bench, "1-2");
	for (int i = 0; i < 3; i++)
		bench_wait(bench, timing_ms(TIMING_FORGET));
	assert_non_null(fleet_get(bench->fleet, 1)); /* not forgotten while a job has it */
	bench_see(bench, "1-4", PID_RECOVERY, RECOVERY_A);
	assert_string_equal(bench_only(bench)->job, "one");
	assert_int_equal(bench_only(bench)->id, 1);
	assert_int_equal(fleet_set_job(bench->fleet, 1, "", bench->now_ms), 0);
	assert_int_equal(fleet_set_job(bench->fleet, 1, "two", bench->now_ms), 0);
}

static void test_job_goes_with_a_merged_phone(void **state)
{
	BENCH(bench);

	bench_see(bench, "1-2", PID_RECOVERY, RECOVERY_OLD);
	assert_int_equal(fleet_set_job(bench->fleet, 1, "one", bench->now_ms), 0);
	bench_gone(bench, "1-2");
	bench_see(bench, "1-3", PID_NORMAL, UDID_OLD);
	assert_string_equal(bench_only(bench)->job, "");
	bench_answer(bench, 2, MODE_NORMAL, ECID_OLD, UDID_OLD);
	assert_int_equal(bench_only(bench)->id, 1);
	assert_string_equal(bench_only(bench)->job, "one");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settles_exactly),
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_forgets_exactly),
		cmocka_unit_test(test_awaited),
		cmocka_unit_test(test_awaited_in_vain),
		cmocka_unit_test(test_leaves_at_the_limit),
		cmocka_unit_test(test_late_loop),
		cmocka_unit_test(test_awaited_and_never_left),
		cmocka_unit_test(test_expected_after_it_left),
		cmocka_unit_test(test_mux),
		cmocka_unit_test(test_mux_gives_the_udid),
		cmocka_unit_test(test_mux_flood),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_order_of_ports),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_nothing),
		cmocka_unit_test(test_find_ambiguous),
		cmocka_unit_test(test_find_awaited_at_its_port),
		cmocka_unit_test(test_trust_belongs_to_the_enumeration),
		cmocka_unit_test(test_trust_of_another_phone_is_not_taken),
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_flaps),
		cmocka_unit_test(test_recoveries),
		cmocka_unit_test(test_trust_that_is_lost),
		cmocka_unit_test(test_job_keeps_its_phone),
		cmocka_unit_test(test_job_goes_with_a_merged_phone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
