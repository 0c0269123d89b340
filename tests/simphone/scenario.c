/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scenario.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "scenario_keys.h"
#include "text.h"

/* An include chain longer than this is a circle. */
enum { INCLUDE_DEPTH = 8 };

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
		.disk_bytes = 128000000000,
		.battery_percent = 80,
		.battery_health_percent = 91,
		.battery_cycles = 412,
		.name = "iPhone",
		.mux_knobs = mux_knobs_polite(),
		.backup = { .passcode_ms = 180000 },
		.ticket_key = SIMPHONE_TICKET_KEY,
		/* as two phones that were logged going from DFU to iBSS */
		.ibss_nonce = IBSS_NONCE_KEPT,
	};
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
		char copy[2048];

		if (strlen(value) >= sizeof(copy))
			return -EINVAL;
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
	case KEY_FAULT:
		return fault_parse(member, value);
	case KEY_ENV:
		return env_change(member, value);
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
	int r;

	static_assert(sizeof(enum mode) == sizeof(unsigned));
	if (!k) {
		snprintf(why, why_bytes, "there is no key '%s'", key);
		return -EINVAL;
	}
	r = key_store(k, (char *)s + k->offset, value);
	if (r == -ENOENT) {
		snprintf(why, why_bytes, "no such conversation; there are: %s",
			 fault_conversations);
		return -EINVAL;
	}
	if (r < 0) {
		snprintf(why, why_bytes, "'%s' does not fit the key '%s' (%s)", value, key,
			 k->help);
		return -EINVAL;
	}
	if (!strcmp(key, "nonce_bytes") && s->nonce_bytes != 0 && s->nonce_bytes != 20 &&
	    s->nonce_bytes != 32) {
		s->nonce_bytes = 0;
		snprintf(why, why_bytes, "a nonce has 20 or 32 bytes, not '%s'", value);
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
	while (r == 0 && fgets(line, sizeof(line), in)) {
		if (strlen(line) + 1 == sizeof(line) && !strchr(line, '\n')) {
			snprintf(why, why_bytes, "%s: a line is too long", path);
			r = -EINVAL;
		} else {
			r = line_read(s, path, line, depth, why, why_bytes);
		}
	}
	fclose(in);
	return r;
}

int scenario_read(struct scenario *s, const char *path, char *why, size_t why_bytes)
{
	return file_read(s, path, 0, why, why_bytes);
}
