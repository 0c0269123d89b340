/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * JSON objects, field by field. Making: after a failure the rest is skipped and object_end() tells
 * it, so that a list of fields reads as a list. Reading: an absent field is empty, one of another
 * type is refused.
 */
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-json.h>

struct object {
	sd_json_variant *variant;
	int failure; /* the first negative errno, 0 none */
};

void object_text(struct object *object, const char *name, const char *text); /* not NULL or "" */
void object_number(struct object *object, const char *name, uint64_t value);
void object_flag(struct object *object, const char *name, bool value);
/* Takes the caller's reference over, also after a failure; NULL is left out. */
void object_take(struct object *object, const char *name, sd_json_variant *value);
/* For calls that build a field: remembers their failure, 0 and more is none. Returns it. */
int object_check(struct object *object, int r);
/* Hands the object on. Returns 0 or the first failure; the object is empty afterwards. */
int object_end(struct object *object, sd_json_variant **ret);

/* {"kind","origin","code","text"} of an error that is one; and back (-EBADMSG). */
void object_error(struct object *object, const char *name, const struct error *error);
int object_read_error(sd_json_variant *object, const char *name, struct error *ret);

/* 0, or -EBADMSG for another type (or a text that does not fit `bytes` with its NUL). */
int object_read_text(sd_json_variant *object, const char *name, char *ret, size_t bytes);
int object_read_number(sd_json_variant *object, const char *name, uint64_t *ret);
int object_read_flag(sd_json_variant *object, const char *name, bool *ret);
/* Borrowed text of a field, NULL if it is absent or no text. */
const char *object_peek_text(sd_json_variant *object, const char *name);

static inline void object_done(struct object *object)
{
	sd_json_variant_unref(object->variant);
	object->variant = NULL;
}
