/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scenario.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* An include chain longer than this is a circle. */
enum { INCLUDE_DEPTH = 8 };

enum key_type { KEY_TEXT, KEY_NUMBER, KEY_CHOICE, KEY_MODEL, KEY_YES_NO };

struct key {
	const char *name;
	enum key_type type;
	size_t offset;
	size_t bytes;               /* of the member; a choice is written as an int */
	const char *const *choices; /* NULL-ended, in the order of the enum */
	const char *help;
};

static const char *const bodies[] = { "phone", "keyboard", "disk", nullptr };
static const char *const modes[] = { "normal",  "recovery", "dfu",       "wtf",
				     "restore", "port-dfu", "debug-usb", nullptr };
static const char *const trusts[] = { "asking", "denied", "locked", nullptr };
static const char *const images[] = { "accept", "reject", nullptr };
static const char *const nonces[] = { "fresh", "fixed", nullptr };
static const char *const getenvs[] = { "answer", "stall", nullptr };
static const char *const enters[] = { "plain", "session", nullptr };
static const char *const speeds[] = { "high", "full", nullptr };

#define MEMBER(m) offsetof(struct scenario, m), sizeof((struct scenario){}.m)

static const struct key keys[] = {
	{ "model", KEY_MODEL, MEMBER(model), nullptr, "ProductType, a row of model.c" },
	{ "body", KEY_CHOICE, MEMBER(body), bodies, "phone, or a stranger with Apple's vendor id" },
	{ "mode", KEY_CHOICE, MEMBER(mode), modes, "mode at the start" },
	{ "plugged", KEY_YES_NO, MEMBER(plugged), nullptr, "yes or no: cable in at the start" },
	{ "seed", KEY_NUMBER, MEMBER(seed), nullptr, "of everything random" },
	{ "unit", KEY_NUMBER, MEMBER(unit), nullptr, "tells phones of one scenario apart" },
	{ "ecid", KEY_NUMBER, MEMBER(ecid), nullptr, "64-bit chip identity" },
	{ "serial", KEY_TEXT, MEMBER(serial), nullptr, "Apple's serial number" },
	{ "udid", KEY_TEXT, MEMBER(udid), nullptr, "as in the USB serial string of normal mode" },
	{ "imei", KEY_TEXT, MEMBER(imei), nullptr, "shown by recovery if set" },
	{ "name", KEY_TEXT, MEMBER(name), nullptr, "the user's name for the phone" },
	{ "pwned", KEY_TEXT, MEMBER(pwned), nullptr, "PWND field of DFU if set" },
	{ "version", KEY_TEXT, MEMBER(version), nullptr, "ProductVersion, instead of the model's" },
	{ "build", KEY_TEXT, MEMBER(build), nullptr, "BuildVersion, instead of the model's" },
	{ "speed", KEY_CHOICE, MEMBER(speed), speeds, "USB speed: high or full" },
	{ "usb_serial", KEY_TEXT, MEMBER(usb_serial), nullptr,
	  "raw USB serial string of every mode" },
	{ "usb_product_id", KEY_NUMBER, MEMBER(usb_product_id), nullptr, "instead of the mode's" },
	{ "gap_ms", KEY_NUMBER, MEMBER(gap_ms), nullptr, "off the bus before boot ROM or iBoot" },
	{ "boot_ms", KEY_NUMBER, MEMBER(boot_ms), nullptr, "off the bus before the whole system" },
	{ "time_scale_percent", KEY_NUMBER, MEMBER(time_scale_percent), nullptr,
	  "of both, 100: real" },
	{ "trust", KEY_CHOICE, MEMBER(trust), trusts, "answer to Pair: asking, denied, locked" },
	{ "dfu_image", KEY_CHOICE, MEMBER(dfu_image), images, "accept or reject what DFU gets" },
	{ "nonce", KEY_CHOICE, MEMBER(nonce), nonces, "fresh at each boot, or fixed" },
	{ "getenv", KEY_CHOICE, MEMBER(getenv), getenvs, "answer, or stall every getenv" },
	{ "enter_recovery", KEY_CHOICE, MEMBER(enter_recovery), enters,
	  "plain: taken without a session, as seen; session: refused" },
};

static const struct key *key_find(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(keys[i].name, name))
			return &keys[i];
	return nullptr;
}

void scenario_print_keys(FILE *out)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		fprintf(out, "  %-20s %s\n", keys[i].name, keys[i].help);
}

void scenario_init(struct scenario *s)
{
	*s = (struct scenario){
		.model = model_find("iPhone14,5"),
		.mode = MODE_NORMAL,
		.plugged = true,
		.seed = 1,
		.ecid = 0x001c20223e29401e,
		.gap_ms = 1500,
		.boot_ms = 8000,
		.time_scale_percent = 100,
		.name = "iPhone",
	};
}

