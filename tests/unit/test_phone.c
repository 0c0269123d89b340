/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/clock.h"
#include "phone/phone.h"
#include "sightings.h"
#include "unit.h"
#include <string.h>

static struct phone make(uint16_t pid, const char *serial)
{
	struct phone phone = {
		.id = 1,
		.presence = PRESENCE_PRESENT,
		.sighting = sighting_make("1-2.3", 17, pid, serial),
		.on_bus = true,
		.enumerations = 2,
		.since_ms = clock_now_ms(),
	};
	const struct usb_id *id = usb_id_find(USB_VENDOR_APPLE, pid);

	phone.mode = id ? id->mode : MODE_UNKNOWN;
	identity_from_sighting(&phone.sighting, id, &phone.identity);
	return phone;
}

static void test_names(void **state)
{
	assert_string_equal(presence_name(PRESENCE_SETTLING), "settling");
	assert_string_equal(presence_name(PRESENCE_PRESENT), "present");
	assert_string_equal(presence_name(PRESENCE_AWAITED), "awaited");
	assert_string_equal(presence_name(PRESENCE_GONE), "gone");
	for (int i = 0; i < TRUST_MAX; i++)
		assert_non_null(trust_name((enum trust)i));
	assert_string_equal(trust_name(TRUST_REFUSED_BY_POLICY), "refused-by-policy");
}

static void test_key(void **state)
{
	struct phone phone = make(PID_RECOVERY, RECOVERY_A);
	char key[PHONE_KEY_BYTES];

	phone_key(&phone, key);
	assert_string_equal(key, "ecid:0x001c20223e29401e");
	phone = make(PID_NORMAL, UDID_OLD);
	phone_key(&phone, key);
	assert_string_equal(key, "udid:" UDID_OLD);
	phone = make(PID_DFU, "");
	phone_key(&phone, key);
	assert_string_equal(key, "port:1-2.3");
}

/* The object's text without since_ms, which is a wall clock. */
static char *to_text(const struct phone *phone)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	char *text = NULL;

	assert_true(phone_to_json(phone, &object) >= 0);
	assert_true(sd_json_variant_is_unsigned(sd_json_variant_by_key(object, "since_ms")));
	assert_true(sd_json_variant_filter(&object, (char *[]){ (char *)"since_ms", NULL }) >= 0);
	assert_true(sd_json_variant_format(object, 0, &text) >= 0);
	return text;
}

static void test_json_recovery(void **state)
{
	struct phone phone = make(PID_RECOVERY, RECOVERY_A);
	_cleanup_free_ char *text = NULL, *expected = NULL;
	const struct model *model = phone.identity.model;

	snprintf(phone.identity.ap_nonce, sizeof(phone.identity.ap_nonce), "00ff");
	assert_non_null(model);
	text = to_text(&phone);
	assert_true(
	    asprintf(&expected,
		     "{\"key\":\"ecid:0x001c20223e29401e\",\"presence\":\"present\","
		     "\"mode\":\"recovery\",\"mode_label\":\"%s\",\"trust\":\"unknown\","
		     "\"ecid\":\"0x001c20223e29401e\",\"label\":\"iPhone 13\","
		     "\"product\":\"iPhone14,5\",\"board\":\"d17ap\",\"model\":\"iPhone 13\","
		     "\"family\":\"iphone\",\"buttons\":\"%s\",\"year\":%u,"
		     "\"serial_number\":\"F4HVWWZGJC67\",\"ap_nonce\":\"00ff\",\"cpid\":\"0x8110\","
		     "\"bdid\":\"0x0a\",\"cprv\":\"0x11\",\"cpfm\":\"0x03\",\"scep\":\"0x01\","
		     "\"ibfl\":\"0x3d\",\"iboot_flags\":[\"unknown-0\",\"image4-aware\","
		     "\"effective-security\",\"effective-production\",\"unknown-5\"],"
		     "\"srnm\":\"F4HVWWZGJC67\",\"port\":\"1-2.3\",\"bus\":1,\"address\":17,"
		     "\"usb_id\":\"05ac:1281\",\"speed_mbps\":480,\"hub_depth\":1,"
		     "\"configuration\":1,\"in_mux\":false,\"enumerations\":2}",
		     mode_fact(MODE_RECOVERY)->label, buttons_name(model->buttons),
		     model->year) > 0);
	assert_string_equal(text, expected);
}

/* Nothing is known, and it left: only what always is there. */
static void test_json_unknown_and_gone(void **state)
{
	struct phone phone = make(PID_DFU, "");
	_cleanup_free_ char *text = NULL, *expected = NULL;

	phone.presence = PRESENCE_GONE;
	phone.on_bus = false;
	text = to_text(&phone);
	assert_true(asprintf(&expected,
			     "{\"key\":\"port:1-2.3\",\"presence\":\"gone\",\"mode\":\"dfu\","
			     "\"mode_label\":\"%s\",\"trust\":\"unknown\",\"port\":\"1-2.3\","
			     "\"in_mux\":false,\"enumerations\":2}",
			     mode_fact(MODE_DFU)->label) > 0);
	assert_string_equal(text, expected);
}

static void test_json_no_flags_set(void **state)
{
	struct phone phone = make(PID_DFU, "CPID:8110 IBFL:00");
	_cleanup_free_ char *text = to_text(&phone);

	/* known to be none is not unknown */
	assert_non_null(strstr(text, "\"ibfl\":\"0x00\",\"iboot_flags\":[]"));
}

static void test_json_is_valid_for_odd_names(void **state)
{
	struct phone phone = make(PID_NORMAL, NORMAL_A);
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

	snprintf(phone.identity.name, sizeof(phone.identity.name), "\"\\ \u00e4\U0001f4f1");
	assert_true(phone_to_json(&phone, &object) >= 0);
	assert_string_equal(sd_json_variant_string(sd_json_variant_by_key(object, "name")),
			    "\"\\ \u00e4\U0001f4f1");
}

static void test_since_is_wall_clock(void **state)
{
	struct phone phone = make(PID_NORMAL, NORMAL_A);
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	uint64_t before = clock_wall_ms(), since;

	phone.since_ms = clock_now_ms() - 1000;
	assert_true(phone_to_json(&phone, &object) >= 0);
	since = sd_json_variant_unsigned(sd_json_variant_by_key(object, "since_ms"));
	assert_true(since + 1000 + 5 >= before);
	assert_true(since + 1000 <= clock_wall_ms() + 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_json_recovery),
		cmocka_unit_test(test_json_unknown_and_gone),
		cmocka_unit_test(test_json_no_flags_set),
		cmocka_unit_test(test_json_is_valid_for_odd_names),
		cmocka_unit_test(test_since_is_wall_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
