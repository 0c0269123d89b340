/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iBoot: second stage, the way into the restore system, environment, troubles. */
#include "bed.h"

#include "forge.h"

#include "bed_boot.h"

static void test_go(void **state)
{
	struct forge *f = forge_new(false);
	struct bed *b = bed_at(f, "mode=recovery", nullptr);
	struct nonces before = nonces_of(b);

	bed_command(b, "setenv auto-boot false");
	bed_command(b, "setenv forgotten yes");
	assert_int_equal(send_part(f, b, forge_part("iBEC"), forge_part("RestoreRamDisk"), "go"),
			 USB_OK);
	/* what the host sends behind it is still answered */
	assert_int_equal(bed_control(b, 0x2101, 0, 0, nullptr, 0, nullptr), USB_OK);
	bed_wait(b, 1000);
	assert_int_equal(b->detaches, 1);
	bed_wait(b, 20000);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	expect_env(b, "boot-stage", "2");
	expect_env(b, "forgotten", "");
	expect_nonces(b, before, true);
	bed_command(b, "reboot");
	bed_wait(b, 20000);
	expect_env(b, "boot-stage", "1");
	expect_nonces(b, before, false);
	bed_free(b);
	forge_free(f);
}

/* A bad second stage: iBoot stays where it is. */
static void test_bad_go(void **state)
{
	struct forge *f = forge_new(false);
	struct bed *b = bed_at(f, "mode=recovery", nullptr);
	BUF_AUTO image = {};

	make_image(f, b, forge_part("iBEC"), forge_part("RestoreRamDisk"), FORGE_OTHER_NONCE,
		   &image);
	send_bytes(b, &image);
	assert_int_equal(bed_command(b, "go"), USB_STALL);
	assert_int_equal(bed_command(b, "go"), USB_STALL); /* the buffer is empty now */
	assert_int_equal(send_part(f, b, forge_part("iBSS"), forge_part("RestoreRamDisk"), "go"),
			 USB_STALL);
	bed_wait(b, 20000);
	assert_int_equal(b->detaches, 0);
	expect_env(b, "boot-stage", "1");
	bed_free(b);
	forge_free(f);
}

/* Everything idevicerestore sends to iBEC, but for @left_out. */
static void send_restore(struct forge *f, struct bed *b, const struct forge_part *ramdisk,
			 const char *left_out)
{
	static const struct {
		const char *component, *command;
	} order[] = {
		{ "RestoreLogo", "setpicture 4" }, { "RestoreTrustCache", "firmware" },
		{ "RestoreRamDisk", "ramdisk" },   { "RestoreDeviceTree", "devicetree" },
		{ "RestoreSEP", "rsepfirmware" },  { "RestoreKernelCache", nullptr },
	};

	bed_command(b, "setenv auto-boot false");
	bed_command(b, "saveenv");
	for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const struct forge_part *part =
		    forge_part_with(forge_part(order[i].component), ramdisk);

		if (left_out && !strcmp(order[i].component, left_out))
			continue;
		assert_int_equal(send_part(f, b, part, ramdisk, order[i].command), USB_OK);
	}
	bed_control(b, 0x2101, 0, 0, nullptr, 0, nullptr);
	bed_command(b, "setenv boot-args rd=md0 nand-enable-reformat=1 -progress");
	expect_env(b, "boot-args", "rd=md0 nand-enable-reformat=1 -progress");
	bed_command(b, "setenv many 1 2 3 4 5 6 7 8 9 10 11 12");
	expect_env(b, "many", "1 2 3 4 5 6 7 8 9 10 11 12");
	bed_command(b, "bootx");
	bed_wait(b, 60000);
}

static void expect_install(enum install_kind kind, const struct forge_part *ramdisk)
{
	struct forge *f = forge_new(false);
	struct bed *b = bed_at(f, "mode=recovery", nullptr);

	send_restore(f, b, ramdisk, nullptr);
	assert_int_equal(b->phone.mode, MODE_RESTORE);
	assert_int_equal(b->phone.install, kind);
	/* an interrupted restore comes back in recovery: auto-boot was saved */
	phone_restart(&b->phone, "test");
	bed_wait(b, 20000);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	assert_int_equal(b->phone.install, INSTALL_NONE);
	bed_free(b);
	forge_free(f);
}

static void test_bootx(void **state)
{
	expect_install(INSTALL_ERASE, forge_part("RestoreRamDisk"));
	expect_install(INSTALL_UPDATE, &forge_update_ramdisk);
}

static void test_bootx_lacks_something(void **state)
{
	static const char *const parts[] = { "RestoreTrustCache", "RestoreRamDisk",
					     "RestoreDeviceTree", "RestoreSEP",
					     "RestoreKernelCache" };

	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct forge *f = forge_new(false);
		struct bed *b = bed_at(f, "mode=recovery", nullptr);
		char lacks[64];

		send_restore(f, b, forge_part("RestoreRamDisk"), parts[i]);
		assert_int_equal(b->phone.mode, MODE_RECOVERY);
		assert_int_equal(b->detaches, 1);
		assert_int_equal(b->phone.boots, 2);
		snprintf(lacks, sizeof(lacks), "\"lacks\":\"%s\"", parts[i]);
		assert_true(bed_logged(b, lacks));
		bed_free(b);
		forge_free(f);
	}
}

