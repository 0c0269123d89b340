/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Serial and nonce strings of every model and mode; scenario files. */
#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "bed.h"

static void make(struct identity *id, const char *product, uint64_t ecid)
{
	struct scenario s;

	scenario_init(&s);
	s.model = model_find(product);
	assert_non_null(s.model);
	s.ecid = ecid;
	identity_init(id, &s);
}

/* Strings as seen on real phones (ECIDs are not theirs). */
static void test_real_strings(void **state)
{
	static const struct {
		const char *product;
		enum mode mode;
		uint64_t ecid;
		const char *serial;
		const char *expected;
	} seen[] = {
		{ "iPhone7,2", MODE_DFU, 0x000a1b2c3d000026, "",
		  "CPID:7000 CPRV:11 CPFM:03 SCEP:01 BDID:06 ECID:000A1B2C3D000026 IBFL:1C "
		  "SRTG:[iBoot-1992.0.0.1.19]" },
		{ "iPhone9,1", MODE_DFU, 0x000a1b2c3d000126, "",
		  "CPID:8010 CPRV:11 CPFM:03 SCEP:01 BDID:08 ECID:000A1B2C3D000126 IBFL:3C "
		  "SRTG:[iBoot-2696.0.0.1.33]" },
		{ "iPhone11,8", MODE_DFU, 0x000a1b2c3d000326, "",
		  "CPID:8020 CPRV:11 CPFM:03 SCEP:01 BDID:0C ECID:000A1B2C3D000326 IBFL:3C "
		  "SRTG:[iBoot-3865.0.0.4.7]" },
		{ "iPhone14,5", MODE_DFU, 0x000a1b2c3d000526, "",
		  "SDOM:01 CPID:8110 CPRV:11 CPFM:03 SCEP:01 BDID:0A ECID:000A1B2C3D000526 IBFL:3C "
		  "SRTG:[iBoot-6338.0.0.200.19]" },
		{ "iPhone15,2", MODE_DFU, 0x000a1b2c3d000626, "",
		  "SDOM:01 CPID:8120 CPRV:11 CPFM:03 SCEP:01 BDID:0C ECID:000A1B2C3D000626 IBFL:3C "
		  "SIKA:00 "
		  "SRTG:[iBoot-7195.0.0.300.25]" },
		{ "iPhone10,6", MODE_RECOVERY, 0x000a1b2c3d000826, "F00SYNTH0001",
		  "SDOM:01 CPID:8015 CPRV:11 CPFM:03 SCEP:01 BDID:0E ECID:000A1B2C3D000826 IBFL:3D "
		  "SRNM:[F00SYNTH0001]" },
		{ "iPad16,4", MODE_RECOVERY, 0x000a1b2c3d000926, "SYNTH00002",
		  "SDOM:01 CPID:8132 CPRV:11 CPFM:03 SCEP:01 BDID:0A ECID:000A1B2C3D000926 IBFL:3D "
		  "SIKA:00 "
		  "SRNM:[SYNTH00002]" },
	};

	for (unsigned i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		BUF_AUTO text = {};
		struct identity id;

		make(&id, seen[i].product, seen[i].ecid);
		if (*seen[i].serial)
			snprintf(id.serial, sizeof(id.serial), "%s", seen[i].serial);
		identity_iboot_string(&id, seen[i].mode, &text);
		assert_string_equal(buf_text(&text), seen[i].expected);
	}
}

static void test_lengths(void **state)
{
	unsigned count;
	const struct model *m = models_all(&count);

	for (unsigned i = 0; i < count; i++) {
		struct identity id;
		BUF_AUTO nonces = {};
		unsigned nonce = model_nonce_bytes(&m[i]);

		make(&id, m[i].product, 0x001122334455667f);
		for (enum mode mode = MODE_NORMAL; mode <= MODE_DEBUG_USB; mode++) {
			BUF_AUTO text = {};

			identity_iboot_string(&id, mode, &text);
			assert_uint_in_range(text.len, 1, USB_STRING_UNITS_MAX);
		}
		identity_nonce_string(&id, &nonces);
		assert_int_equal(nonces.len, 5 + 2 * nonce + 1 + 5 + 40);
		assert_true(nonces.len <= USB_STRING_UNITS_MAX);
		assert_int_equal(strlen(id.udid), model_has_short_udid(&m[i]) ? 24 : 40);
		assert_int_equal(nonce, m[i].cpid < 0x8010 ? 20 : 32);
	}
}

