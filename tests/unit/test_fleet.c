/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a fleet merges what it sees into phones (DESIGN §5), and how time and usbmuxd change them. */
#include "base/cleanup.h"
#include "fleet_bench.h"
#include "phone/match.h"
#include <errno.h>

#define BENCH(name) _cleanup_(bench_freep) struct bench *name = bench_new()

/* Every pair of what a phone is known by and what a newcomer shows, in the three situations. */
static void test_table_of_matches(void **state)
{
	enum { NOTHING, ECID, UDID_ONLY, BOTH, OTHER_ECID, OTHER_UDID, OTHER_BOTH, KINDS };
	static const struct identity kinds[KINDS] = {
		[NOTHING] = { 0 },
		[ECID] = { .ecid = ECID_OLD },
		[UDID_ONLY] = { .udid = UDID_OLD },
		[BOTH] = { .ecid = ECID_OLD, .udid = UDID_OLD },
		[OTHER_ECID] = { .ecid = ECID_A },
		[OTHER_UDID] = { .udid = UDID_A },
		[OTHER_BOTH] = { .ecid = ECID_A, .udid = UDID_A },
	};
	/* by name: E = ECID, U = UDID, x = another handset, ? = the port has to decide */
	static const char by_name[KINDS][KINDS + 1] = {
		[NOTHING] = "???????",    [ECID] = "?E?Ex?x",       [UDID_ONLY] = "??UU?xx",
		[BOTH] = "?EUExxx",       [OTHER_ECID] = "?x?xE?E", [OTHER_UDID] = "??xx?UU",
		[OTHER_BOTH] = "?xxxEUE",
	};

	for (int known = 0; known < KINDS; known++)
		for (int news = 0; news < KINDS; news++) {
			struct phone phone = { .identity = kinds[known],
					       .sighting = sighting_make("1-2", 1, 0, "") };
			char verdict = by_name[known][news];
			bool nameless = known == NOTHING && news == NOTHING;
			enum match sure = verdict == 'E'   ? MATCH_ECID
					  : verdict == 'U' ? MATCH_UDID
							   : MATCH_NONE;
			enum match here = nameless ? MATCH_SAME_PORT : sure;
			enum match awaited = verdict == '?' ? MATCH_AWAITED_PORT : sure;

			assert_int_equal(phone_match(&phone, &kinds[news], "1-2"), here);
			assert_int_equal(phone_match(&phone, &kinds[news], "1-3"), sure);
			assert_int_equal(phone_match(&phone, &kinds[news], NULL), sure);
			snprintf(phone.awaited_port, sizeof(phone.awaited_port), "1-2");
			assert_int_equal(phone_match(&phone, &kinds[news], "1-2"), awaited);
			assert_int_equal(phone_match(&phone, &kinds[news], "1-3"), sure);
			phone.on_bus = true; /* what is still here cannot come back */
			assert_int_equal(phone_match(&phone, &kinds[news], "1-2"), sure);
		}
}

/* One handset through all its faces: what it shows, whether a job awaits it meanwhile. */
static void test_one_handset_stays_one(void **state)
{
	static const struct {
		uint16_t pid;
		const char *serial;
		enum mode mode;
		bool expect; /* before it leaves */
	} faces[] = {
		{ PID_NORMAL, NORMAL_A, MODE_NORMAL, false },
		{ PID_RECOVERY, RECOVERY_A, MODE_RECOVERY, false },
		{ PID_DFU, DFU_A, MODE_DFU, true },
		{ PID_PORT_DFU, PORT_DFU_A, MODE_PORT_DFU, true },
		{ PID_DEBUG_USB, "", MODE_DEBUG_USB, true },
		{ PID_DFU, "garbage", MODE_DFU, false },
		{ PID_NORMAL, NORMAL_A, MODE_NORMAL, false },
	};
	BENCH(bench);

	for (size_t i = 0; i < ARRAY_LEN(faces); i++) {
		const struct phone *phone;

		bench_see(bench, "1-2.3", faces[i].pid, faces[i].serial);
		phone = bench_only(bench);
		assert_int_equal(phone->id, 1);
		assert_int_equal(phone->mode, faces[i].mode);
		assert_int_equal(phone->presence, PRESENCE_SETTLING);
		assert_int_equal(phone->enumerations, i + 1);
		assert_int_equal(phone->identity.ecid, ECID_A);
		bench_wait(bench, 2000);
		assert_int_equal(bench_only(bench)->presence, PRESENCE_PRESENT);
		if (faces[i].expect)
			assert_int_equal(fleet_expect(bench->fleet, 1, 60000, bench->now_ms), 0);
		bench_gone(bench, "1-2.3");
		assert_int_equal(fleet_count(bench->fleet), faces[i].expect ? 1 : 0);
		bench_wait(bench, 500);
	}
	assert_null(fleet_get(bench->fleet, 2));
}

