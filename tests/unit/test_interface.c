/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The interface as text, and that phones of every kind fit into it. */
#include "base/cleanup.h"
#include "doctor/lights.h"
#include "idl_check.h"
#include "phone/phone.h"
#include "service/interface.h"
#include "service/server.h"
#include "unit.h"
#include <stdio.h>

#define GOLDEN "tests/unit/golden/service.varlink"

static char *file_read(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = calloc(1, 256 * 1024);

	if (file) {
		assert_true(fread(text, 1, 256 * 1024 - 1, file) > 0);
		fclose(file);
	}
	return text;
}

static void test_golden(void **state)
{
	_cleanup_free_ char *text = NULL, *golden = NULL;

	assert_true(sd_varlink_idl_format(&vl_interface_org_idevicerescue, &text) >= 0);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *file = fopen(GOLDEN, "we");

		assert_non_null(file);
		fputs(text, file);
		assert_int_equal(fclose(file), 0);
	}
	golden = file_read(GOLDEN);
	assert_string_equal(text, golden);
}

static void test_golden_is_valid(void **state)
{
	_cleanup_free_ char *golden = file_read(GOLDEN), *again = NULL;
	sd_varlink_interface *parsed = NULL;
	unsigned line = 0, column = 0;

	if (sd_varlink_idl_parse(golden, &line, &column, &parsed) < 0)
		fail_msg("%s:%u:%u", GOLDEN, line, column);
	assert_true(sd_varlink_idl_format(parsed, &again) >= 0);
	assert_string_equal(golden, again);
	sd_varlink_interface_free(parsed);
}

static void test_bound_methods_are_those_of_the_interface(void **state)
{
	size_t bound = 0, declared = 0;

	for (; server_methods[bound].name; bound++) {
		const char *name = strrchr(server_methods[bound].name, '.') + 1;

		assert_memory_equal(server_methods[bound].name, INTERFACE_NAME ".",
				    strlen(INTERFACE_NAME) + 1);
		assert_non_null(idl_find(&vl_interface_org_idevicerescue, SD_VARLINK_METHOD, name));
	}
	for (size_t i = 0; vl_interface_org_idevicerescue.symbols[i]; i++)
		declared +=
		    vl_interface_org_idevicerescue.symbols[i]->symbol_type == SD_VARLINK_METHOD;
	assert_int_equal(bound, declared);
}

/* All that a phone can be: the interface must have a place for each field. */
static void phone_fill(struct phone *phone)
{
	struct identity *identity = &phone->identity;

	*identity = (struct identity){
		.ecid = 0x1c20223e29401e,
		.udid = "00008110-001C20223E29401E",
		.model = model_by_board("d17ap"),
		.product = "iPhone14,5",
		.name = "Anna",
		.version = "17.5.1",
		.build = "21F90",
		.serial_number = "F2LX12345678",
		.capacity_bytes = 128000000000,
		.free_bytes = 64000000000,
		.free_known = true,
		.activation = "Activated",
		.setup_done = TOLD_YES,
		.supervised = TOLD_NO,
		.lost_mode = TOLD_NO,
		.passcode_set = TOLD_YES,
		.battery = 81,
		.battery_charging = true,
		.iboot = { .has = ~0U,
			   .ecid = 0x1c20223e29401e,
			   .cpid = 0x8110,
			   .bdid = 0x0a,
			   .ibfl = 0x3d,
			   .srnm = "F2LX12345678",
			   .srtg = "iBoot-6723.0.0.42.38",
			   .imei = "356938035643809",
			   .pwnd = "checkm8" },
		.ap_nonce = "0123",
		.sep_nonce = "4567",
	};
	phone->on_bus = phone->in_mux = true;
	phone->trust_known = phone->has_record = phone->record_broken = true;
	phone->detail = DETAIL_ESCROW;
	phone->reach = REACH_LOCKDOWN;
	phone->flaps = PHONE_FLAPS_MANY;
	phone->recoveries = PHONE_RECOVERIES_MANY;
	phone->trust_losses = 1;
	snprintf(phone->job, sizeof(phone->job), "20261122-0612-x4k7");
	(void)error_set(&phone->trust_reason, ERROR_REFUSED, "lockdownd", -21, "it forgot us");
	phone->sighting = (struct sighting){
		.syspath = "/sys/devices/x/1-2.3",
		.port = "1-2.3",
		.bus = 1,
		.address = 9,
		.vid = USB_VENDOR_APPLE,
		.pid = 0x1281,
		.speed_mbps = 480,
		.hub_depth = 1,
		.configuration = 1,
		.max_power_ma = 500,
	};
}

/* The object as the server makes it: the phone and its lights, of which one has failed. */
static void phone_object(const struct phone *phone, sd_json_variant **ret)
{
	struct circumstances seen = { .phone = phone };
	struct light_seen lights[LIGHT_MAX];

	assert_int_equal(phone_to_json(phone, ret), 0);
	lights_see(&seen, lights);
	assert_int_equal(lights_to_json(lights, ret), 0);
}

static void phone_check(const struct phone *phone)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	const sd_varlink_symbol *type =
	    idl_find(&vl_interface_org_idevicerescue, SD_VARLINK_STRUCT_TYPE, "Phone");

	assert_non_null(type);
	phone_object(phone, &object);
	assert_true(idl_check(type, SD_VARLINK_REGULAR, object));
}

static void test_every_phone_fits(void **state)
{
	struct phone phone = { .id = 1 };

	phone_check(&phone); /* nothing is known */
	phone_fill(&phone);
	assert_non_null(phone.identity.model);
	for (int mode = 0; mode < MODE_MAX; mode++)
		for (int presence = 0; presence < PRESENCE_MAX; presence++)
			for (int trust = 0; trust < TRUST_MAX; trust++) {
				phone.mode = (enum mode)mode;
				phone.presence = (enum presence)presence;
				phone.trust = (enum trust)trust;
				phone_check(&phone);
			}
}

/* The other way round: a field of the interface that no phone ever has would be a lie. */
static void test_every_field_is_used(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	const sd_varlink_symbol *type =
	    idl_find(&vl_interface_org_idevicerescue, SD_VARLINK_STRUCT_TYPE, "Phone");
	struct phone phone = { .id = 1, .mode = MODE_NORMAL };

	phone_fill(&phone);
	phone_object(&phone, &object);
	for (const sd_varlink_field *field = type->fields; field->field_type != 0; field++)
		if (field->field_type != _SD_VARLINK_FIELD_COMMENT &&
		    !sd_json_variant_by_key(object, field->name))
			fail_msg("no phone has the field %s", field->name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_golden_is_valid),
		cmocka_unit_test(test_bound_methods_are_those_of_the_interface),
		cmocka_unit_test(test_every_phone_fits),
		cmocka_unit_test(test_every_field_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
