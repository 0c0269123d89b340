/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * models.tsv against the list inside the libirecovery that is linked: what `irecovery -q` prints
 * and what idevicerestore looks a phone up in must be what we show. Links with the worker's
 * libraries.
 */
#include "facts/facts.h"
#include "unit.h"
#include <libirecovery.h>
#include <stdio.h>
#include <string.h>

/* In the list of 1.3.1 and in ours; it has no model that is newer. */
enum { SHARED_MODELS_MIN = 175 };

static bool is_handset(const char *product)
{
	/* Apple's virtual machine for research is no phone that a cable leads to */
	if (strcmp(product, "iPhone99,11") == 0)
		return false;
	return strncmp(product, "iPhone", 6) == 0 || strncmp(product, "iPad", 4) == 0 ||
	       strncmp(product, "iPod", 4) == 0;
}

static void every_handset_of_libirecovery_is_ours(void **state)
{
	unsigned handsets = 0;

	for (irecv_device_t device = irecv_devices_get_all(); device->product_type; device++) {
		const struct model *model;

		if (!is_handset(device->product_type))
			continue;
		handsets++;
		model = model_by_chip(device->chip_id, device->board_id);
		if (!model)
			fail_msg("no row for %s", device->product_type);
		assert_string_equal(model->product, device->product_type);
		assert_string_equal(model->board, device->hardware_model);
		assert_string_equal(model->name, device->display_name);
	}
	assert_true(handsets >= SHARED_MODELS_MIN);
}

static void our_newer_rows_say_so(void **state)
{
	size_t count;
	const struct model *models = model_all(&count);

	for (size_t i = 0; i < count; i++) {
		irecv_device_t device = NULL;
		bool known = irecv_devices_get_device_by_hardware_model(models[i].board, &device) ==
				 IRECV_E_SUCCESS &&
			     device;

		if (!known && !strstr(models[i].source, "not in libirecovery"))
			fail_msg("libirecovery lacks %s, and its row does not say so",
				 models[i].product);
	}
}

static void usb_ids_of_libirecovery_are_ours(void **state)
{
	static const struct {
		uint16_t pid;
		enum mode mode;
	} rows[] = {
		{ IRECV_K_RECOVERY_MODE_1, MODE_RECOVERY },
		{ IRECV_K_RECOVERY_MODE_2, MODE_RECOVERY },
		{ IRECV_K_RECOVERY_MODE_3, MODE_RECOVERY },
		{ IRECV_K_RECOVERY_MODE_4, MODE_RECOVERY },
		{ IRECV_K_WTF_MODE, MODE_WTF },
		{ IRECV_K_DFU_MODE, MODE_DFU },
		{ IRECV_K_PORT_DFU_MODE, MODE_PORT_DFU },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct usb_id *id = usb_id_find(0x05ac, rows[i].pid);

		assert_non_null(id);
		assert_int_equal(id->mode, rows[i].mode);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_handset_of_libirecovery_is_ours),
		cmocka_unit_test(our_newer_rows_say_so),
		cmocka_unit_test(usb_ids_of_libirecovery_are_ours),
	};

	return cmocka_run_group_tests_name("worker models", tests, NULL, NULL);
}