/* An old phone: its UDID carries no ECID, until a worker tells both. */
static void test_old_phone_until_probed(void **state)
{
	BENCH(bench);

	bench_see(bench, "1-2", PID_RECOVERY, RECOVERY_OLD);
	bench_gone(bench, "1-2");
	bench_see(bench, "1-2", PID_NORMAL, UDID_OLD);
	assert_int_equal(bench_only(bench)->id, 2); /* nothing says that it is the same */
	bench_answer(bench, 2, MODE_NORMAL, ECID_OLD, UDID_OLD);
	assert_int_equal(bench_only(bench)->id, 1); /* the older id stays */
	assert_string_equal(bench_only(bench)->identity.udid, UDID_OLD);
	assert_string_equal(bench_only(bench)->identity.serial_number, "F93NL09KFRC6");
	assert_int_equal(bench_only(bench)->mode, MODE_NORMAL);
	assert_true(bench_only(bench)->asked);
	assert_int_equal(bench_only(bench)->enumerations, 2);
	assert_null(fleet_get(bench->fleet, 2));
	bench_gone(bench, "1-2");
	bench_see(bench, "1-4", PID_RECOVERY, RECOVERY_OLD);
	assert_int_equal(bench_only(bench)->id, 1);
	bench_gone(bench, "1-4");
	bench_see(bench, "1-4", PID_NORMAL, UDID_OLD);
	assert_int_equal(bench_only(bench)->id, 1);
}

static void test_old_phone_awaited_at_its_port(void **state)
{
	BENCH(bench);

	bench_see(bench, "1-2", PID_NORMAL, UDID_OLD);
	assert_int_equal(fleet_expect(bench->fleet, 1, 30000, bench->now_ms), 0);
	bench_gone(bench, "1-2");
	bench_see(bench, "1-2", PID_RECOVERY, RECOVERY_OLD);
	assert_int_equal(bench_only(bench)->id, 1);
	assert_int_equal(bench_only(bench)->identity.ecid, ECID_OLD);
}

static void test_stranger_at_the_awaited_port(void **state)
{
	BENCH(bench);
	const struct phone *awaited;

	bench_see(bench, "1-2", PID_NORMAL, NORMAL_A);
	assert_int_equal(fleet_expect(bench->fleet, 1, 30000, bench->now_ms), 0);
	bench_gone(bench, "1-2");
	bench_see(bench, "1-2", PID_RECOVERY, RECOVERY_B);
	awaited = fleet_get(bench->fleet, 1);
	assert_int_equal(fleet_count(bench->fleet), 2);
	assert_int_equal(awaited->presence, PRESENCE_AWAITED);
	assert_int_equal(fleet_get(bench->fleet, 2)->identity.ecid, ECID_B);
	/* the right one, at another port */
	bench_see(bench, "1-3", PID_RECOVERY, RECOVERY_A);
	assert_int_equal(fleet_count(bench->fleet), 2);
	assert_int_equal(fleet_get(bench->fleet, 1)->presence, PRESENCE_SETTLING);
}

/* Two are awaited at one port, and what comes does not say who it is: the one that left last. */
static void test_two_awaited_at_one_port(void **state)
{
	for (int first = 0; first < 2; first++) {
		BENCH(bench);

		bench_see(bench, "1-2", PID_NORMAL, first ? NORMAL_B : NORMAL_A);
		assert_int_equal(fleet_expect(bench->fleet, 1, 30000, bench->now_ms), 0);
		bench_gone(bench, "1-2");
		bench_see(bench, "1-2", PID_NORMAL, first ? NORMAL_A : NORMAL_B);
		assert_int_equal(fleet_expect(bench->fleet, 2, 30000, bench->now_ms), 0);
		bench_gone(bench, "1-2");
		bench_see(bench, "1-2", PID_DEBUG_USB, "");
		assert_int_equal(fleet_count(bench->fleet), 2);
		assert_true(fleet_get(bench->fleet, 2)->on_bus);
	}
}