/* Index of @value in @choices, or -EINVAL. */
static int choice_find(const char *const *choices, const char *value)
{
	for (int i = 0; choices[i]; i++)
		if (!strcmp(choices[i], value))
			return i;
	return -EINVAL;
}

static int number_parse(const char *value, uint64_t *ret_number)
{
	char *end;
	unsigned long long number;

	if (!isdigit((unsigned char)value[0]))
		return -EINVAL;
	errno = 0;
	number = strtoull(value, &end, 0);
	if (errno || *end)
		return -EINVAL;
	*ret_number = number;
	return 0;
}

static int key_store(const struct key *k, void *member, const char *value)
{
	switch (k->type) {
	case KEY_TEXT: {
		char copy[512];

		text_copy(copy, sizeof(copy), value);
		if (text_unescape(copy) < 0 || strlen(copy) >= k->bytes)
			return -EINVAL;
		text_copy(member, k->bytes, copy);
		return 0;
	}
	case KEY_NUMBER:
		return number_parse(value, member);
	case KEY_CHOICE: {
		int choice = choice_find(k->choices, value);

		if (choice < 0)
			return -EINVAL;
		memcpy(member, &(unsigned){ (unsigned)choice }, sizeof(unsigned));
		return 0;
	}
	case KEY_MODEL: {
		const struct model *model = model_find(value);

		if (!model)
			return -EINVAL;
		memcpy(member, &model, sizeof(model));
		return 0;
	}
	case KEY_YES_NO:
		if (strcmp(value, "yes") && strcmp(value, "no"))
			return -EINVAL;
		*(bool *)member = !strcmp(value, "yes");
		return 0;
	}
	return -EINVAL;
}

int scenario_set(struct scenario *s, const char *key, const char *value, char *why,
		 size_t why_bytes)
{
	const struct key *k = key_find(key);

	static_assert(sizeof(enum mode) == sizeof(unsigned));
	if (!k) {
		snprintf(why, why_bytes, "there is no key '%s'", key);
		return -EINVAL;
	}
	if (key_store(k, (char *)s + k->offset, value) < 0) {
		snprintf(why, why_bytes, "'%s' does not fit the key '%s' (%s)", value, key,
			 k->help);
		return -EINVAL;
	}
	if (!strcmp(key, "usb_serial"))
		s->usb_serial_set = true;
	return 0;
}

static char *trim(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len > 0 && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

static int file_read(struct scenario *s, const char *path, int depth, char *why, size_t why_bytes);

/* `include = NAME`: NAME.scenario beside the file that says it. */
static int include_read(struct scenario *s, const char *from, const char *name, int depth,
			char *why, size_t why_bytes)
{
	const char *slash = strrchr(from, '/');
	int folder = slash ? (int)(slash - from + 1) : 0;
	char path[512];

	if (depth >= INCLUDE_DEPTH || strchr(name, '/')) {
		snprintf(why, why_bytes, "%s: cannot include '%s'", from, name);
		return -EINVAL;
	}
	snprintf(path, sizeof(path), "%.*s%s.scenario", folder, from, name);
	return file_read(s, path, depth + 1, why, why_bytes);
}

static int line_read(struct scenario *s, const char *path, char *line, int depth, char *why,
		     size_t why_bytes)
{
	char *text = trim(line);
	char *equals = strchr(text, '=');

	if (!*text || *text == '#')
		return 0;
	if (!equals) {
		snprintf(why, why_bytes, "%s: no '=' in '%s'", path, text);
		return -EINVAL;
	}
	*equals = '\0';
	text = trim(text);
	if (!strcmp(text, "include"))
		return include_read(s, path, trim(equals + 1), depth, why, why_bytes);
	return scenario_set(s, text, trim(equals + 1), why, why_bytes);
}

static int file_read(struct scenario *s, const char *path, int depth, char *why, size_t why_bytes)
{
	FILE *in = fopen(path, "re");
	char line[1024];
	int r = 0;

	if (!in) {
		snprintf(why, why_bytes, "%s: %s", path, strerror(errno));
		return -errno;
	}
	while (r == 0 && fgets(line, sizeof(line), in))
		r = line_read(s, path, line, depth, why, why_bytes);
	fclose(in);
	return r;
}

int scenario_read(struct scenario *s, const char *path, char *why, size_t why_bytes)
{
	return file_read(s, path, 0, why, why_bytes);
}

const char *body_name(enum body body)
{
	return bodies[body];
}

const char *mode_name(enum mode mode)
{
	return modes[mode];
}

int mode_parse(const char *name, enum mode *ret_mode)
{
	int choice = choice_find(modes, name);

	if (choice < 0)
		return -EINVAL;
	*ret_mode = (enum mode)choice;
	return 0;
}
