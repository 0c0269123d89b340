/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "phone/identity.h"
#include "sightings.h"
#include "unit.h"
#include <errno.h>
#include <string.h>

static struct identity from_sighting(uint16_t pid, const char *serial)
{
	struct sighting sighting = sighting_make("1-2", 5, pid, serial);
	struct identity identity;

	memset(&identity, 0xa5, sizeof(identity)); /* always filled */
	identity_from_sighting(&sighting, usb_id_find(sighting.vid, pid), &identity);
	return identity;
}

static void test_what_a_sighting_tells(void **state)
{
	static const struct {
		uint16_t pid;
		const char *serial;
		uint64_t ecid;
		const char *udid, *product, *serial_number;
	} rows[] = {
		{ PID_NORMAL, NORMAL_A, ECID_A, UDID_A, "", "" },
		{ PID_NORMAL, UDID_OLD, 0, UDID_OLD, "", "" },
		{ PID_NORMAL, "", 0, "", "", "" },
		{ PID_NORMAL, "garbage", 0, "", "", "" },
		/* a booted phone does not speak as iBoot, iBoot not as a booted phone */
		{ PID_NORMAL, RECOVERY_A, 0, "", "", "" },
		{ PID_RECOVERY, NORMAL_A, 0, "", "", "" },
		{ PID_RECOVERY, RECOVERY_A, ECID_A, "", "iPhone14,5", "F4HVWWZGJC67" },
		{ PID_DFU, DFU_A, ECID_A, "", "iPhone14,5", "" },
		{ PID_DFU, "CPID:8010 CPRV:11 BDID:08 ECID:ZZZZ", 0, "", "iPhone9,1", "" },
		{ PID_DFU, "Apple Mobile Device (DFU Mode)", 0, "", "", "" },
		/* the ECID is the port controller's */
		{ PID_PORT_DFU, PORT_DFU_A, 0, "", "iPhone14,5", "" },
		{ PID_PORT_DFU, "", 0, "", "", "" },
		{ PID_DEBUG_USB, "", 0, "", "", "" },
		{ 0x4141, DFU_A, ECID_A, "", "iPhone14,5", "" }, /* an id that is not known */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct identity identity = from_sighting(rows[i].pid, rows[i].serial);

		if (identity.ecid != rows[i].ecid)
			fail_msg("row %zu: ECID %llx", i, (unsigned long long)identity.ecid);
		assert_string_equal(identity.udid, rows[i].udid);
		assert_string_equal(identity.product, rows[i].product);
		assert_string_equal(identity.serial_number, rows[i].serial_number);
		assert_string_equal(identity.name, "");
		assert_string_equal(identity.ap_nonce, "");
		assert_int_equal(identity.model != NULL, rows[i].product[0] != '\0');
	}
}

static int read_text(const char *text, struct identity *ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

	assert_true(sd_json_parse(text, 0, &object, NULL, NULL) >= 0);
	return identity_from_json(object, ret);
}

static void test_worker_answer_normal(void **state)
{
	struct identity identity;

	assert_int_equal(read_text("{\"ecid\":\"0x001c20223e29401e\",\"udid\":\"" UDID_A
				   "\",\"product\":\"iPhone14,5\",\"board\":\"D17AP\","
				   "\"name\":\"Ada\",\"version\":\"17.5.1\",\"build\":\"21F90\","
				   "\"serial_number\":\"F4HVWWZGJC67\",\"later\":[1]}",
				   &identity),
			 0);
	assert_int_equal(identity.ecid, ECID_A);
	assert_string_equal(identity.udid, UDID_A);
	assert_string_equal(identity.name, "Ada");
	assert_string_equal(identity.version, "17.5.1");
	assert_string_equal(identity.build, "21F90");
	assert_string_equal(identity.serial_number, "F4HVWWZGJC67");
	assert_string_equal(identity.product, "iPhone14,5");
	assert_non_null(identity.model);
	assert_string_equal(identity.model->board, "d17ap");
	assert_string_equal(identity_label(&identity), "Ada");
	assert_int_equal(identity.iboot.has, 0);
}

static void test_worker_tells_the_condition(void **state)
{
	struct identity identity, known = { 0 };

	assert_int_equal(read_text("{}", &identity), 0);
	assert_false(identity.free_known);
	assert_int_equal(identity.setup_done, TOLD_NOTHING);
	assert_int_equal(identity_learn(&known, &identity), 0);
	assert_int_equal(read_text("{\"free_bytes\":0,\"activation\":\"Unactivated\","
				   "\"setup_done\":false,\"supervised\":true,\"lost_mode\":false,"
				   "\"passcode_set\":true}",
				   &identity),
			 0);
	assert_true(identity.free_known);
	assert_int_equal(identity.free_bytes, 0);
	assert_string_equal(identity.activation, "Unactivated");
	assert_int_equal(identity.setup_done, TOLD_NO);
	assert_int_equal(identity.supervised, TOLD_YES);
	assert_int_equal(identity.lost_mode, TOLD_NO);
	assert_int_equal(identity.passcode_set, TOLD_YES);
	assert_int_equal(identity_learn(&known, &identity), 1);
	assert_int_equal(identity_learn(&known, &identity), 0);
	assert_int_equal(known.lost_mode, TOLD_NO);
	/* the latest counts, and what is not said stays */
	assert_int_equal(read_text("{\"setup_done\":true}", &identity), 0);
	assert_int_equal(identity_learn(&known, &identity), 1);
	assert_int_equal(known.setup_done, TOLD_YES);
	assert_int_equal(known.supervised, TOLD_YES);
	assert_int_equal(read_text("{\"setup_done\":\"yes\"}", &identity), -EBADMSG);
	assert_int_equal(read_text("{\"free_bytes\":-1}", &identity), -EBADMSG);
}

