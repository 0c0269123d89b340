/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/engine_output.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <string.h>

enum {
	PERMILLE_MAX = 1000,
	TIME_BYTES = sizeof("12:34:56.789") - 1,
	LABEL_BYTES = 9,
};

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* --- lines */

static void line_give(struct engine_lines *lines, engine_line_fn fn, void *context)
{
	char text[ENGINE_TEXT_BYTES];

	while (lines->used > 0 && lines->bytes[lines->used - 1] == ' ')
		lines->used--;
	if (lines->used > 0) {
		text_to_utf8(text, sizeof(text), lines->bytes, lines->used);
		fn(context, text);
	}
	lines->used = 0;
}

void engine_lines_feed(struct engine_lines *lines, const char *bytes, size_t n, engine_line_fn fn,
		       void *context)
{
	for (size_t i = 0; i < n; i++) {
		char c = bytes[i];

		if (c == '\n' || c == '\r') {
			line_give(lines, fn, context);
			continue;
		}
		/* a NUL would end the text, a tab would look like a bad byte */
		if (c == '\0' || c == '\t')
			c = ' ';
		if (lines->used < sizeof(lines->bytes))
			lines->bytes[lines->used++] = c;
	}
}

void engine_lines_end(struct engine_lines *lines, engine_line_fn fn, void *context)
{
	line_give(lines, fn, context);
}

/* --- standard output */

/* "0.250000" to 250. False unless it is such a number. */
static bool fraction_parse(const char *s, unsigned *ret)
{
	unsigned value, weight = PERMILLE_MAX / 10;

	if (!is_digit(s[0]) || s[1] != '.' || !is_digit(s[2]))
		return false;
	value = (unsigned)(s[0] - '0') * PERMILLE_MAX;
	for (s += 2; is_digit(*s); s++) {
		value += (unsigned)(*s - '0') * weight;
		weight /= 10;
	}
	if (*s != '\0')
		return false;
	*ret = value < PERMILLE_MAX ? value : PERMILLE_MAX;
	return true;
}

bool engine_progress_parse(const char *line, struct engine_progress *ret)
{
	static const char head[] = "progress: ";
	struct engine_progress progress = {};

	if (!starts_with(line, head))
		return false;
	line += sizeof(head) - 1;
	if (!is_digit(*line))
		return false;
	progress.step = (unsigned)(*line++ - '0');
	if (is_digit(*line))
		progress.step = progress.step * 10 + (unsigned)(*line++ - '0');
	if (*line != ' ' || !fraction_parse(line + 1, &progress.permille))
		return false;
	*ret = progress;
	return true;
}

/* --- the log */

static bool has_time(const char *line)
{
	static const char form[] = "00:00:00.000 ";

	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == '0' ? !is_digit(line[i]) : line[i] != form[i])
			return false;
	return true;
}

void engine_log_parse(const char *line, struct engine_log *ret)
{
	static const char *const labels[] = {
		[ENGINE_ERROR] = "  <Error>",   [ENGINE_WARNING] = "<Warning>",
		[ENGINE_NOTICE] = " <Notice>",  [ENGINE_INFO] = "   <Info>",
		[ENGINE_VERBOSE] = "<Verbose>", [ENGINE_DEBUG] = "  <Debug>",
	};

	*ret = (struct engine_log){ .level = ENGINE_RAW, .text = line };
	if (!has_time(line))
		return;
	line += TIME_BYTES + 1;
	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		if (starts_with(line, labels[i]) && line[LABEL_BYTES] == ' ')
			*ret = (struct engine_log){ .level = (enum engine_level)i,
						    .text = line + LABEL_BYTES + 1 };
}

/* --- signs */

bool engine_text_is_idle(const char *text)
{
	return starts_with(text, "No data to read") || strstr(text, "timeout waiting for command");
}

bool engine_text_touches(const char *text)
{
	static const char *const signs[] = { "Entering recovery mode", "Sending iBSS",
					     "Sending iBEC", "About to restore device" };

	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (starts_with(text, signs[i]))
			return true;
	return false;
}

bool engine_text_erases(const char *text)
{
	return starts_with(text, "This restore will erase all device data.");
}

bool engine_text_wants_trust(const char *text)
{
	return strstr(text, "Device is not paired with this computer") != NULL;
}

/* "Creating filesystem (12)": what the phone does now. */
static bool is_operation(const char *text)
{
	const char *open = strrchr(text, '(');

	if (!open || open == text || open[-1] != ' ' || !is_digit(open[1]))
		return false;
	for (open++; is_digit(*open); open++)
		;
	return strcmp(open, ")") == 0;
}

static bool info_is_note(const char *text)
{
	static const char *const heads[] = {
		"Found device in ", "Identified device as ", "IPSW Product ",
		"Variant: ",        "This restore will ",    "Entering recovery mode",
		"Waiting for ",     "About to restore ",     "Status: ",
		"Unhandled status", "Previous restore exit", "Sending filesystem",
		"Done sending ",    "Unknown data request",
	};

	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		if (starts_with(text, heads[i]))
			return true;
	return is_operation(text);
}

bool engine_log_is_note(const struct engine_log *log)
{
	switch (log->level) {
	case ENGINE_ERROR:
	case ENGINE_WARNING:
		return !engine_text_is_idle(log->text);
	case ENGINE_NOTICE:
	case ENGINE_INFO:
		return info_is_note(log->text);
	case ENGINE_RAW:
		return strstr(log->text, "CHECKPOINT FAILURE") ||
		       starts_with(log->text, "TSS server returned:");
	case ENGINE_VERBOSE:
	case ENGINE_DEBUG:
		break;
	}
	return false;
}

bool engine_text_is_version(const char *text)
{
	return starts_with(text, "idevicerestore ") && is_digit(text[sizeof("idevicerestore")]);
}

bool engine_version_is_known(const char *text)
{
	return starts_with(text, "idevicerestore 1.0.1 (libirecovery 1.3.1, libtatsu 1.0.5)");
}
