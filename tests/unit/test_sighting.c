/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/text.h"
#include "bus/sighting.h"
#include "unit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct sighting example = {
	.syspath = "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2.3",
	.port = "1-2.3",
	.bus = 1,
	.address = 17,
	.vid = 0x05ac,
	.pid = 0x1281,
	.speed_mbps = 480,
	.hub_depth = 1,
	.configuration = 1,
	.max_power_ma = 500,
	.usb_version = 0x0210,
	.interfaces = "06/01/01 ff/fe/02",
	.serial = "CPID:8110 BDID:0A ECID:001C20223E29401E SRNM:[F4HVWWZGJC67]",
	.product = "Apple Mobile Device (Recovery Mode)",
	.manufacturer = "Apple Inc.",
};

static void test_hub_depth(void **state)
{
	static const struct {
		const char *port;
		int result;
		unsigned depth;
	} rows[] = {
		{ "1-2", 0, 0 },
		{ "1-2.3", 0, 1 },
		{ "12-10.4.1", 0, 2 },
		{ "1-1.1.1.1.1.1", 0, 5 },
		{ "1-1.1.1.1.1.1.1", -EINVAL, 0 },
		{ "usb1", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "1", -EINVAL, 0 },
		{ "1-", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "1-2.", -EINVAL, 0 },
		{ "1-2:1.0", -EINVAL, 0 },
		{ "1-0", -EINVAL, 0 },
		{ "0-1", -EINVAL, 0 },
		{ "1-2.3x", -EINVAL, 0 },
		{ " 1-2", -EINVAL, 0 },
		{ "1-22222222222222222222222222222", 0, 0 },
		{ "1-222222222222222222222222222222", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned depth = 99;

		if (sighting_hub_depth(rows[i].port, &depth) != rows[i].result)
			fail_msg("port \"%s\"", rows[i].port);
		assert_int_equal(depth, rows[i].result == 0 ? rows[i].depth : 99);
	}
}

static void assert_same(const struct sighting *a, const struct sighting *b)
{
	assert_string_equal(a->syspath, b->syspath);
	assert_string_equal(a->port, b->port);
	assert_int_equal(a->bus, b->bus);
	assert_int_equal(a->address, b->address);
	assert_int_equal(a->vid, b->vid);
	assert_int_equal(a->pid, b->pid);
	assert_int_equal(a->speed_mbps, b->speed_mbps);
	assert_int_equal(a->hub_depth, b->hub_depth);
	assert_int_equal(a->configuration, b->configuration);
	assert_int_equal(a->max_power_ma, b->max_power_ma);
	assert_int_equal(a->usb_version, b->usb_version);
	assert_string_equal(a->interfaces, b->interfaces);
	assert_string_equal(a->serial, b->serial);
	assert_string_equal(a->product, b->product);
	assert_string_equal(a->manufacturer, b->manufacturer);
}

static void test_round_trip(void **state)
{
	for (int change = 0; change < SIGHTING_CHANGE_MAX; change++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
		enum sighting_change read_change;
		struct sighting read;

		assert_true(sighting_to_json((enum sighting_change)change, &example, &object) >= 0);
		assert_int_equal(sighting_from_json(object, &read_change, &read), 0);
		assert_int_equal(read_change, change);
		assert_same(&read, &example);
	}
}

static void test_names(void **state)
{
	assert_string_equal(sighting_change_name(SIGHTING_APPEARED), "appeared");
	assert_string_equal(sighting_change_name(SIGHTING_CHANGED), "changed");
	assert_string_equal(sighting_change_name(SIGHTING_GONE), "gone");
}

static int read_text(const char *text, enum sighting_change *change, struct sighting *sighting)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

	assert_true(sd_json_parse(text, 0, &object, NULL, NULL) >= 0);
	return sighting_from_json(object, change, sighting);
}