static void test_worker_answer_recovery(void **state)
{
	struct identity identity;

	assert_int_equal(read_text("{\"serial_string\":\"" RECOVERY_A
				   "\",\"nonce_string\":\" NONC:\","
				   "\"ap_nonce\":\"00ff\",\"sep_nonce\":\"\"}",
				   &identity),
			 0);
	assert_int_equal(identity.ecid, ECID_A);
	assert_int_equal(identity.iboot.cpid, 0x8110);
	assert_int_equal(identity.iboot.bdid, 0x0a);
	assert_int_equal(identity.iboot.ibfl, 0x3d);
	assert_string_equal(identity.ap_nonce, "00ff");
	assert_string_equal(identity.sep_nonce, "");
	assert_string_equal(identity.product, "iPhone14,5");
	assert_string_equal(identity.serial_number, "F4HVWWZGJC67");
	/* the phone talks nonsense: that is no mistake of the worker's */
	assert_int_equal(read_text("{\"serial_string\":\"CPID:FFFFFFFF BDID:00\"}", &identity), 0);
	assert_int_equal(identity.iboot.has, IBOOT_HAS_BDID);
	assert_int_equal(read_text("{\"serial_string\":\"\\u0001\"}", &identity), 0);
	assert_int_equal(read_text("{}", &identity), 0);
	assert_int_equal(identity.iboot.has, 0);
}

static void test_worker_answer_refused(void **state)
{
	static const char *const texts[] = {
		"[]",
		"{\"ecid\":7}",
		"{\"ecid\":null}",
		"{\"ecid\":\"001c20223e29401e\"}",
		"{\"ecid\":\"0x1c20223e29401e\"}",
		"{\"ecid\":\"0x001c20223e29401g\"}",
		"{\"ecid\":\"0x001c20223e29401e \"}",
		"{\"udid\":\"\"}",
		"{\"udid\":\"00008110\"}",
		"{\"udid\":null}",
		"{\"udid\":\"" UDID_A "\",\"ecid\":\"0x0000000000000007\"}",
		"{\"name\":null}",
		"{\"name\":7}",
		"{\"serial_string\":7}",
		"{\"serial_string\":\"ECID:7\",\"ecid\":\"0x0000000000000008\"}",
		"{\"serial_string\":\"ECID:7\",\"udid\":\"" UDID_A "\"}",
		"{\"ap_nonce\":\"0\"}",
		"{\"ap_nonce\":\"FF\"}",
		"{\"ap_nonce\":\"zz\"}",
		"{\"ap_nonce\":\"0000000000000000000000000000000000000000000000000000000000000000"
		"00\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct identity identity = { .ecid = 77 };

		if (read_text(texts[i], &identity) != -EBADMSG)
			fail_msg("accepted: %s", texts[i]);
		assert_int_equal(identity.ecid, 77);
	}
}

static void test_texts_are_cut_at_characters(void **state)
{
	char text[512] = "{\"name\":\"";
	struct identity identity;

	for (int i = 0; i < 100; i++)
		strncat(text, "ä", sizeof(text) - strlen(text) - 1);
	strncat(text, "\\u0007\"}", sizeof(text) - strlen(text) - 1);
	assert_int_equal(read_text(text, &identity), 0);
	assert_int_equal(strlen(identity.name), 126);
}

static struct identity make(uint64_t ecid, const char *udid)
{
	struct identity identity = { .ecid = ecid };

	snprintf(identity.udid, sizeof(identity.udid), "%s", udid);
	return identity;
}

static void test_compare(void **state)
{
	static const char other[] = "ffffffffffffffffffffffffffffffffffffffff";
	static const struct {
		uint64_t ecid;
		const char *udid;
		uint64_t other_ecid;
		const char *other_udid;
		enum identity_tie tie;
	} rows[] = {
		{ 0, "", 0, "", TIE_UNCERTAIN },
		{ 1, "", 0, "", TIE_UNCERTAIN },
		{ 1, "", 0, UDID_OLD, TIE_UNCERTAIN },
		{ 0, UDID_OLD, 1, "", TIE_UNCERTAIN },
		{ 1, "", 1, "", TIE_ECID },
		{ 1, "", 2, "", TIE_DIFFERENT },
		{ 1, UDID_OLD, 2, UDID_OLD, TIE_DIFFERENT },
		{ 1, UDID_OLD, 1, other, TIE_ECID },
		{ 0, UDID_OLD, 0, UDID_OLD, TIE_UDID },
		{ 0, UDID_OLD, 1, UDID_OLD, TIE_UDID },
		{ 0, UDID_OLD, 0, other, TIE_DIFFERENT },
		{ 1, UDID_OLD, 0, other, TIE_DIFFERENT },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct identity a = make(rows[i].ecid, rows[i].udid);
		struct identity b = make(rows[i].other_ecid, rows[i].other_udid);

		if (identity_compare(&a, &b) != rows[i].tie)
			fail_msg("row %zu", i);
		assert_int_equal(identity_compare(&b, &a), rows[i].tie);
	}
}

