/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/firmware.h"
#include "base/object.h"
#include <errno.h>
#include <limits.h>
#include <string.h>

int firmware_to_json(const struct firmware *firmware, sd_json_variant **ret)
{
	struct object object = { 0 };

	object_text(&object, "product", firmware->product);
	object_text(&object, "version", firmware->version);
	object_text(&object, "build", firmware->build);
	object_text(&object, "name", firmware->name);
	object_text(&object, "url", firmware->url);
	object_text(&object, "path", firmware->path);
	if (firmware->size > 0)
		object_number(&object, "size", firmware->size);
	object_text(&object, "sha1", firmware->sha1);
	object_text(&object, "sha256", firmware->sha256);
	object_flag(&object, "verified", firmware->verified);
	object_text(&object, "sources", firmware->sources);
	if (firmware->confirmed)
		object_flag(&object, "confirmed", true);
	if (firmware->conflict)
		object_flag(&object, "conflict", true);
	object_text(&object, "said_signed", firmware->said_signed);
	if (firmware->released_ms > 0)
		object_number(&object, "released_ms", firmware->released_ms);
	return object_end(&object, ret);
}

static bool is_said(const char *text)
{
	return text[0] == '\0' || strcmp(text, "yes") == 0 || strcmp(text, "no") == 0;
}

/* "" or exactly the lower-case hexadecimal digits that fill `bytes` with a NUL. */
static bool is_hash(const char *text, size_t bytes)
{
	size_t n = strlen(text);

	return n == 0 || (n == bytes - 1 && strspn(text, "0123456789abcdef") == n);
}

/* A link of this name is made for the engine, when the phone is in recovery already. */
static bool is_file_name(const char *text)
{
	return strlen(text) <= NAME_MAX && strcmp(text, ".") != 0 && strcmp(text, "..") != 0 &&
	       !strchr(text, '/');
}

int firmware_from_json(sd_json_variant *object, struct firmware *ret)
{
	struct firmware out = { 0 };

	if (!sd_json_variant_is_object(object))
		return -EBADMSG;
#define TEXT(name) object_read_text(object, #name, out.name, sizeof(out.name)) < 0
	if (TEXT(product) || TEXT(version) || TEXT(build) || TEXT(name) || TEXT(url) ||
	    TEXT(path) || TEXT(sha1) || TEXT(sha256) || TEXT(sources) || TEXT(said_signed) ||
	    object_read_number(object, "size", &out.size) < 0 ||
	    object_read_number(object, "released_ms", &out.released_ms) < 0 ||
	    object_read_flag(object, "confirmed", &out.confirmed) < 0 ||
	    object_read_flag(object, "conflict", &out.conflict) < 0 ||
	    object_read_flag(object, "verified", &out.verified) < 0)
		return -EBADMSG;
#undef TEXT
	if (!is_hash(out.sha1, sizeof(out.sha1)) || !is_hash(out.sha256, sizeof(out.sha256)) ||
	    !is_said(out.said_signed) || !is_file_name(out.name))
		return -EBADMSG;
	*ret = out;
	return 0;
}

int variant_to_json(const struct variant *variant, sd_json_variant **ret)
{
	struct object object = { 0 };

	object_text(&object, "name", variant->name);
	object_flag(&object, "erases", variant->erases);
	object_number(&object, "os_bytes", variant->os_bytes);
	object_flag(&object, "os_packed", variant->os_packed);
	return object_end(&object, ret);
}

int variant_from_json(sd_json_variant *object, struct variant *ret)
{
	struct variant out = { 0 };

	if (!sd_json_variant_is_object(object) ||
	    object_read_text(object, "name", out.name, sizeof(out.name)) < 0 ||
	    object_read_flag(object, "erases", &out.erases) < 0 ||
	    object_read_number(object, "os_bytes", &out.os_bytes) < 0 ||
	    object_read_flag(object, "os_packed", &out.os_packed) < 0)
		return -EBADMSG;
	*ret = out;
	return 0;
}
