/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "bus/serial.h"
#include "unit.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int parse(const char *s, struct iboot_serial *ret)
{
	return iboot_serial_parse(s, strlen(s), ret);
}

static void test_whole_string(void **state)
{
	struct iboot_serial serial;

	assert_int_equal(parse("SDOM:01 CPID:8110 CPRV:11 CPFM:03 SCEP:01 BDID:0A "
			       "ECID:001C20223E29401E IBFL:3D SIKA:00 SRNM:[F4HVWWZGJC67]",
			       &serial),
			 0);
	assert_int_equal(serial.has, IBOOT_HAS_CPID | IBOOT_HAS_CPRV | IBOOT_HAS_CPFM |
					 IBOOT_HAS_SCEP | IBOOT_HAS_BDID | IBOOT_HAS_ECID |
					 IBOOT_HAS_IBFL | IBOOT_HAS_SDOM | IBOOT_HAS_SIKA);
	assert_int_equal(serial.cpid, 0x8110);
	assert_int_equal(serial.bdid, 0x0a);
	assert_int_equal(serial.ecid, 0x001C20223E29401E);
	assert_int_equal(serial.cprv, 0x11);
	assert_int_equal(serial.cpfm, 3);
	assert_int_equal(serial.scep, 1);
	assert_int_equal(serial.ibfl, 0x3d);
	assert_int_equal(serial.sdom, 1);
	assert_string_equal(serial.srnm, "F4HVWWZGJC67");
	assert_string_equal(serial.srtg, "");
}

