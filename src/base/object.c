/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/object.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <errno.h>
#include <string.h>

int object_check(struct object *object, int r)
{
	if (object->failure >= 0 && r < 0)
		object->failure = r;
	return object->failure;
}

void object_text(struct object *object, const char *name, const char *text)
{
	if (object->failure >= 0 && text && text[0] != '\0')
		object_check(object,
			     sd_json_variant_set_field_string(&object->variant, name, text));
}

void object_number(struct object *object, const char *name, uint64_t value)
{
	if (object->failure >= 0)
		object_check(object,
			     sd_json_variant_set_field_unsigned(&object->variant, name, value));
}

void object_flag(struct object *object, const char *name, bool value)
{
	if (object->failure >= 0)
		object_check(object,
			     sd_json_variant_set_field_boolean(&object->variant, name, value));
}

void object_take(struct object *object, const char *name, sd_json_variant *value)
{
	if (object->failure >= 0 && value)
		object_check(object, sd_json_variant_set_field(&object->variant, name, value));
	sd_json_variant_unref(value);
}

int object_end(struct object *object, sd_json_variant **ret)
{
	sd_json_variant *variant = TAKE(object->variant);

	if (object->failure >= 0 && !variant)
		object_check(object, sd_json_variant_new_object(&variant, NULL, 0));
	if (object->failure < 0) {
		sd_json_variant_unref(variant);
		return object->failure;
	}
	*ret = variant;
	return 0;
}

void object_error(struct object *object, const char *name, const struct error *error)
{
	struct object field = { 0 };
	sd_json_variant *variant = NULL;

	if (error->kind == ERROR_NONE)
		return;
	object_text(&field, "kind", error_kind_name(error->kind));
	object_text(&field, "origin", error->origin);
	object_check(&field,
		     sd_json_variant_set_field_integer(&field.variant, "code", error->code));
	object_text(&field, "text", error->text);
	object_check(object, object_end(&field, &variant));
	object_take(object, name, variant);
}

int object_read_error(sd_json_variant *object, const char *name, struct error *ret)
{
	sd_json_variant *field = sd_json_variant_by_key(object, name);
	sd_json_variant *code = sd_json_variant_by_key(field, "code");
	struct error error = { 0 };
	const char *kind;

	if (!field) {
		*ret = error;
		return 0;
	}
	kind = object_peek_text(field, "kind");
	if (!kind || (code && !sd_json_variant_is_integer(code)))
		return -EBADMSG;
	error.kind = error_kind_from_name(kind);
	error.code = code ? sd_json_variant_integer(code) : 0;
	if (object_read_text(field, "origin", error.origin, sizeof(error.origin)) < 0 ||
	    object_read_text(field, "text", error.text, sizeof(error.text)) < 0)
		return -EBADMSG;
	*ret = error;
	return 0;
}

const char *object_peek_text(sd_json_variant *object, const char *name)
{
	sd_json_variant *field = sd_json_variant_by_key(object, name);

	return sd_json_variant_is_string(field) ? sd_json_variant_string(field) : NULL;
}

int object_read_text(sd_json_variant *object, const char *name, char *ret, size_t bytes)
{
	sd_json_variant *field = sd_json_variant_by_key(object, name);
	const char *text;

	if (!field) {
		ret[0] = '\0';
		return 0;
	}
	text = object_peek_text(object, name);
	if (!text || strlen(text) >= bytes)
		return -EBADMSG;
	text_copy(ret, bytes, text);
	return 0;
}

int object_read_number(sd_json_variant *object, const char *name, uint64_t *ret)
{
	sd_json_variant *field = sd_json_variant_by_key(object, name);

	if (field && !sd_json_variant_is_unsigned(field))
		return -EBADMSG;
	*ret = field ? sd_json_variant_unsigned(field) : 0;
	return 0;
}

int object_read_flag(sd_json_variant *object, const char *name, bool *ret)
{
	sd_json_variant *field = sd_json_variant_by_key(object, name);

	if (field && !sd_json_variant_is_boolean(field))
		return -EBADMSG;
	*ret = field && sd_json_variant_boolean(field);
	return 0;
}
