/* SPDX-License-Identifier: GPL-3.0-or-later */
/* States that a diagnosis must tell apart: of the plug, of recovery, of trust and of values. */
#include "bed.h"
#include "bed_session.h"

#include <errno.h>

/* ---- the plug ---- */

static void test_blinks(void **state)
{
	struct bed *b = BED("blink_every_ms=1000", "blink_times=3");

	bed_wait(b, 1100);
	assert_int_equal(b->detaches, 1);
	assert_int_equal(b->attaches, 0);
	bed_wait(b, 60000);
	assert_int_equal(b->detaches, 3);
	assert_int_equal(b->attaches, 3);
	assert_non_null(b->phone.usb.shape);
	bed_free(b);
}

static void test_blinks_for_ever(void **state)
{
	struct bed *b = BED("blink_every_ms=500");

	bed_wait(b, 100000);
	assert_true(b->detaches > 100);
	phone_unplug(&b->phone);
	b->detaches = b->attaches = 0;
	bed_wait(b, 10000);
	assert_int_equal(b->attaches, 0); /* without a cable nothing comes back */
	bed_free(b);
}

static void test_max_power(void **state)
{
	static const struct {
		const char *setting;
		uint8_t units;
	} cases[] = {
		{ "usb_max_power_ma=0", 250 },
		{ "usb_max_power_ma=100", 50 },
		{ "usb_max_power_ma=510", 255 },
		{ "usb_max_power_ma=900", 255 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed *b = BED(cases[i].setting);
		BUF_AUTO in = {};

		assert_int_equal(bed_control(b, 0x8006, 0x0203, 0, nullptr, 255, &in), USB_OK);
		assert_int_equal(in.bytes[8], cases[i].units);
		bed_free(b);
	}
}

/* ---- recovery ---- */

static void test_recovery_loop(void **state)
{
	struct bed *b =
	    BED("mode=recovery", "recovery_loop=yes", "recovery_again_ms=2000", "boot_ms=1000");

	bed_wait(b, 30000);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	assert_true(b->attaches >= 9);
	bed_free(b);
}

/* It is told to boot, and comes back in recovery; once. */
static void test_recovery_loop_by_hand(void **state)
{
	struct bed *b = BED("mode=recovery", "recovery_loop=yes", "boot_ms=1000");

	bed_wait(b, 30000);
	assert_int_equal(b->attaches, 0);
	bed_command(b, "setenv auto-boot true");
	bed_command(b, "saveenv");
	bed_command(b, "reboot");
	bed_wait(b, 30000);
	assert_int_equal(b->attaches, 1);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	b->phone.scenario.recovery_loop = false; /* what a restore does */
	phone_restart(&b->phone, "test");
	bed_wait(b, 30000);
	assert_int_equal(b->phone.mode, MODE_NORMAL);
	bed_free(b);
}

/* ---- trust ---- */

static void test_no_dialog(void **state)
{
	struct bed *b = BED("trust=no_dialog", "trust_after_ms=10");
	struct computer *c = computer_new("HOST-1", "BUID-1");
	struct link *l = link_new(b, LOCKDOWN_PORT);
	const char *why;

	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(computer_pair(c, l), "PairingDialogResponsePending");
		bed_wait(b, 60000);
	}
	assert_int_equal(trust_tap(&b->phone.trust, true, &why), -EINVAL);
	link_free(l);
	computer_free(c);
	bed_free(b);
}

static void test_record_fight(void **state)
{
	DESK d = desk_plain("forget_after_ms=1000", nullptr);
	struct link *l = link_new(d.bed, LOCKDOWN_PORT);
	char session[37];

	bed_wait(d.bed, 900);
	assert_string_equal(session_ask(d.computer, l, session), "");
	link_free(l);
	bed_wait(d.bed, 200);
	l = link_new(d.bed, LOCKDOWN_PORT);
	assert_string_equal(session_ask(d.computer, l, session), "InvalidHostID");
	assert_true(bed_logged(d.bed, "forget-host"));
	link_free(l);
}

/* ---- TLS ---- */

static void test_tls_refused(void **state)
{
	static const char *const settings[] = { "tls=newer", "tls=garbage" };

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		DESK d = desk_plain(settings[i], nullptr);
		struct link *l = link_new(d.bed, LOCKDOWN_PORT);
		char session[37];

		assert_string_equal(session_ask(d.computer, l, session), "");
		assert_false(
		    link_start_tls(l, d.computer->root, d.computer->root_key, TLS1_3_VERSION));
		link_free(l);
	}
}

/* ---- values ---- */

static plist_t value(struct link *l, const char *domain, const char *key)
{
	plist_t reply = domain ? link_ask(l, REQUEST("GetValue", "Domain", domain, "Key", key))
			       : link_ask(l, REQUEST("GetValue", "Key", key));
	plist_t found = plist_copy(plist_dict_get_item(reply, "Value"));

	assert_non_null(found);
	plist_free(reply);
	return found;
}

static void test_values(void **state)
{
	DESK d = desk_new("activation=FactoryActivated", "supervised=yes");
	plist_t node = value(d.link, nullptr, "ActivationState");

	assert_string_equal(plist_get_string_ptr(node, nullptr), "FactoryActivated");
	plist_free(node);
	node = value(d.link, "com.apple.mobile.chaperone", "DeviceIsChaperoned");
	assert_true(plist_bool_val_is_true(node));
	plist_free(node);
}

static void test_disk_free(void **state)
{
	DESK d = desk_new("disk_free_bytes=50000000", nullptr);
	plist_t node = value(d.link, "com.apple.disk_usage", "AmountDataAvailable");
	struct file *file;
	uint64_t bytes;

	plist_get_uint_val(node, &bytes);
	assert_int_equal(bytes, 50000000);
	plist_free(node);
	assert_int_equal(files_make(&d.bed->phone.files, "x", FILE_REGULAR, &file), 0);
	assert_int_equal(files_resize(&d.bed->phone.files, file, 50000001), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blinks),
		cmocka_unit_test(test_blinks_for_ever),
		cmocka_unit_test(test_max_power),
		cmocka_unit_test(test_recovery_loop),
		cmocka_unit_test(test_recovery_loop_by_hand),
		cmocka_unit_test(test_no_dialog),
		cmocka_unit_test(test_record_fight),
		cmocka_unit_test(test_tls_refused),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_disk_free),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
