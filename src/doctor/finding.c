/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A finding as an object of the interfaces. */
#include "base/cleanup.h"
#include "base/object.h"
#include "doctor/diagnose.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The text with every {phone} replaced; NULL without memory. */
static char *fill(const char *text, const char *phone)
{
	static const char place[] = "{phone}";
	_cleanup_free_ char *result = NULL;
	const char *found;
	size_t size = 0;
	FILE *out;

	out = open_memstream(&result, &size);
	if (!out)
		return NULL;
	while ((found = strstr(text, place))) {
		fwrite(text, 1, (size_t)(found - text), out);
		fputs(phone, out);
		text = found + strlen(place);
	}
	fputs(text, out);
	return fclose(out) == 0 ? TAKE(result) : NULL;
}

static void put_filled(struct object *object, const char *name, const char *text, const char *phone)
{
	_cleanup_free_ char *filled = NULL;

	if (strcmp(text, "-") == 0)
		return;
	filled = fill(text, phone);
	if (!filled)
		object_check(object, -ENOMEM);
	object_text(object, name, filled);
}

/* "a b" as ["a","b"]. */
static void put_codes(struct object *object, const char *codes)
{
	_cleanup_free_ char *copy = strdup(codes);
	sd_json_variant *array = NULL;
	char *rest = copy, *word;

	if (strcmp(codes, "-") == 0)
		return;
	if (!copy)
		object_check(object, -ENOMEM);
	while ((word = strsep(&rest, " ")))
		if (word[0] != '\0')
			object_check(object, sd_json_variant_append_arrayb(
						 &array, SD_JSON_BUILD_STRING(word)));
	object_take(object, "codes", array);
}

int finding_to_json(const struct finding *finding, const struct phone *phone, sd_json_variant **ret)
{
	const struct finding_fact *fact = finding->fact;
	const char *label = phone ? identity_label(&phone->identity) : NULL;
	const struct message *some = message_find("finding-some-phone");
	char key[PHONE_KEY_BYTES] = "PHONE";
	struct object object = { 0 };

	if (phone)
		phone_key(phone, key);
	if (!label)
		label = some ? some->text : key;
	object_text(&object, "id", fact->id);
	object_text(&object, "severity", severity_name(fact->severity));
	put_filled(&object, "title", fact->title, label);
	put_filled(&object, "meaning", fact->meaning, label);
	put_filled(&object, "next", fact->next, label);
	put_filled(&object, "cost", fact->cost, label);
	/* an absent evidence would read as a claim without one */
	object_check(&object, sd_json_variant_set_field_string(&object.variant, "evidence",
							       finding->evidence));
	put_filled(&object, "command", fact->command, key);
	put_codes(&object, fact->codes);
	return object_end(&object, ret);
}