static void test_nonces(void **state)
{
	struct identity a, b;

	make(&a, "iPhone14,5", 1);
	make(&b, "iPhone14,5", 1);
	assert_memory_equal(a.ap_nonce, b.ap_nonce, AP_NONCE_MAX); /* same seed, same run */
	identity_boot(&b, MODE_RECOVERY, NONCE_FIXED);
	assert_memory_equal(a.ap_nonce, b.ap_nonce, AP_NONCE_MAX);
	identity_boot(&b, MODE_RECOVERY, NONCE_FRESH);
	assert_memory_not_equal(a.ap_nonce, b.ap_nonce, AP_NONCE_MAX);
}

/* libirecovery's rule for 05ac:f014. */
static void test_port_dfu(void **state)
{
	struct identity id;
	BUF_AUTO text = {};
	const char *field;
	uint64_t bdid;

	make(&id, "iPhone17,3", 0x000a1b2c3d010026);
	identity_iboot_string(&id, MODE_PORT_DFU, &text);
	field = strstr(buf_text(&text), "BDID:");
	assert_non_null(field);
	bdid = strtoull(field + 5, nullptr, 16);
	assert_int_equal(bdid >> 8 & 0xffff, 0x8140);
	assert_int_equal(bdid >> 24 & 0xff, 0x08);
	assert_null(strstr(buf_text(&text), "000A1B2C3D010026"));
}

/* Every scenario of the folder can be read, and most of them say what they promise in their names.
 */
static void test_scenario_files(void **state)
{
	DIR *folder = opendir(SIMPHONE_SCENARIOS);
	unsigned count = 0;

	assert_non_null(folder);
	for (struct dirent *e; (e = readdir(folder));) {
		char path[512], why[256];
		struct scenario s;

		if (!strstr(e->d_name, ".scenario"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", SIMPHONE_SCENARIOS, e->d_name);
		scenario_init(&s);
		if (scenario_read(&s, path, why, sizeof(why)) < 0)
			fail_msg("%s", why);
		if (strstr(e->d_name, "-recovery"))
			assert_int_equal(s.mode, MODE_RECOVERY);
		if (strstr(e->d_name, "-dfu.") && !strstr(e->d_name, "port"))
			assert_int_equal(s.mode, MODE_DFU);
		if (strstr(e->d_name, "hostile"))
			assert_true(s.usb_serial_set);
		count++;
	}
	closedir(folder);
	assert_true(count >= 40);
}

static void test_scenario_errors(void **state)
{
	struct scenario s;
	char why[256];

	scenario_init(&s);
	assert_int_equal(scenario_set(&s, "colour", "red", why, sizeof(why)), -EINVAL);
	assert_int_equal(scenario_set(&s, "model", "iPhone99,9", why, sizeof(why)), -EINVAL);
	assert_int_equal(scenario_set(&s, "ecid", "-1", why, sizeof(why)), -EINVAL);
	assert_int_equal(scenario_set(&s, "ecid", "12x", why, sizeof(why)), -EINVAL);
	assert_int_equal(scenario_set(&s, "mode", "norm", why, sizeof(why)), -EINVAL);
	assert_int_equal(scenario_set(&s, "plugged", "maybe", why, sizeof(why)), -EINVAL);
	assert_int_equal(
	    scenario_set(&s, "serial", "01234567890123456789012345678901", why, sizeof(why)),
	    -EINVAL);
	assert_int_equal(scenario_set(&s, "name", "\\q", why, sizeof(why)), -EINVAL);
	assert_int_equal(scenario_set(&s, "name", "\\x00", why, sizeof(why)), -EINVAL);
	assert_int_equal(scenario_set(&s, "usb_serial", "\\x1b[\\u202e\\\\", why, sizeof(why)), 0);
	assert_string_equal(s.usb_serial, "\x1b[\u202e\\");
	assert_true(scenario_read(&s, "/nowhere/x.scenario", why, sizeof(why)) < 0);
}

/* An include circle ends with an error, not with the stack. */
static void test_scenario_circle(void **state)
{
	char folder[] = "build/simphone-circle-XXXXXX", path[64], why[256];
	struct scenario s;
	FILE *file;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a.scenario", folder);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("include = a\n", file);
	fclose(file);
	scenario_init(&s);
	assert_true(scenario_read(&s, path, why, sizeof(why)) < 0);
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_strings),    cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_nonces),          cmocka_unit_test(test_port_dfu),
		cmocka_unit_test(test_scenario_files),  cmocka_unit_test(test_scenario_errors),
		cmocka_unit_test(test_scenario_circle),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