/* The port had decided, the worker's answer says otherwise. */
static void test_stranger_is_found_out_later(void **state)
{
	BENCH(bench);

	bench_see(bench, "1-2", PID_NORMAL, NORMAL_A);
	assert_int_equal(fleet_expect(bench->fleet, 1, 30000, bench->now_ms), 0);
	bench_gone(bench, "1-2");
	bench_see(bench, "1-2", PID_DEBUG_USB, "");
	assert_int_equal(bench_only(bench)->id, 1);
	bench_answer(bench, 1, MODE_DEBUG_USB, ECID_B, "");
	assert_int_equal(fleet_count(bench->fleet), 2);
	assert_int_equal(fleet_get(bench->fleet, 1)->presence, PRESENCE_AWAITED);
	assert_false(fleet_get(bench->fleet, 1)->on_bus);
	assert_int_equal(fleet_get(bench->fleet, 2)->identity.ecid, ECID_B);
	assert_int_equal(fleet_get(bench->fleet, 2)->mode, MODE_DEBUG_USB);
	assert_true(fleet_get(bench->fleet, 2)->asked);
}

static void test_port_dfu_answer_is_the_controllers(void **state)
{
	struct identity controller = { .iboot.has = IBOOT_HAS_CPID, .ap_nonce = "00ff" };
	BENCH(bench);

	bench_see(bench, "1-2", PID_DFU, DFU_A);
	assert_int_equal(fleet_expect(bench->fleet, 1, 30000, bench->now_ms), 0);
	bench_gone(bench, "1-2");
	bench_see(bench, "1-2", PID_PORT_DFU, PORT_DFU_A);
	bench_answer(bench, 1, MODE_PORT_DFU, 0xDEADBEEF, "");
	assert_int_equal(bench_only(bench)->identity.ecid, ECID_A);
	controller.iboot.cpid = 0xA012;
	fleet_identity(bench->fleet, 1, "/sys/devices/usb1/1-2", MODE_PORT_DFU, &controller,
		       bench->now_ms);
	assert_int_equal(bench_only(bench)->identity.iboot.cpid, 0x8110);
	assert_string_equal(bench_only(bench)->identity.ap_nonce, "00ff");
	/* unawaited, it is nobody's */
	bench_see(bench, "1-7", PID_PORT_DFU, PORT_DFU_A);
	assert_int_equal(fleet_count(bench->fleet), 2);
	assert_int_equal(fleet_get(bench->fleet, 2)->identity.ecid, 0);
}

static void test_debug_usb_is_asked(void **state)
{
	BENCH(bench);

	bench_see(bench, "1-2", PID_RECOVERY, RECOVERY_A);
	bench_gone(bench, "1-2");
	bench_see(bench, "1-2", PID_DEBUG_USB, "");
	assert_int_equal(bench_only(bench)->id, 2);
	assert_false(bench_only(bench)->asked);
	bench_answer(bench, 2, MODE_UNKNOWN, ECID_A, "");
	assert_int_equal(bench_only(bench)->id, 1);
	assert_int_equal(bench_only(bench)->mode, MODE_DEBUG_USB);
}

static void test_two_swap_ports(void **state)
{
	for (int lost = 0; lost < 2; lost++) {
		BENCH(bench);

		bench_see(bench, "1-1", PID_NORMAL, NORMAL_A);
		bench_see(bench, "1-2", PID_NORMAL, NORMAL_B);
		if (!lost) {
			bench_gone(bench, "1-1");
			bench_gone(bench, "1-2");
		}
		bench_see(bench, "1-2", PID_NORMAL, NORMAL_A);
		bench_see(bench, "1-1", PID_NORMAL, NORMAL_B);
		assert_int_equal(fleet_count(bench->fleet), 2);
		assert_string_equal(fleet_get(bench->fleet, 1)->sighting.port, "1-2");
		assert_string_equal(fleet_get(bench->fleet, 2)->sighting.port, "1-1");
	}
}

/* Its leaving was not seen; then the old place's "gone" comes late. */
static void test_stale_gone(void **state)
{
	BENCH(bench);

	bench_see(bench, "1-1", PID_NORMAL, NORMAL_A);
	fleet_mark_asked(bench->fleet, 1);
	bench_see(bench, "1-4", PID_RECOVERY, RECOVERY_A);
	assert_string_equal(bench_only(bench)->sighting.port, "1-4");
	assert_false(bench_only(bench)->asked);
	bench_gone(bench, "1-1");
	assert_int_equal(bench_only(bench)->id, 1);
	assert_true(bench_only(bench)->on_bus);
	bench_gone(bench, "1-4");
	assert_int_equal(fleet_count(bench->fleet), 0);
}

