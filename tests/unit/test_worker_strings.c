/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What iBoot says of itself: the nonce string, and the record of debug USB. */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/iboot_strings.h"
#include "worker/nonce.h"
#include <errno.h>
#include <string.h>

#define AP_20  "79C52A410102030405060708090A0B0C0D0E0F10"
#define AP_32  "79c52a410102030405060708090a0b0c0d0e0f101112131415161718191a1b1c"
#define SEP_20 "5f83ef99000102030405060708090a0b0c0d0e0f"

static void test_nonces(void **state)
{
	static const char old_phone[] = "NONC:" AP_20 " SNON:" SEP_20;
	static const char new_phone[] = " NONC:" AP_32 " SNON:" SEP_20;
	char hex[NONCE_HEX_BYTES];

	assert_int_equal(nonce_find(old_phone, "NONC", hex), 0);
	assert_string_equal(hex, "79c52a410102030405060708090a0b0c0d0e0f10");
	assert_int_equal(nonce_find(old_phone, "SNON", hex), 0);
	assert_string_equal(hex, SEP_20);
	assert_int_equal(nonce_find(new_phone, "NONC", hex), 0);
	assert_string_equal(hex, AP_32);
	assert_int_equal(nonce_find(new_phone, "SNON", hex), 0);
	assert_string_equal(hex, SEP_20);
}

static void test_nonces_that_are_none(void **state)
{
	static const struct {
		const char *nonces;
		int expected;
	} rows[] = {
		{ "", -ENODATA },
		{ " ", -ENODATA },
		{ "NONC", -ENODATA },
		{ "XNONC:00", -ENODATA },
		{ "SNON:" SEP_20, -ENODATA },
		{ "NONC:", -EBADMSG },
		{ "NONC: 00", -EBADMSG },
		{ "NONC:0", -EBADMSG },
		{ "NONC:0x", -EBADMSG },
		{ "NONC:00-00", -EBADMSG },
		{ "NONC:" AP_32 "00", -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char hex[NONCE_HEX_BYTES] = "untouched";

		if (nonce_find(rows[i].nonces, "NONC", hex) != rows[i].expected)
			fail_msg("\"%s\"", rows[i].nonces);
		assert_string_equal(hex, "untouched");
	}
}

/*
 * The record by the offsets of libirecovery's KIS_device_info: nonceOffset at 0x18, the device
 * descriptor at 0x40 with iSerialNumber at 16, both in words of four bytes.
 */
enum { RECORD_BYTES = 0x300, NONCES_AT = 0x18, SERIAL_AT = 0x40 + 16 };

static const char serial[] = "CPID:8120 CPRV:11 CPFM:03 SCEP:01 BDID:0C ECID:001C20223E29401E "
			     "IBFL:3C SRTG:[iBoot-8419.0.151.0.1]";
static const char nonces[] = "NONC:" AP_32 " SNON:" SEP_20;

/* head: how many bytes of the length stand for the head of the descriptor (0 or 2) */
static void put_string(uint8_t record[RECORD_BYTES], size_t word, const char *text, size_t head)
{
	uint8_t *at = record + word * 4;
	size_t n = strlen(text);

	at[0] = (uint8_t)(n * 2 + head);
	at[1] = 3;
	for (size_t i = 0; i < n; i++)
		at[2 + i * 2] = (uint8_t)text[i];
}

static void record_make(uint8_t record[RECORD_BYTES], size_t head)
{
	memset(record, 0, RECORD_BYTES);
	record[SERIAL_AT] = 0x20;
	record[NONCES_AT] = 0x80;
	put_string(record, 0x20, serial, head);
	put_string(record, 0x80, nonces, head);
}

static void test_record(void **state)
{
	for (size_t head = 0; head <= 2; head += 2) {
		uint8_t record[RECORD_BYTES];
		struct iboot_strings strings;

		record_make(record, head);
		assert_int_equal(debug_usb_record_parse(record, sizeof(record), &strings), 0);
		assert_string_equal(strings.serial, serial);
		assert_string_equal(strings.nonces, nonces);
	}
}

static void test_record_without_nonces(void **state)
{
	static const uint32_t places[] = { 0, 0xbf, 0xc0, 0xff, UINT32_MAX };
	uint8_t record[RECORD_BYTES];
	struct iboot_strings strings;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		record_make(record, 0);
		memcpy(record + NONCES_AT, &places[i], sizeof(places[i]));
		assert_int_equal(debug_usb_record_parse(record, sizeof(record), &strings), 0);
		assert_string_equal(strings.serial, serial);
		assert_string_equal(strings.nonces, "");
	}
}

static void test_record_that_is_none(void **state)
{
	uint8_t record[RECORD_BYTES];
	struct iboot_strings strings;

	record_make(record, 0);
	assert_int_equal(debug_usb_record_parse(record, SERIAL_AT, &strings), -EBADMSG);
	assert_int_equal(debug_usb_record_parse(record, 0x80, &strings), -EBADMSG); /* cut off */
	record[0x80 + 1] = 2; /* no string descriptor */
	assert_int_equal(debug_usb_record_parse(record, sizeof(record), &strings), -EBADMSG);
	record_make(record, 0);
	record[0x80]++; /* half a character */
	assert_int_equal(debug_usb_record_parse(record, sizeof(record), &strings), -EBADMSG);
	record_make(record, 0);
	record[SERIAL_AT] = 0xff; /* beyond the end */
	assert_int_equal(debug_usb_record_parse(record, sizeof(record), &strings), -EBADMSG);
}

static void test_record_bytes_become_utf8(void **state)
{
	uint8_t record[RECORD_BYTES];
	struct iboot_strings strings;

	record_make(record, 0);
	record[0x80 + 2] = 0xff;
	assert_int_equal(debug_usb_record_parse(record, sizeof(record), &strings), 0);
	assert_memory_equal(strings.serial, "\xef\xbf\xbdPID:8120", 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nonces),
		cmocka_unit_test(test_nonces_that_are_none),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_record_without_nonces),
		cmocka_unit_test(test_record_that_is_none),
		cmocka_unit_test(test_record_bytes_become_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
