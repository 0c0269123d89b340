/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Validates a JSON object against a symbol of a varlink interface: sd-varlink checks what comes in
 * but not what goes out (reference: platform.md §1.5).
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-json.h>
#include <systemd/sd-varlink-idl.h>

static bool idl_check(const sd_varlink_symbol *symbol, sd_varlink_field_direction_t direction,
		      sd_json_variant *object);

static bool idl_check_value(const sd_varlink_field *field, sd_json_variant *value)
{
	switch ((int)field->field_type) {
	case SD_VARLINK_BOOL:
		return sd_json_variant_is_boolean(value);
	case SD_VARLINK_INT:
		return sd_json_variant_is_integer(value);
	case SD_VARLINK_STRING:
		return sd_json_variant_is_string(value);
	case SD_VARLINK_NAMED_TYPE:
		return idl_check(field->symbol, SD_VARLINK_REGULAR, value);
	case SD_VARLINK_OBJECT:
		return sd_json_variant_is_object(value);
	default:
		return false; /* not used by our interface */
	}
}

static bool idl_check_field(const sd_varlink_field *field, sd_json_variant *value)
{
	if (!value || sd_json_variant_is_null(value))
		return field->field_flags & SD_VARLINK_NULLABLE;
	if (!(field->field_flags & SD_VARLINK_ARRAY))
		return idl_check_value(field, value);
	if (!sd_json_variant_is_array(value))
		return false;
	for (size_t i = 0; i < sd_json_variant_elements(value); i++)
		if (!idl_check_value(field, sd_json_variant_by_index(value, i)))
			return false;
	return true;
}

/* direction: REGULAR for types and errors, OUTPUT for a method's reply. Says what is wrong. */
static bool idl_check(const sd_varlink_symbol *symbol, sd_varlink_field_direction_t direction,
		      sd_json_variant *object)
{
	size_t known = 0;

	if (!sd_json_variant_is_object(object))
		return false;
	for (const sd_varlink_field *field = symbol->fields; field->field_type != 0; field++) {
		sd_json_variant *value;

		if (field->field_type == _SD_VARLINK_FIELD_COMMENT ||
		    field->field_direction != direction)
			continue;
		value = sd_json_variant_by_key(object, field->name);
		known += value != NULL;
		if (!idl_check_field(field, value)) {
			fprintf(stderr, "%s.%s is not as the interface says\n",
				symbol->name ? symbol->name : "?", field->name);
			return false;
		}
	}
	/* objects count keys and values */
	if (known * 2 != sd_json_variant_elements(object)) {
		fprintf(stderr, "%s has a field that the interface does not know\n",
			symbol->name ? symbol->name : "?");
		return false;
	}
	return true;
}

/* The symbol of this name and type, NULL if there is none. */
static const sd_varlink_symbol *idl_find(const sd_varlink_interface *interface,
					 sd_varlink_symbol_type_t type, const char *name)
{
	for (size_t i = 0; interface->symbols[i]; i++)
		if (interface->symbols[i]->symbol_type == type &&
		    strcmp(interface->symbols[i]->name, name) == 0)
			return interface->symbols[i];
	return NULL;
}