/* Two devices that claim one ECID: one phone, the latest sighting counts. */
static void test_duplicates(void **state)
{
	BENCH(bench);

	bench_see(bench, "1-1", PID_DFU, DFU_A);
	bench_see(bench, "1-2", PID_DFU, DFU_A);
	bench_see(bench, "1-3", PID_NORMAL, NORMAL_A);
	assert_string_equal(bench_only(bench)->sighting.port, "1-3");
	bench_gone(bench, "1-3");
	assert_int_equal(fleet_count(bench->fleet), 0);
	/* the same ECID with another UDID: the ECID decides, the present UDID is believed */
	bench_see(bench, "1-3", PID_NORMAL, "FFFFFFFF001C20223E29401E");
	assert_int_equal(bench_only(bench)->id, 1);
	assert_string_equal(bench_only(bench)->identity.udid, "FFFFFFFF-001C20223E29401E");
}

static void test_liars(void **state)
{
	BENCH(bench);

	/* an old phone's worker answers with the ECID of another that was here: one phone */
	bench_see(bench, "1-1", PID_NORMAL, NORMAL_A);
	bench_gone(bench, "1-1");
	bench_see(bench, "1-2", PID_NORMAL, UDID_OLD);
	bench_answer(bench, 2, MODE_NORMAL, ECID_A, "");
	assert_int_equal(bench_only(bench)->id, 1);
	assert_string_equal(bench_only(bench)->identity.udid, UDID_OLD);
	/* another ECID claims its UDID: two phones, the present one has it */
	bench_see(bench, "1-3", PID_RECOVERY, RECOVERY_B);
	bench_answer(bench, 3, MODE_RECOVERY, ECID_B, UDID_OLD);
	assert_int_equal(fleet_count(bench->fleet), 2);
	assert_string_equal(fleet_get(bench->fleet, 1)->identity.udid, "");
	assert_string_equal(fleet_get(bench->fleet, 3)->identity.udid, UDID_OLD);
}

static void test_nameless_by_port(void **state)
{
	BENCH(bench);

	bench_see(bench, "1-1", PID_DFU, "");
	bench_see(bench, "1-2", PID_DFU, "garbage");
	assert_int_equal(fleet_count(bench->fleet), 2);
	bench_gone(bench, "1-2");
	bench_see(bench, "1-2", PID_RECOVERY, "garbage");
	assert_int_equal(fleet_get(bench->fleet, 2)->enumerations, 2);
	bench_gone(bench, "1-2");
	bench_see(bench, "1-2", PID_DFU, DFU_A); /* a name: not that nameless one for certain */
	assert_int_equal(fleet_get(bench->fleet, 3)->identity.ecid, ECID_A);
	assert_int_equal(fleet_count(bench->fleet), 2);
}

static void test_what_is_no_phone(void **state)
{
	BENCH(bench);
	struct sighting other = sighting_make("1-3", 9, PID_DFU, DFU_A);

	bench_see(bench, "1-1", 0x024f, "F0T123456789"); /* a keyboard */
	bench_see(bench, "1-1", 0x8600, NORMAL_A);       /* a computer's coprocessor */
	other.vid = 0x18d1;
	fleet_sighting(bench->fleet, SIGHTING_APPEARED, &other, bench->now_ms);
	assert_int_equal(fleet_count(bench->fleet), 0);
	bench_see(bench, "1-2", 0x4141, DFU_A); /* no id of ours, but iBoot speaks */
	assert_int_equal(bench_only(bench)->mode, MODE_UNKNOWN);
	assert_int_equal(bench_only(bench)->identity.ecid, ECID_A);
	/* a keyboard where the phone was: the phone has left */
	bench_see(bench, "1-2", 0x024f, "");
	assert_int_equal(fleet_count(bench->fleet), 0);
}

