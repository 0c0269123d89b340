/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/catalogue_parse.h"
#include "base/text.h"
#include <errno.h>
#include <string.h>
#include <time.h>

enum { MS_PER_S = 1000 };

/* At least as many values as the text has: each stands behind one of these. */
static size_t values_bound(const char *text, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += text[i] == ',' || text[i] == ':' || text[i] == '[' || text[i] == '{';
	return count;
}

sd_json_variant *catalogue_json(const char *text, size_t n)
{
	sd_json_variant *object = NULL;

	if (memchr(text, '\0', n) || values_bound(text, n) > CATALOGUE_JSON_VALUES_MAX ||
	    sd_json_parse(text, SD_JSON_PARSE_MUST_BE_OBJECT, &object, NULL, NULL) < 0)
		return NULL;
	return object;
}

const char *catalogue_json_text(sd_json_variant *object, const char *key)
{
	sd_json_variant *member = sd_json_variant_by_key(object, key);

	return sd_json_variant_is_string(member) ? sd_json_variant_string(member) : "";
}

uint64_t catalogue_json_number(sd_json_variant *object, const char *key)
{
	sd_json_variant *member = sd_json_variant_by_key(object, key);

	return sd_json_variant_is_unsigned(member) ? sd_json_variant_unsigned(member) : 0;
}

bool catalogue_json_true(sd_json_variant *object, const char *key)
{
	sd_json_variant *member = sd_json_variant_by_key(object, key);

	return sd_json_variant_is_boolean(member) && sd_json_variant_boolean(member);
}

bool catalogue_json_has(sd_json_variant *object, const char *key, const char *text)
{
	sd_json_variant *array = sd_json_variant_by_key(object, key);

	if (!sd_json_variant_is_array(array))
		return false;
	for (size_t i = 0; i < sd_json_variant_elements(array); i++) {
		sd_json_variant *one = sd_json_variant_by_index(array, i);

		if (sd_json_variant_is_string(one) &&
		    strcmp(sd_json_variant_string(one), text) == 0)
			return true;
	}
	return false;
}

bool catalogue_copy(char *dst, size_t dst_bytes, const char *src)
{
	text_copy(dst, dst_bytes, src);
	return strcmp(dst, src) == 0;
}

bool catalogue_take_hash(struct ipsw *ipsw, const char *hex, size_t digits)
{
	return hex[0] == '\0' || (strlen(hex) == digits && ipsw_set_hash(ipsw, hex) == 0);
}

uint64_t catalogue_time_ms(const char *text)
{
	struct tm tm = {};
	const char *rest = strptime(text, "%Y-%m-%d", &tm);
	time_t seconds;

	if (rest && *rest == 'T')
		rest = strptime(rest, "T%H:%M:%SZ", &tm);
	if (!rest || *rest != '\0')
		return 0;
	seconds = timegm(&tm);
	return seconds > 0 ? (uint64_t)seconds * MS_PER_S : 0;
}

int catalogue_no_answer(struct error *err, const char *host, const char *what)
{
	(void)error_set(err, ERROR_NETWORK, host, 0, "%s %s. Try again later", host, what);
	return -EBADMSG;
}
