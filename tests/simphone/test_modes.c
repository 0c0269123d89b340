/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recovery, DFU, debug-USB, and the ways between the modes. */
#include <errno.h>

#include "bed.h"
#include "control.h"

/* ---- DFU ---- */

static void test_dfu_crc(void **state)
{
	static const uint8_t suffix[12] = { 0xff, 0xff, 0xff, 0xff, 0xac, 0x05,
					    0x00, 0x01, 0x55, 0x46, 0x44, 0x10 };
	uint8_t image[2048];
	const struct {
		size_t len;
		uint32_t crc;
	} vectors[] = { { 0, 0x93dc6053 }, { 5, 0x7f6be2e8 } };
	uint32_t crc;

	memcpy(image, "hello", 5);
	for (unsigned i = 0; i < 2; i++) {
		crc = dfu_crc(0xffffffff, image, vectors[i].len);
		assert_uint_equal(dfu_crc(crc, suffix, 12), vectors[i].crc);
	}
	memset(image, 0, 2048);
	assert_uint_equal(dfu_crc(dfu_crc(0xffffffff, image, 2048), suffix, 12), 0x0eae8d0a);
	for (unsigned i = 0; i < 2048; i++)
		image[i] = (uint8_t)i;
	assert_uint_equal(dfu_crc(dfu_crc(0xffffffff, image, 2048), suffix, 12), 0xdf91d209);
	memset(image, 'A', 2040);
	assert_uint_equal(dfu_crc(dfu_crc(0xffffffff, image, 2040), suffix, 12), 0x2e772584);
}

static uint8_t dfu_status(struct bed *b, uint8_t *ret_fault)
{
	BUF_AUTO in = {};

	assert_int_equal(bed_control(b, 0xa103, 0, 0, nullptr, 6, &in), USB_OK);
	assert_int_equal(in.len, 6);
	if (ret_fault)
		*ret_fault = in.bytes[0];
	return in.bytes[4];
}

/* Sends "hello" as libirecovery does: the last block carries the suffix, then an empty one. */
static void dfu_send(struct bed *b, bool spoil)
{
	uint8_t block[21] = { 'h',  'e',  'l',  'l',  'o',  0xff, 0xff, 0xff, 0xff, 0xac, 0x05,
			      0x00, 0x01, 0x55, 0x46, 0x44, 0x10, 0xe8, 0xe2, 0x6b, 0x7f };
	BUF_AUTO in = {};

	block[0] ^= spoil;
	assert_int_equal(bed_control(b, 0xa105, 0, 0, nullptr, 1, &in), USB_OK);
	assert_int_equal(in.bytes[0], 2);
	assert_int_equal(bed_control(b, 0x2101, 0, 0, block, sizeof(block), nullptr), USB_OK);
	assert_int_equal(dfu_status(b, nullptr), 5);
	assert_int_equal(bed_control(b, 0x2101, 1, 0, nullptr, 0, nullptr), USB_OK);
}