/* Each row: a string, and the one thing that must be so. */
static void test_strict(void **state)
{
	static const struct {
		const char *text;
		int result;
		unsigned has;
		const char *srnm, *imei;
	} rows[] = {
		{ "", -EBADMSG, 0, "", "" },
		{ " ", -EBADMSG, 0, "", "" },
		{ ":", -EBADMSG, 0, "", "" },
		{ "Apple Mobile Device (DFU Mode)", -EBADMSG, 0, "", "" },
		{ "CPID", -EBADMSG, 0, "", "" },
		{ "CPID:", -EBADMSG, 0, "", "" },
		{ "CPID: 8010", -EBADMSG, 0, "", "" },
		{ "CPID:0x8010", -EBADMSG, 0, "", "" },
		{ "CPID:+8010", -EBADMSG, 0, "", "" },
		{ "CPID:8010 BDID:08 ECID:ZZZZ", 0, IBOOT_HAS_CPID | IBOOT_HAS_BDID, "", "" },
		{ "CPID:10000 BDID:08", 0, IBOOT_HAS_BDID, "", "" },
		{ "CPID:FFFF BDID:100", 0, IBOOT_HAS_CPID, "", "" },
		{ "CPID:FFFFFFFF BDID:FFFF ECID:FFFFFFFFFFFFFFFFFF", -EBADMSG, 0, "", "" },
		{ "ECID:FFFFFFFFFFFFFFFF", 0, IBOOT_HAS_ECID, "", "" },
		{ "ECID:00000000000000001", -EBADMSG, 0, "", "" },
		{ "ECID:1 CPID:8010 ECID:2", 0, IBOOT_HAS_CPID, "", "" },
		{ "ECID:1 CPID:8010 ECID:1", 0, IBOOT_HAS_CPID, "", "" },
		{ "ECID:1 ECID:2 ECID:3 CPID:8010", 0, IBOOT_HAS_CPID, "", "" },
		{ "XECID:1 CPID:8010", 0, IBOOT_HAS_CPID, "", "" },
		{ "CPID:8010  BDID:08 ", 0, IBOOT_HAS_CPID | IBOOT_HAS_BDID, "", "" },
		{ "CPID:8010\tBDID:08", -EBADMSG, 0, "", "" },
		{ "CPID:8010 SRNM:[F00SY", 0, IBOOT_HAS_CPID, "", "" },
		{ "CPID:8010 SRNM:[F00SY IMEI:[123]", 0, IBOOT_HAS_CPID, "", "123" },
		{ "CPID:8010 SRNM:[]", 0, IBOOT_HAS_CPID, "", "" },
		{ "CPID:8010 SRNM:F00 IMEI:[1]", 0, IBOOT_HAS_CPID, "", "1" },
		{ "CPID:[8010] SRNM:[A]", 0, 0, "A", "" },
		{ "SRNM:[A]B]", 0, 0, "A]B", "" },
		{ "SRNM:[A BDID:08]", 0, 0, "A BDID:08", "" },
		{ "SRNM:[A] SRNM:[B] CPID:8010", 0, IBOOT_HAS_CPID, "", "" },
		{ "SRNM:[\xc3\xa9] CPID:8010", 0, IBOOT_HAS_CPID, "", "" },
		{ "SRNM:[a\x01] CPID:8010", 0, IBOOT_HAS_CPID, "", "" },
		{ "SRNM:[", -EBADMSG, 0, "", "" },
		{ "SRNM:", -EBADMSG, 0, "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct iboot_serial serial = { .has = 0xdead };
		int r = parse(rows[i].text, &serial);

		if (r != rows[i].result)
			fail_msg("\"%s\" gives %d", rows[i].text, r);
		if (r < 0) {
			assert_int_equal(serial.has, 0xdead); /* nothing written */
			continue;
		}
		if (serial.has != rows[i].has)
			fail_msg("\"%s\" has %x", rows[i].text, serial.has);
		assert_string_equal(serial.srnm, rows[i].srnm);
		assert_string_equal(serial.imei, rows[i].imei);
	}
}

static void test_text_is_whole_or_absent(void **state)
{
	char text[128];
	struct iboot_serial serial;

	snprintf(text, sizeof(text), "CPID:8010 SRTG:[%063d]", 0);
	assert_int_equal(parse(text, &serial), 0);
	assert_int_equal(strlen(serial.srtg), 63);
	snprintf(text, sizeof(text), "CPID:8010 SRTG:[%064d]", 0);
	assert_int_equal(parse(text, &serial), 0);
	assert_string_equal(serial.srtg, "");
}

static void test_stays_in_bounds(void **state)
{
	static const char text[] = "CPID:8010 SRNM:[ABC] BDID:08";

	/* every prefix in a buffer of exactly its size: the sanitizer sees one byte too far */
	for (size_t n = 0; n < sizeof(text); n++) {
		char *copy = malloc(n ? n : 1);
		struct iboot_serial serial;

		assert_non_null(copy);
		memcpy(copy, text, n);
		(void)iboot_serial_parse(copy, n, &serial);
		(void)port_dfu_serial_parse(copy, n, &serial);
		free(copy);
	}
}

static void test_nul_ends(void **state)
{
	struct iboot_serial serial;

	assert_int_equal(iboot_serial_parse("CPID:8010\0 BDID:08", 18, &serial), 0);
	assert_int_equal(serial.has, IBOOT_HAS_CPID);
}

/* libirecovery 1.3.1's way: each key is searched for anywhere, numbers by scanf. */
static uint64_t search_number(const char *text, const char *key)
{
	const char *at = strstr(text, key);
	uint64_t value = 0;

	if (at && sscanf(at + strlen(key), "%" SCNx64, &value) != 1)
		return 0;
	return value;
}

static void search_text(const char *text, const char *key, char ret[static 256])
{
	const char *at = strstr(text, key);
	char *bracket;

	ret[0] = '\0';
	if (at)
		(void)sscanf(at + strlen(key), "%255s", ret);
	bracket = strrchr(ret, ']');
	if (bracket)
		*bracket = '\0';
}

static void assert_as_libirecovery(const char *text)
{
	struct iboot_serial serial;
	char value[256];

	if (parse(text, &serial) < 0)
		fail_msg("\"%s\" is not understood", text);
	assert_int_equal(serial.cpid, search_number(text, "CPID:"));
	assert_int_equal(serial.cprv, search_number(text, "CPRV:"));
	assert_int_equal(serial.cpfm, search_number(text, "CPFM:"));
	assert_int_equal(serial.scep, search_number(text, "SCEP:"));
	assert_int_equal(serial.bdid, search_number(text, "BDID:"));
	assert_int_equal(serial.ecid, search_number(text, "ECID:"));
	assert_int_equal(serial.ibfl, search_number(text, "IBFL:"));
	search_text(text, "SRNM:[", value);
	assert_string_equal(serial.srnm, value);
	search_text(text, "SRTG:[", value);
	assert_string_equal(serial.srtg, value);
	search_text(text, "IMEI:[", value);
	assert_string_equal(serial.imei, value);
}

static void test_agrees_with_libirecovery(void **state)
{
	uint64_t random = 20250101;

	for (int i = 0; i < 2000; i++) {
		char text[256];

		random = random * 6364136223846793005 + 1442695040888963407;
		snprintf(text, sizeof(text),
			 "%sCPID:%04X CPRV:%02X CPFM:%02X SCEP:%02X BDID:%02X ECID:%016" PRIX64
			 "%s%s%s",
			 i % 2 ? "SDOM:01 " : "", (unsigned)(random >> 48),
			 (unsigned)(random >> 40) & 0xff, (unsigned)(random >> 16) & 3,
			 (unsigned)(random >> 24) & 0xf, (unsigned)(random >> 32) & 0xff,
			 random >> 8, i % 3 ? " IBFL:3D" : "", i % 5 ? " SRNM:[C39XK0TEST01]" : "",
			 i % 7 ? " IMEI:[350000000000001]" : " SRTG:[iBoot-6338.0.0.200.19]");
		assert_as_libirecovery(text);
	}
}

static FILE *open_data(const char *name)
{
	const char *folder = getenv("IDR_DATA");
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "../shared/data", name);
	file = fopen(path, "re");
	if (!file) {
		print_message("no real data at %s: skipped\n", path);
		skip();
	}
	return file;
}