/* The picture is no part of what must be there; a ramdisk for researchers is no ramdisk. */
static void test_bootx_picture_and_research(void **state)
{
	struct forge *f = forge_new(false);
	struct bed *b = bed_at(f, "mode=recovery", nullptr);

	send_restore(f, b, forge_part("RestoreRamDisk"), "RestoreLogo");
	assert_int_equal(b->phone.mode, MODE_RESTORE);
	bed_free(b);
	b = bed_at(f, "mode=recovery", nullptr);
	assert_int_equal(
	    send_part(f, b, &forge_research_ramdisk, &forge_research_ramdisk, "ramdisk"),
	    USB_STALL);
	bed_free(b);
	forge_free(f);
}

/* A ramdisk that erases does not start with the trust cache of an update. */
static void test_bootx_mixed(void **state)
{
	struct forge *f = forge_new(false);
	struct bed *b = bed_at(f, "mode=recovery", nullptr);

	assert_int_equal(send_part(f, b, &forge_update_trust, &forge_update_ramdisk, "firmware"),
			 USB_OK);
	send_restore(f, b, forge_part("RestoreRamDisk"), "RestoreTrustCache");
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	assert_true(bed_logged(b, "\"lacks\":\"RestoreTrustCache\""));
	bed_free(b);
	forge_free(f);
}

/* Without an IPSW there is nothing to restore, however good the tickets. */
static void test_bootx_without_ipsw(void **state)
{
	struct forge *f = forge_new(false);
	struct bed *b = BED("mode=recovery", f->key_setting);

	send_restore(f, b, forge_part("RestoreRamDisk"), nullptr);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	assert_true(bed_logged(b, "no IPSW was given to the phone"));
	bed_free(b);
	forge_free(f);
}

static void test_unchecked(void **state)
{
	struct bed *b = BED("mode=recovery", "firmware_check=none");
	const struct buf hello = { .bytes = (uint8_t *)"hello", .len = 5 };

	send_bytes(b, &hello);
	assert_int_equal(bed_command(b, "ramdisk"), USB_OK);
	send_bytes(b, &hello);
	assert_int_equal(bed_command(b, "bootx"), USB_OK);
	bed_wait(b, 20000);
	assert_int_equal(b->phone.mode, MODE_RESTORE);
	assert_int_equal(b->phone.install, INSTALL_NONE);
	bed_free(b);
}

static void test_uploads(void **state)
{
	struct forge *f = forge_new(false);
	struct bed *b = bed_at(f, "mode=recovery", "upload=short");
	BUF_AUTO ticket = {};

	assert_int_equal(send_part(f, b, forge_part("iBEC"), forge_part("RestoreRamDisk"), "go"),
			 USB_STALL);
	assert_true(bed_logged(b, "no whole IMG4 container"));
	bed_free(b);
	b = bed_at(f, "mode=recovery", "upload=ignored");
	assert_int_equal(send_part(f, b, forge_part("iBEC"), forge_part("RestoreRamDisk"), "go"),
			 USB_STALL);
	assert_false(bed_logged(b, "\"upload\""));
	bed_free(b);
	/* a second start of an upload throws the first away; a bare ticket can be checked */
	b = bed_at(f, "mode=recovery", nullptr);
	send_part(f, b, forge_part("iBSS"), forge_part("RestoreRamDisk"), nullptr);
	forge_ticket(f, &b->phone.identity, FORGE_GOOD, forge_part("RestoreRamDisk"), &ticket);
	send_bytes(b, &ticket);
	assert_int_equal(bed_command(b, "ticket"), USB_OK);
	ticket.bytes[ticket.len - 10] ^= 1;
	send_bytes(b, &ticket);
	assert_int_equal(bed_command(b, "ticket"), USB_STALL);
	bed_free(b);
	forge_free(f);
}

static void test_environment(void **state)
{
	struct bed *b = BED("mode=recovery", "env=boot-stage=1", "env=radio-error=5",
			    "env=radio-error-string=no modem", "env=ramdisk-size=");

	expect_env(b, "radio-error", "5");
	expect_env(b, "radio-error-string", "no modem");
	expect_env(b, "ramdisk-size", "");
	bed_command(b, "setenvnp once 1");
	bed_command(b, "setenv kept 1");
	bed_command(b, "setenv gone 1");
	bed_command(b, "clearenv gone");
	bed_command(b, "saveenv");
	expect_env(b, "once", "1");
	bed_command(b, "reset");
	bed_wait(b, 20000);
	expect_env(b, "once", "");
	expect_env(b, "kept", "1");
	expect_env(b, "gone", "");
	assert_null(env_get(&b->phone.recovery.nvram, "build-version"));
	bed_command(b, "clearenvs");
	expect_env(b, "kept", "");
	expect_env(b, "build-style", "RELEASE");
	bed_command(b, "fsboot"); /* auto-boot is still false */
	bed_wait(b, 20000);
	assert_int_equal(b->phone.mode, MODE_NORMAL);
	bed_free(b);
}

static void test_reboot_ignored(void **state)
{
	struct bed *b = BED("mode=recovery", "reboot=ignored");

	bed_command(b, "reboot");
	bed_wait(b, 60000);
	assert_int_equal(b->detaches, 0);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_go),
		cmocka_unit_test(test_bad_go),
		cmocka_unit_test(test_bootx),
		cmocka_unit_test(test_bootx_lacks_something),
		cmocka_unit_test(test_bootx_picture_and_research),
		cmocka_unit_test(test_bootx_mixed),
		cmocka_unit_test(test_bootx_without_ipsw),
		cmocka_unit_test(test_unchecked),
		cmocka_unit_test(test_uploads),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_reboot_ignored),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
