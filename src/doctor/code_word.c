/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/code_word.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Prefixes and the suffix of names that say only whose they are, squeezed. */
static const struct {
	const char *prefix, *scheme;
} name_prefixes[] = {
	{ "kamd", "mobile-device" },
	{ "lockdowne", "lockdownd" },
	{ "idevicee", "libimobiledevice" },
	{ "irecve", "libirecovery" },
};
static const char name_suffix[] = "error";

/* --- names ------------------------------------------------------------------------------------
 */

bool code_name_squeeze(const char *name, char ret[static CODE_WORD_BYTES])
{
	size_t n = 0;

	for (; *name != '\0'; name++) {
		if (!isascii((unsigned char)*name) || !isalnum((unsigned char)*name))
			continue;
		if (n + 1 == CODE_WORD_BYTES)
			return false;
		ret[n++] = (char)tolower((unsigned char)*name);
	}
	ret[n] = '\0';
	return true;
}

const char *code_name_owner(const char *squeezed, size_t *ret_bytes)
{
	*ret_bytes = 0;
	for (size_t i = 0; i < ARRAY_LEN(name_prefixes); i++) {
		size_t bytes = strlen(name_prefixes[i].prefix);

		if (strncmp(squeezed, name_prefixes[i].prefix, bytes) != 0)
			continue;
		*ret_bytes = bytes;
		return name_prefixes[i].scheme;
	}
	return NULL;
}

bool code_name_core(const char *name, char ret[static CODE_WORD_BYTES])
{
	size_t n, prefix, suffix = strlen(name_suffix);

	if (!code_name_squeeze(name, ret))
		return false;
	(void)code_name_owner(ret, &prefix);
	n = strlen(ret) - prefix;
	memmove(ret, ret + prefix, n + 1);
	if (n >= suffix && strcmp(ret + n - suffix, name_suffix) == 0)
		ret[n - suffix] = '\0';
	return ret[0] != '\0';
}

/* --- numbers ----------------------------------------------------------------------------------
 */

/* 8 hexadecimal digits as MobileDevice's are written without 0x: E8000013. */
static bool is_bare_hex(const char *word)
{
	return strlen(word) == 8 && strncasecmp(word, "e8", 2) == 0 &&
	       strspn(word, "0123456789abcdefABCDEF") == 8;
}

bool code_number_parse(const char *word, int64_t *ret)
{
	bool negative = *word == '-';
	const char *digits = word + (*word == '-' || *word == '+');
	bool hex = strncasecmp(digits, "0x", 2) == 0;
	uint64_t value = 0;

	if (hex || is_bare_hex(word)) {
		digits += hex ? 2 : 0;
		if (text_parse_hex(digits, strlen(digits), &value) < 0)
			return false;
	} else {
		size_t n = strlen(digits);

		if (n == 0 || n > 19 || strspn(digits, "0123456789") != n)
			return false;
		value = strtoull(digits, NULL, 10);
	}
	if (negative && value > INT64_MAX)
		return false;
	*ret = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

static bool code_covers(const struct code_fact *code, int64_t number)
{
	return code->value <= number && number <= code->last;
}

bool code_has_number(const struct code_fact *code, int64_t number, int64_t *ret)
{
	const int64_t span = INT64_C(1) << 32;
	int64_t other = number;

	if (number < 0 && number >= INT32_MIN)
		other = number + span;
	else if (number > INT32_MAX && number < span)
		other = number - span;
	if (!code_covers(code, number) && !code_covers(code, other))
		return false;
	*ret = code_covers(code, number) ? number : other;
	return true;
}

/* --- words ------------------------------------------------------------------------------------
 */

static const struct code_fact *code_of_number(const char *scheme, int64_t number, int64_t *ret)
{
	const struct code_fact *range = NULL;
	size_t count;
	const struct code_fact *codes = code_all(&count);
	int64_t counted;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(codes[i].scheme, scheme) != 0 ||
		    !code_has_number(&codes[i], number, &counted))
			continue;
		if (!range || codes[i].value == codes[i].last)
			*ret = counted;
		if (codes[i].value == codes[i].last)
			return &codes[i];
		if (!range)
			range = &codes[i];
	}
	return range;
}

const struct code_fact *code_in_scheme(const char *scheme, const char *word, int64_t *ret_number)
{
	char wanted[CODE_WORD_BYTES], core[CODE_WORD_BYTES];
	size_t count;
	const struct code_fact *codes = code_all(&count);
	int64_t number;

	if (code_number_parse(word, &number))
		return code_of_number(scheme, number, ret_number);
	if (!code_name_core(word, wanted))
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(codes[i].scheme, scheme) != 0 || !code_name_core(codes[i].name, core) ||
		    strcmp(core, wanted) != 0)
			continue;
		*ret_number = codes[i].value;
		return &codes[i];
	}
	return NULL;
}
