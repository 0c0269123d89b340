/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The three lights of a phone (doctor/lights.h), as the service reports them. */
#include "base/cleanup.h"
#include "doctor/lights.h"
#include "face/console_layout.h"
#include "face/console_text.h"
#include "service/fields.h"
#include <string.h>

enum { LABEL_COLUMNS = 20 };

/* What is said of a light, and its mark in the list. */
static const struct {
	const char *word; /* message id */
	const char *mark;
	enum screen_role role;
} states[LIGHT_STATE_MAX] = {
	[LIGHT_OFF] = { "console-light-off", ".", SCREEN_ROLE_DIM },
	[LIGHT_WORKING] = { "console-light-working", "+", SCREEN_ROLE_TEXT },
	[LIGHT_FAILED] = { "console-light-failed", "!", SCREEN_ROLE_ALERT },
};

static const char *const names[LIGHT_MAX] = {
	[LIGHT_USB] = "console-light-usb",
	[LIGHT_MUX] = "console-light-mux",
	[LIGHT_LINK] = "console-light-link",
};

/* The object of a light, NULL if the service did not tell it. */
static sd_json_variant *light_of(const struct console_phone *phone, enum light light)
{
	sd_json_variant *lights = field_array(phone->object, "lights");

	for (size_t i = 0; lights && i < sd_json_variant_elements(lights); i++) {
		sd_json_variant *one = sd_json_variant_by_index(lights, i);

		if (field_is(one, "light", light_name(light)))
			return one;
	}
	return NULL;
}

/* LIGHT_OFF for a word that we do not know. */
static enum light_state state_of(sd_json_variant *light)
{
	for (size_t i = 0; i < LIGHT_STATE_MAX; i++)
		if (field_is(light, "state", light_state_name((enum light_state)i)))
			return (enum light_state)i;
	return LIGHT_OFF;
}

/* "usbmuxd works"; the caller frees. */
static char *light_text(enum light light, enum light_state state)
{
	return message_format("console-light-one", "light", console_text(names[light]), "state",
			      console_text(states[state].word), NULL);
}

bool console_lights_known(const struct console_phone *phone)
{
	return light_of(phone, LIGHT_USB) != NULL;
}

void console_lights_put(const struct console_phone *phone, bool chosen, struct screen_page *page,
			unsigned row, unsigned column)
{
	for (size_t i = 0; i < LIGHT_MAX; i++) {
		sd_json_variant *light = light_of(phone, (enum light)i);
		enum light_state state = state_of(light);

		if (light)
			screen_page_put(page, row, column + 2 * (unsigned)i, 1,
					chosen ? SCREEN_ROLE_TEXT : states[state].role,
					states[state].mark);
	}
}

void console_lights_line(const struct console_phone *phone, struct screen_prose *prose)
{
	enum screen_role role = SCREEN_ROLE_TEXT;
	char *words[LIGHT_MAX] = { NULL };
	_cleanup_free_ char *line = NULL;

	if (!console_lights_known(phone))
		return;
	for (size_t i = 0; i < LIGHT_MAX; i++) {
		enum light_state state = state_of(light_of(phone, (enum light)i));

		words[i] = light_text((enum light)i, state);
		if (state == LIGHT_FAILED)
			role = SCREEN_ROLE_WARN;
	}
	if (words[LIGHT_USB] && words[LIGHT_MUX] && words[LIGHT_LINK])
		line = message_format("console-lights-line", "usb", words[LIGHT_USB], "mux",
				      words[LIGHT_MUX], "link", words[LIGHT_LINK], NULL);
	if (line)
		screen_prose_add(prose, role, line);
	for (size_t i = 0; i < LIGHT_MAX; i++)
		free(words[i]);
}

void console_lights_add(const struct console_phone *phone, struct screen_prose *prose)
{
	for (size_t i = 0; i < LIGHT_MAX; i++) {
		sd_json_variant *light = light_of(phone, (enum light)i);
		const char *evidence = field_string(light, "evidence");
		_cleanup_free_ char *label = light_text((enum light)i, state_of(light));

		if (light && label)
			screen_prose_add_labelled(prose, LABEL_COLUMNS, label,
						  evidence ? evidence : "");
	}
}
