/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Reading fields of JSON objects that came from a worker or over varlink. A field of another type
 * counts as absent: a string is never taken for a number, nor null for 0.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <systemd/sd-json.h>

/* Borrowed from the object; NULL if absent. */
static inline const char *field_string(sd_json_variant *object, const char *name)
{
	sd_json_variant *value = sd_json_variant_by_key(object, name);

	return sd_json_variant_is_string(value) ? sd_json_variant_string(value) : NULL;
}

static inline bool field_is(sd_json_variant *object, const char *name, const char *wanted)
{
	const char *value = field_string(object, name);

	return value && strcmp(value, wanted) == 0;
}

static inline uint64_t field_unsigned(sd_json_variant *object, const char *name, uint64_t absent)
{
	sd_json_variant *value = sd_json_variant_by_key(object, name);

	return sd_json_variant_is_unsigned(value) ? sd_json_variant_unsigned(value) : absent;
}

static inline int64_t field_integer(sd_json_variant *object, const char *name, int64_t absent)
{
	sd_json_variant *value = sd_json_variant_by_key(object, name);

	return sd_json_variant_is_integer(value) ? sd_json_variant_integer(value) : absent;
}

static inline bool field_true(sd_json_variant *object, const char *name)
{
	sd_json_variant *value = sd_json_variant_by_key(object, name);

	return sd_json_variant_is_boolean(value) && sd_json_variant_boolean(value);
}

/* Borrowed; NULL if absent. */
static inline sd_json_variant *field_object(sd_json_variant *object, const char *name)
{
	sd_json_variant *value = sd_json_variant_by_key(object, name);

	return sd_json_variant_is_object(value) ? value : NULL;
}

static inline sd_json_variant *field_array(sd_json_variant *object, const char *name)
{
	sd_json_variant *value = sd_json_variant_by_key(object, name);

	return sd_json_variant_is_array(value) ? value : NULL;
}