static void test_dfu_accepted(void **state)
{
	struct bed *b = BED("mode=dfu", "gap_ms=1000", "firmware_check=none");
	uint8_t nonce[AP_NONCE_MAX];

	memcpy(nonce, b->phone.identity.ap_nonce, sizeof(nonce));
	dfu_send(b, false);
	assert_int_equal(dfu_status(b, nullptr), 7);
	assert_int_equal(dfu_status(b, nullptr), 8);
	assert_int_equal(bed_control(b, 0x2101, 0, 0, nullptr, 0, nullptr),
			 USB_OK); /* the careful host's repeat */
	usbdev_reset(&b->phone.usb);
	bed_wait(b, 1);
	assert_int_equal(b->detaches, 1);
	bed_wait(b, 998);
	assert_int_equal(b->attaches, 0);
	bed_wait(b, 2);
	assert_int_equal(b->attaches, 1);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	assert_memory_equal(nonce, b->phone.identity.ap_nonce, sizeof(nonce));
	/* SHA-256 of "hello" */
	assert_true(
	    bed_logged(b, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"));
	bed_free(b);
}

static void test_dfu_rejected(void **state)
{
	struct bed *b = BED("mode=dfu", "dfu_image=reject");

	dfu_send(b, false);
	dfu_status(b, nullptr);
	usbdev_reset(&b->phone.usb);
	bed_wait(b, 20000);
	assert_int_equal(b->phone.mode, MODE_DFU);
	assert_int_equal(b->phone.boots, 2);
	bed_free(b);
}

static void test_dfu_bad_suffix(void **state)
{
	struct bed *b = BED("mode=dfu");
	uint8_t fault = 0;

	dfu_send(b, true);
	assert_int_equal(dfu_status(b, &fault), 10);
	assert_int_equal(fault, 7);
	assert_int_equal(bed_control(b, 0x2101, 0, 0, "x", 1, nullptr), USB_STALL);
	assert_int_equal(bed_control(b, 0x2104, 0, 0, nullptr, 0, nullptr), USB_OK);
	assert_int_equal(dfu_status(b, &fault), 2);
	assert_int_equal(fault, 0);
	bed_free(b);
}

/* A bus reset in the middle forgets the bytes and stays. */
static void test_dfu_reset(void **state)
{
	struct bed *b = BED("mode=dfu");

	assert_int_equal(bed_control(b, 0x2101, 0, 0, "x", 1, nullptr), USB_OK);
	usbdev_reset(&b->phone.usb);
	assert_int_equal(dfu_status(b, nullptr), 2);
	assert_int_equal(b->phone.dfu.image.len, 0);
	assert_int_equal(bed_control(b, 0x2106, 0, 0, nullptr, 0, nullptr), USB_OK);
	assert_int_equal(bed_control(b, 0xa102, 0, 0, nullptr, 64, nullptr), USB_STALL);
	bed_free(b);
}

/* ---- recovery ---- */

static void expect_env(struct bed *b, const char *name, const char *value)
{
	char line[64];
	BUF_AUTO in = {};

	snprintf(line, sizeof(line), "getenv %s", name);
	assert_int_equal(bed_command(b, line), value ? USB_OK : USB_STALL);
	assert_int_equal(bed_control(b, 0xc000, 0, 0, nullptr, 255, &in), USB_OK);
	assert_string_equal((const char *)in.bytes, value ? value : "");
}

static void test_env(void **state)
{
	struct bed *b = BED("mode=recovery");

	expect_env(b, "auto-boot", "false");
	expect_env(b, "build-style", "RELEASE");
	expect_env(b, "boot-stage", "1");
	expect_env(b, "ramdisk-delay", nullptr);
	bed_command(b, "setenv colour red");
	expect_env(b, "colour", "red");
	bed_command(b, "reboot"); /* not saved: stays in recovery, and forgets */
	bed_wait(b, 20000);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	expect_env(b, "colour", nullptr);
	bed_command(b, "clearenvs");
	expect_env(b, "auto-boot", nullptr);
	bed_free(b);
}

static void test_env_ceilings(void **state)
{
	struct env env = {};
	char name[16], long_value[ENV_VALUE_BYTES + 1];

	memset(long_value, 'x', ENV_VALUE_BYTES);
	long_value[ENV_VALUE_BYTES] = '\0';
	assert_int_equal(env_set(&env, "a", long_value), -ENOSPC);
	for (unsigned i = 0; i < ENV_VARIABLES; i++) {
		snprintf(name, sizeof(name), "v%u", i);
		assert_int_equal(env_set(&env, name, "1"), 0);
	}
	assert_int_equal(env_set(&env, "one-more", "1"), -ENOSPC);
	assert_int_equal(env_set(&env, "v0", ""), 0);
	assert_null(env_get(&env, "v0"));
	assert_int_equal(env_set(&env, "one-more", "1"), 0);
}

/* What `irecovery -n` sends. */
static void test_leave_recovery(void **state)
{
	struct bed *b = BED("mode=recovery", "boot_ms=4000", "time_scale_percent=50");

	bed_command(b, "setenv auto-boot true");
	bed_command(b, "saveenv");
	bed_command(b, "reboot");
	bed_wait(b, PHONE_LINGER_MS);
	assert_int_equal(b->detaches, 1);
	bed_wait(b, 1999);
	assert_int_equal(b->attaches, 0);
	bed_wait(b, 1);
	assert_int_equal(b->phone.mode, MODE_NORMAL);
	assert_int_equal(b->attaches, 1);
	bed_free(b);
}

static void test_upload(void **state)
{
	struct bed *b = BED("mode=recovery", "firmware_check=none");

	usbdev_set_config(&b->phone.usb, 1);
	assert_int_equal(bed_command(b, "go"), USB_STALL); /* nothing loaded */
	assert_int_equal(bed_control(b, 0x4100, 0, 0, nullptr, 0, nullptr), USB_OK);
	usbdev_bulk_out(&b->phone.usb, 0x04, (const uint8_t *)"hel", 3);
	usbdev_bulk_out(&b->phone.usb, 0x04, (const uint8_t *)"lo", 2);
	usbdev_bulk_out(&b->phone.usb, 0x04, nullptr, 0);
	assert_int_equal(bed_control(b, 0x4001, 0, 0, "go", 3, nullptr), USB_OK);
	assert_true(bed_logged(b, "\"bytes\":5,\"sha256\":\"2cf24dba"));
	bed_wait(b, 20000);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	expect_env(b, "boot-stage", "2");
	bed_free(b);
}

/* ---- debug-USB ---- */

static void test_debug_usb(void **state)
{
	struct bed *b = BED("mode=debug-usb", "model=iPhone15,2");
	uint8_t request[12] = { 0, 0, 0xa0, 0x10, 0, 0x00, 0x01 };
	uint8_t record[KIS_RECORD_BYTES];
	BUF_AUTO serial = {};
	unsigned at;

	usbdev_set_config(&b->phone.usb, 1);
	usbdev_bulk_out(&b->phone.usb, 0x03, request, sizeof(request));
	usbdev_bulk_in(&b->phone.usb, 1, 0x83, 4096);
	assert_int_equal(b->in_count, 1);
	assert_int_equal(b->in.len, 4 + KIS_HEADER_BYTES + KIS_RECORD_BYTES + 8);
	kis_record(&b->phone, record);
	assert_memory_equal(b->in.bytes + 4 + KIS_HEADER_BYTES, record, sizeof(record));
	identity_iboot_string(&b->phone.identity, MODE_DFU, &serial);
	at = record[0x40 + 16] * 4;
	assert_int_equal(record[at], 2 + 2 * serial.len);
	for (unsigned i = 0; i < serial.len; i++)
		assert_int_equal(record[at + 2 + 2 * i], serial.bytes[i]);
	assert_int_equal(record[at + 2 + 2 * serial.len],
			 0); /* libirecovery reads one character too many */
	/* the record has room for none of the strings, for one, for all */
	b->phone.scenario.usb_serial_set = true;
	for (unsigned len = 0; len + 1 < sizeof(b->phone.scenario.usb_serial); len++) {
		b->phone.scenario.usb_serial[len] = 'x';
		kis_record(&b->phone, record);
	}
	bed_free(b);
}

/* ---- presence ---- */

static void test_cable(void **state)
{
	struct bed *b = BED("mode=recovery", "plugged=no", "gap_ms=1000");

	assert_null(b->phone.usb.shape);
	phone_plug(&b->phone);
	phone_plug(&b->phone);
	assert_int_equal(b->attaches, 1);
	phone_leave(&b->phone, MODE_DFU, 0, "test");
	phone_leave(&b->phone, MODE_NORMAL, 0, "a second call changes nothing");
	bed_wait(b, 500);
	phone_unplug(&b->phone); /* the boot goes on without the cable */
	bed_wait(b, 1000);
	assert_int_equal(b->phone.mode, MODE_DFU);
	assert_int_equal(b->attaches, 1);
	phone_plug(&b->phone);
	assert_int_equal(b->attaches, 2);
	assert_int_equal(b->phone.usb.product, 0x1227);
	bed_free(b);
}

static void test_identity_survives(void **state)
{
	struct bed *b = BED("mode=normal");
	char udid[48];

	snprintf(udid, sizeof(udid), "%s", b->phone.identity.udid);
	assert_int_equal(phone_press(&b->phone, "dfu"), 0);
	bed_wait(b, 20000);
	assert_int_equal(b->phone.mode, MODE_DFU);
	assert_int_equal(phone_press(&b->phone, "recovery"), 0);
	bed_wait(b, 20000);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	assert_int_equal(phone_press(&b->phone, "restart"), 0);
	bed_wait(b, 20000);
	assert_int_equal(b->phone.mode, MODE_NORMAL); /* buttons do not touch auto-boot */
	assert_string_equal(udid, b->phone.identity.udid);
	assert_int_equal(phone_press(&b->phone, "wave"), -EINVAL);
	bed_free(b);
}

static void expect_control(struct bed *b, struct loop *loop, const char *line, const char *part)
{
	char copy[256];
	BUF_AUTO answer = {};

	snprintf(copy, sizeof(copy), "%s", line);
	control_run(loop, &b->phone, copy, &answer);
	assert_int_equal(answer.bytes[answer.len - 1], '\n');
	if (!strstr(buf_text(&answer), part))
		fail_msg("'%s' answers %s", line, buf_text(&answer));
}

static void test_control(void **state)
{
	struct bed *b = BED("mode=recovery");
	struct loop loop = {};

	expect_control(b, &loop, "state", "\"ok\":true,\"mode\":\"recovery\"");
	expect_control(b, &loop, "unplug", "\"attached\":false");
	expect_control(b, &loop, "plug", "\"attached\":true");
	expect_control(b, &loop, "set usb_serial a\\x1b\"b c",
		       "\"usb_serial\":\"a\\u001b\\\"b c\"");
	expect_control(b, &loop, "set usb_serial", "\"usb_serial\":\"\"");
	expect_control(b, &loop, "set trust sometimes", "\"ok\":false");
	expect_control(b, &loop, "mode dfu", "\"ok\":true");
	expect_control(b, &loop, "mode sideways", "\"ok\":false");
	expect_control(b, &loop, "button wave", "\"ok\":false");
	expect_control(b, &loop, "", "\"ok\":false");
	expect_control(b, &loop, "quit", "\"ok\":true");
	assert_true(loop.quit);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dfu_crc),      cmocka_unit_test(test_dfu_accepted),
		cmocka_unit_test(test_dfu_rejected), cmocka_unit_test(test_dfu_bad_suffix),
		cmocka_unit_test(test_dfu_reset),    cmocka_unit_test(test_env),
		cmocka_unit_test(test_env_ceilings), cmocka_unit_test(test_leave_recovery),
		cmocka_unit_test(test_upload),       cmocka_unit_test(test_debug_usb),
		cmocka_unit_test(test_cable),        cmocka_unit_test(test_identity_survives),
		cmocka_unit_test(test_control),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
