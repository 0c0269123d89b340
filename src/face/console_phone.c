/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the console reads from one phone of the interface (type Phone, service/interface.c). */
#include "face/console_model.h"
#include "face/console_text.h"
#include <string.h>

static sd_json_variant *phone_field(const struct console_phone *phone, const char *field)
{
	return sd_json_variant_by_key(phone->object, field);
}

const char *console_phone_text(const struct console_phone *phone, const char *field)
{
	sd_json_variant *value = phone_field(phone, field);

	return value && sd_json_variant_is_string(value) ? sd_json_variant_string(value) : "";
}

int64_t console_phone_number(const struct console_phone *phone, const char *field)
{
	sd_json_variant *value = phone_field(phone, field);

	return value && sd_json_variant_is_integer(value) ? sd_json_variant_integer(value) : 0;
}

bool console_phone_is(const struct console_phone *phone, const char *field)
{
	sd_json_variant *value = phone_field(phone, field);

	return value && sd_json_variant_is_boolean(value) && sd_json_variant_boolean(value);
}

enum mode console_phone_mode(const struct console_phone *phone)
{
	return mode_from_name(console_phone_text(phone, "mode"));
}

enum presence console_phone_presence(const struct console_phone *phone)
{
	const char *name = console_phone_text(phone, "presence");

	for (enum presence p = 0; p < PRESENCE_MAX; p++)
		if (strcmp(presence_name(p), name) == 0)
			return p;
	return PRESENCE_PRESENT;
}

const char *console_phone_label(const struct console_phone *phone)
{
	static const char *const fields[] = { "name", "model", "product" };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (*console_phone_text(phone, fields[i]))
			return console_phone_text(phone, fields[i]);
	return console_text("console-some-phone");
}

const struct model *console_phone_model(const struct console_phone *phone)
{
	const struct model *model = model_by_board(console_phone_text(phone, "board"));

	if (!model)
		model = model_by_product(console_phone_text(phone, "product"));
	return model;
}

const char *console_phone_last4(const struct console_phone *phone)
{
	static const char *const fields[] = { "serial_number", "srnm", "ecid" };

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		const char *text = console_phone_text(phone, fields[i]);
		size_t bytes = strlen(text);

		if (bytes >= 4)
			return text + bytes - 4;
	}
	return "";
}