static void test_form_of_a_line(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_free_ char *text = NULL;

	assert_true(sighting_to_json(SIGHTING_APPEARED, &example, &object) >= 0);
	assert_true(sd_json_variant_format(object, 0, &text) >= 0);
	assert_string_equal(
	    text, "{\"v\":1,\"type\":\"sighting\",\"change\":\"appeared\",\"syspath\":"
		  "\"/sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2.3\",\"port\":\"1-2.3\","
		  "\"bus\":1,\"address\":17,\"vid\":\"0x05ac\",\"pid\":\"0x1281\","
		  "\"speed_mbps\":480,\"hub_depth\":1,\"configuration\":1,"
		  "\"max_power_ma\":500,\"usb_version\":\"0x0210\","
		  "\"interfaces\":\"06/01/01 ff/fe/02\",\"serial\":"
		  "\"CPID:8110 BDID:0A ECID:001C20223E29401E SRNM:[F4HVWWZGJC67]\",\"product\":"
		  "\"Apple Mobile Device (Recovery Mode)\",\"manufacturer\":\"Apple Inc.\"}");
}

#define HEAD  "\"v\":1,\"type\":\"sighting\","
#define PLACE "\"syspath\":\"/sys/x/1-2\",\"port\":\"1-2\","
#define IDS   "\"bus\":1,\"address\":2,\"vid\":\"0x05ac\",\"pid\":\"0x12a8\""
#define GOOD  HEAD "\"change\":\"appeared\"," PLACE IDS

static void test_accepts(void **state)
{
	static const char *const lines[] = {
		"{" GOOD "}",
		"{" GOOD ",\"future\":{\"a\":[1]}}",
		"{" HEAD "\"change\":\"gone\"," PLACE "\"serial\":\"\"}",
		"{" GOOD ",\"speed_mbps\":20000,\"configuration\":255}",
		"{" GOOD ",\"max_power_ma\":2040,\"usb_version\":\"0x0320\"}",
		"{" GOOD ",\"interfaces\":\"\"}",
		"{" GOOD ",\"interfaces\":\"06/01/01\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		enum sighting_change change;
		struct sighting sighting;

		if (read_text(lines[i], &change, &sighting) != 0)
			fail_msg("refused: %s", lines[i]);
		assert_string_equal(sighting.port, "1-2");
	}
}