static void test_real_strings(void **state)
{
	FILE *file = open_data("serials/usb_serial_strings.txt");
	char line[512];
	int good = 0, bad = 0;

	while (fgets(line, sizeof(line), file)) {
		char *rest = line, *mode = strsep(&rest, "\t\n");
		char *serial_text;
		struct iboot_serial serial;

		if (line[0] == '#' || !rest)
			continue;
		(void)strsep(&rest, "\t\n");
		serial_text = strsep(&rest, "\t\n");
		assert_non_null(serial_text);
		if (strcmp(mode, "DFU") == 0 || strcmp(mode, "Recovery") == 0) {
			assert_as_libirecovery(serial_text);
			assert_int_equal(parse(serial_text, &serial), 0);
			assert_int_equal(serial.srtg[0] != '\0', strcmp(mode, "DFU") == 0);
			good++;
		} else if (strcmp(mode, "BAD") == 0) {
			bad++;
			if (parse(serial_text, &serial) < 0)
				continue;
			/* of a bad string only sound fields come out */
			assert_true(!(serial.has & IBOOT_HAS_CPID) || serial.cpid == 0x8010);
			assert_string_equal(serial.srnm, "");
		}
	}
	fclose(file);
	assert_true(good >= 10);
	assert_true(bad >= 5);
}