static void test_look_again(void **state)
{
	BENCH(bench);
	struct sighting sighting = bench_see(bench, "1-1", PID_NORMAL, "");
	uint64_t deadline_ms = fleet_deadline(bench->fleet);

	bench_wait(bench, 100);
	snprintf(sighting.serial, sizeof(sighting.serial), NORMAL_A);
	sighting.configuration = 4;
	fleet_sighting(bench->fleet, SIGHTING_CHANGED, &sighting, bench->now_ms);
	bench_check(bench);
	assert_int_equal(bench_only(bench)->id, 1);
	assert_int_equal(bench_only(bench)->identity.ecid, ECID_A);
	assert_int_equal(bench_only(bench)->sighting.configuration, 4);
	assert_int_equal(bench_only(bench)->enumerations, 1);
	assert_int_equal(fleet_deadline(bench->fleet), deadline_ms);
	/* the same place, another address: another enumeration */
	sighting.address++;
	sighting.pid = PID_RECOVERY;
	snprintf(sighting.serial, sizeof(sighting.serial), RECOVERY_B);
	fleet_sighting(bench->fleet, SIGHTING_CHANGED, &sighting, bench->now_ms);
	bench_check(bench);
	assert_int_equal(bench_only(bench)->id, 2);
	/* the name that comes late is that of a phone that is known */
	bench_gone(bench, "1-1");
	sighting = bench_see(bench, "1-1", PID_NORMAL, "");
	assert_int_equal(bench_only(bench)->id, 3);
	snprintf(sighting.serial, sizeof(sighting.serial), NORMAL_A);
	fleet_sighting(bench->fleet, SIGHTING_CHANGED, &sighting, bench->now_ms);
	bench_check(bench);
	assert_int_equal(bench_only(bench)->id, 1);
}

static void test_restore_mode(void **state)
{
	BENCH(bench);

	bench_see(bench, "1-1", PID_NORMAL, NORMAL_A);
	assert_int_equal(bench_only(bench)->mode, MODE_NORMAL);
	bench_answer(bench, 1, MODE_RESTORE, ECID_A, "");
	assert_int_equal(bench_only(bench)->mode, MODE_RESTORE);
	bench_answer(bench, 1, MODE_DFU, ECID_A, ""); /* cannot be: an old answer */
	assert_int_equal(bench_only(bench)->mode, MODE_RESTORE);
	bench_gone(bench, "1-1");
	bench_see(bench, "1-1", PID_NORMAL, NORMAL_A);
	assert_int_equal(bench_only(bench)->mode, MODE_NORMAL);
}

static void test_late_answers(void **state)
{
	BENCH(bench);
	struct identity identity = { .name = "Ada", .ap_nonce = "00ff" };
	const char *syspath = "/sys/devices/usb1/1-1";

	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	/* nobody asked */
	fleet_identity(bench->fleet, 1, syspath, MODE_UNKNOWN, &identity, bench->now_ms);
	assert_string_equal(bench_only(bench)->identity.name, "");
	fleet_mark_asked(bench->fleet, 1);
	assert_true(bench_only(bench)->asked);
	fleet_identity(bench->fleet, 1, "/sys/elsewhere", MODE_UNKNOWN, &identity, bench->now_ms);
	fleet_identity(bench->fleet, 7, syspath, MODE_UNKNOWN, &identity, bench->now_ms);
	assert_string_equal(bench_only(bench)->identity.name, "");
	fleet_identity(bench->fleet, 1, syspath, MODE_UNKNOWN, &identity, bench->now_ms);
	assert_string_equal(bench_only(bench)->identity.ap_nonce, "00ff");
	/* the next boot: nonces are gone, the name stays, the old question is void */
	bench_gone(bench, "1-1");
	bench_see(bench, "1-1", PID_RECOVERY, RECOVERY_A);
	assert_string_equal(bench_only(bench)->identity.ap_nonce, "");
	assert_string_equal(bench_only(bench)->identity.name, "Ada");
	assert_false(bench_only(bench)->asked);
	fleet_identity(bench->fleet, 1, syspath, MODE_UNKNOWN, &identity, bench->now_ms);
	assert_string_equal(bench_only(bench)->identity.ap_nonce, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_of_matches),
		cmocka_unit_test(test_one_handset_stays_one),
		cmocka_unit_test(test_old_phone_until_probed),
		cmocka_unit_test(test_old_phone_awaited_at_its_port),
		cmocka_unit_test(test_stranger_at_the_awaited_port),
		cmocka_unit_test(test_two_awaited_at_one_port),
		cmocka_unit_test(test_stranger_is_found_out_later),
		cmocka_unit_test(test_port_dfu_answer_is_the_controllers),
		cmocka_unit_test(test_debug_usb_is_asked),
		cmocka_unit_test(test_two_swap_ports),
		cmocka_unit_test(test_stale_gone),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_liars),
		cmocka_unit_test(test_nameless_by_port),
		cmocka_unit_test(test_what_is_no_phone),
		cmocka_unit_test(test_look_again),
		cmocka_unit_test(test_restore_mode),
		cmocka_unit_test(test_late_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