static void test_refuses(void **state)
{
	static const char *const lines[] = {
		"{}",
		"{" GOOD ",\"v\":1}",
		"{\"v\":2,\"type\":\"sighting\",\"change\":\"gone\"," PLACE IDS "}",
		"{\"v\":\"1\",\"type\":\"sighting\",\"change\":\"gone\"," PLACE IDS "}",
		"{\"v\":null,\"type\":\"sighting\",\"change\":\"gone\"," PLACE IDS "}",
		"{\"type\":\"sighting\",\"change\":\"gone\"," PLACE IDS "}",
		"{\"v\":1,\"type\":\"event\",\"change\":\"gone\"," PLACE IDS "}",
		"{" HEAD "\"change\":\"came\"," PLACE IDS "}",
		"{" HEAD PLACE IDS "}",
		"{" HEAD "\"change\":\"gone\",\"syspath\":\"/sys/x\"}",
		"{" HEAD "\"change\":\"gone\",\"syspath\":\"x\",\"port\":\"1-2\"}",
		"{" HEAD "\"change\":\"gone\",\"syspath\":\"\",\"port\":\"1-2\"}",
		"{" HEAD "\"change\":\"gone\",\"syspath\":\"/sys/\\u0007\",\"port\":\"1-2\"}",
		"{" HEAD "\"change\":\"gone\",\"syspath\":\"/sys/x\",\"port\":\"usb1\"}",
		"{" HEAD "\"change\":\"appeared\"," PLACE "\"vid\":\"0x05ac\",\"pid\":\"0x12a8\"}",
		"{" HEAD "\"change\":\"appeared\"," PLACE "\"bus\":1,\"address\":2}",
		"{" HEAD "\"change\":\"appeared\"," PLACE
		"\"bus\":1,\"address\":2,\"vid\":1452,\"pid\":\"0x12a8\"}",
		"{" HEAD "\"change\":\"appeared\"," PLACE
		"\"bus\":1,\"address\":2,\"vid\":\"05ac\",\"pid\":\"0x12a8\"}",
		"{" HEAD "\"change\":\"appeared\"," PLACE
		"\"bus\":1,\"address\":2,\"vid\":\"0x05ac\",\"pid\":\"0x12a8a\"}",
		"{" HEAD "\"change\":\"appeared\"," PLACE
		"\"bus\":1,\"address\":128,\"vid\":\"0x05ac\",\"pid\":\"0x12a8\"}",
		"{" HEAD "\"change\":\"appeared\"," PLACE
		"\"bus\":-1,\"address\":1,\"vid\":\"0x05ac\",\"pid\":\"0x12a8\"}",
		"{" HEAD "\"change\":\"appeared\"," PLACE
		"\"bus\":\"1\",\"address\":1,\"vid\":\"0x05ac\",\"pid\":\"0x12a8\"}",
		"{" HEAD "\"change\":\"appeared\"," PLACE
		"\"bus\":70000,\"address\":1,\"vid\":\"0x05ac\",\"pid\":\"0x12a8\"}",
		"{" GOOD ",\"speed_mbps\":null}",
		"{" GOOD ",\"speed_mbps\":99999999999}",
		"{" GOOD ",\"speed_mbps\":1.5}",
		"{" GOOD ",\"configuration\":256}",
		"{" GOOD ",\"max_power_ma\":99999}",
		"{" GOOD ",\"usb_version\":\"2.10\"}",
		"{" GOOD ",\"usb_version\":528}",
		"{" GOOD ",\"interfaces\":7}",
		"{" GOOD ",\"interfaces\":\"06/01\"}",
		"{" GOOD ",\"interfaces\":\"06/01/01 \"}",
		"{" GOOD ",\"interfaces\":\" 06/01/01\"}",
		"{" GOOD ",\"interfaces\":\"06/01/01ff/fe/02\"}",
		"{" GOOD ",\"interfaces\":\"06/01/01  ff/fe/02\"}",
		"{" GOOD ",\"interfaces\":\"FF/FE/02\"}",
		"{" GOOD ",\"interfaces\":\"06-01-01\"}",
		"{" GOOD ",\"interfaces\":\"06/01/01 06/01/01 06/01/01 06/01/01 06/01/01 "
		"06/01/01 06/01/01 06/01/01\"}",
		"{" GOOD ",\"serial\":null}",
		"{" GOOD ",\"serial\":7}",
		"{" GOOD ",\"serial\":\"\\u0001\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		enum sighting_change change = SIGHTING_CHANGE_MAX;
		struct sighting sighting = { .bus = 77 };

		if (read_text(lines[i], &change, &sighting) != -EBADMSG)
			fail_msg("accepted: %s", lines[i]);
		assert_int_equal(change, SIGHTING_CHANGE_MAX);
		assert_int_equal(sighting.bus, 77);
	}
}

static void test_length_ceiling(void **state)
{
	char line[1024];
	enum sighting_change change;
	struct sighting sighting;

	snprintf(line, sizeof(line), "{" GOOD ",\"serial\":\"%0*d\"}", SIGHTING_STRING_BYTES - 1,
		 0);
	assert_int_equal(read_text(line, &change, &sighting), 0);
	snprintf(line, sizeof(line), "{" GOOD ",\"serial\":\"%0*d\"}", SIGHTING_STRING_BYTES, 0);
	assert_int_equal(read_text(line, &change, &sighting), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hub_depth),      cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_names),          cmocka_unit_test(test_form_of_a_line),
		cmocka_unit_test(test_accepts),        cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_length_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