static void test_port_dfu(void **state)
{
	struct iboot_serial serial;
	uint32_t cpid, bdid;
	static const char text[] = "CPID:A012 BDID:000000000A811000 ECID:1122334455667788";

	port_dfu_ids(0x0a811000, &cpid, &bdid);
	assert_int_equal(cpid, 0x8110);
	assert_int_equal(bdid, 0x0a);
	assert_int_equal(port_dfu_serial_parse(text, strlen(text), &serial), 0);
	assert_int_equal(serial.has, IBOOT_HAS_CPID | IBOOT_HAS_BDID);
	assert_int_equal(serial.cpid, 0x8110);
	assert_int_equal(serial.bdid, 0x0a);
	assert_int_equal(serial.ecid, 0); /* that one is the port controller's */
	assert_int_equal(port_dfu_serial_parse("CPID:8110", 9, &serial), -EBADMSG);
	assert_int_equal(port_dfu_serial_parse("BDID:1 BDID:1", 13, &serial), -EBADMSG);
	assert_int_equal(port_dfu_serial_parse("BDID:x", 6, &serial), -EBADMSG);
}

static void test_learn(void **state)
{
	struct iboot_serial a, b = { 0 };

	assert_int_equal(parse("CPID:8110 ECID:7 PWND:[checkm8]", &a), 0);
	assert_true(iboot_serial_learn(&b, &a));
	assert_false(iboot_serial_learn(&b, &a));
	assert_int_equal(b.cpid, 0x8110);
	assert_int_equal(b.ecid, 7);
	assert_string_equal(b.pwnd, "checkm8");
	assert_int_equal(parse("PWND:[x] SRTG:[y]", &a), 0);
	assert_true(iboot_serial_learn(&b, &a));
	assert_string_equal(b.pwnd, "x");
	assert_string_equal(b.srtg, "y");
	assert_int_equal(b.has, IBOOT_HAS_CPID | IBOOT_HAS_ECID);
	/* nothing never replaces something; a known 0 is knowledge */
	assert_false(iboot_serial_learn(&b, &(struct iboot_serial){ 0 }));
	assert_int_equal(parse("BDID:00", &a), 0);
	assert_true(iboot_serial_learn(&b, &a));
	assert_true(b.has & IBOOT_HAS_BDID);
}

static void test_udid(void **state)
{
	static const char old[] = "0123456789abcdef0123456789abcdef01234567";
	static const char *const wrong[] = {
		"",
		"00008110",
		"00008110001C20223E29401",
		"00008110001C20223E29401E0",
		"00008110_001C20223E29401E",
		"0000811-0001C20223E29401E",
		"00008110-001C20223E29401G",
		"0123456789abcdef0123456789abcdef0123456g",
		"0123456789abcdef0123456789abcdef012345678",
		"00008110001C20223E29401\xc3",
	};
	char udid[UDID_BYTES] = "kept";
	uint64_t ecid = 0;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(udid_from_serial(wrong[i], udid), -EINVAL);
		assert_string_equal(udid, "kept");
	}
	assert_int_equal(udid_from_serial("00008110001c20223E29401E", udid), 0);
	assert_string_equal(udid, "00008110-001C20223E29401E");
	assert_int_equal(udid_ecid(udid, &ecid), 0);
	assert_int_equal(ecid, 0x001C20223E29401E);
	assert_int_equal(udid_from_serial("00008110-001C20223E29401E", udid), 0);
	assert_string_equal(udid, "00008110-001C20223E29401E");
	assert_int_equal(udid_from_serial("0123456789ABCDEF0123456789ABCDEF01234567", udid), 0);
	assert_string_equal(udid, old);
	assert_int_equal(udid_ecid(old, &ecid), -ENODATA);
	assert_int_equal(udid_ecid("00008110-0000000000000000", &ecid), -ENODATA);
	assert_int_equal(udid_ecid("", &ecid), -ENODATA);
	assert_int_equal(udid_ecid("00008110-001C2022 E29401E", &ecid), -ENODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_string),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_text_is_whole_or_absent),
		cmocka_unit_test(test_stays_in_bounds),
		cmocka_unit_test(test_nul_ends),
		cmocka_unit_test(test_agrees_with_libirecovery),
		cmocka_unit_test(test_real_strings),
		cmocka_unit_test(test_port_dfu),
		cmocka_unit_test(test_learn),
		cmocka_unit_test(test_udid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