static void test_learn(void **state)
{
	struct identity known = from_sighting(PID_RECOVERY, RECOVERY_A), before;
	struct identity news = { 0 }, normal = from_sighting(PID_NORMAL, NORMAL_A);

	assert_int_equal(identity_learn(&known, &news), 0); /* nothing replaces nothing */
	assert_string_equal(known.serial_number, "F4HVWWZGJC67");
	assert_int_equal(identity_learn(&known, &normal), 1);
	assert_string_equal(known.udid, UDID_A);
	assert_int_equal(known.iboot.cpid, 0x8110); /* what recovery told stays */
	assert_int_equal(identity_learn(&known, &normal), 0);
	snprintf(news.name, sizeof(news.name), "Ada");
	assert_int_equal(identity_learn(&known, &news), 1);
	snprintf(news.name, sizeof(news.name), "Ada's");
	assert_int_equal(identity_learn(&known, &news), 1);
	assert_string_equal(known.name, "Ada's");
	before = known;
	news.ecid = ECID_B;
	snprintf(news.name, sizeof(news.name), "Bob");
	assert_int_equal(identity_learn(&known, &news), -EXDEV);
	news.ecid = ECID_A;
	snprintf(news.udid, sizeof(news.udid), UDID_OLD);
	assert_int_equal(identity_learn(&known, &news), -EXDEV);
	assert_memory_equal(&known, &before, sizeof(known)); /* not mixed */
}

static struct identity known_by_chip(const struct model *model)
{
	char serial[64];

	snprintf(serial, sizeof(serial), "CPID:%04X BDID:%02X", model->cpid, model->bdid);
	return from_sighting(PID_DFU, serial);
}

static void test_model_of_a_shared_product(void **state)
{
	const struct model *models[] = { model_by_board("n71ap"), model_by_board("n71map") };
	struct identity known, news;

	assert_non_null(models[0]);
	assert_non_null(models[1]);
	assert_ptr_not_equal(models[0], models[1]);
	assert_string_equal(models[0]->product, models[1]->product);
	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		/* the chip says which; the product's name alone must not displace it */
		known = known_by_chip(models[i]);
		news = (struct identity){ .model = model_by_product(models[i]->product) };
		assert_int_equal(identity_learn(&known, &news), 0);
		assert_ptr_equal(known.model, models[i]);
		/* and the chip displaces what the name had led to */
		known = (struct identity){ .model = models[1 - i] };
		news = known_by_chip(models[i]);
		assert_int_equal(identity_learn(&known, &news), 1);
		assert_ptr_equal(known.model, models[i]);
	}
}

static void test_label(void **state)
{
	struct identity identity = { 0 };

	assert_null(identity_label(&identity));
	snprintf(identity.product, sizeof(identity.product), "iPhone99,1");
	assert_string_equal(identity_label(&identity), "iPhone99,1");
	identity.model = model_by_product("iPhone14,5");
	assert_string_equal(identity_label(&identity), "iPhone 13");
	snprintf(identity.name, sizeof(identity.name), "Ada");
	assert_string_equal(identity_label(&identity), "Ada");
}

static void test_forget_boot(void **state)
{
	struct identity identity = from_sighting(PID_DFU, DFU_A);

	snprintf(identity.ap_nonce, sizeof(identity.ap_nonce), "00");
	snprintf(identity.sep_nonce, sizeof(identity.sep_nonce), "11");
	snprintf(identity.iboot.pwnd, sizeof(identity.iboot.pwnd), "checkm8");
	identity_forget_boot(&identity);
	assert_string_equal(identity.ap_nonce, "");
	assert_string_equal(identity.sep_nonce, "");
	assert_string_equal(identity.iboot.pwnd, "");
	assert_int_equal(identity.ecid, ECID_A);
	assert_string_equal(identity.iboot.srtg, "iBoot-6338.0.0.200.19");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_sighting_tells),
		cmocka_unit_test(test_worker_answer_normal),
		cmocka_unit_test(test_worker_tells_the_condition),
		cmocka_unit_test(test_worker_answer_recovery),
		cmocka_unit_test(test_worker_answer_refused),
		cmocka_unit_test(test_texts_are_cut_at_characters),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_learn),
		cmocka_unit_test(test_model_of_a_shared_product),
		cmocka_unit_test(test_label),
		cmocka_unit_test(test_forget_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
