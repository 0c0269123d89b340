/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A finding as an object of the interfaces. */
#include "base/cleanup.h"
#include "base/object.h"
#include "doctor/diagnose.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CODE_NAME_BYTES = 128 };

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

/* "iTunes 0xe8000013 kAMDInvalidResponseError": who shows it, as it is shown, its name. */
static int append_code_name(sd_json_variant **array, const char *word)
{
	const struct code_fact *code = code_of_word(word);
	char value[24], text[CODE_NAME_BYTES];
	const char *scheme;

	if (!code)
		return 0;
	/* a person knows the numbers of that framework from iTunes */
	scheme = strcmp(code->scheme, "mobile-device") == 0 ? "itunes" : code->scheme;
	snprintf(value, sizeof(value), code->value > UINT16_MAX ? "0x%08" PRIx64 : "%" PRId64,
		 code->value);
	snprintf(text, sizeof(text), "%s %s%s%s", strcmp(scheme, "itunes") == 0 ? "iTunes" : scheme,
		 value, strcmp(code->name, "-") == 0 ? "" : " ",
		 strcmp(code->name, "-") == 0 ? "" : code->name);
	return sd_json_variant_append_arrayb(array, SD_JSON_BUILD_STRING(text));
}

/* "a b" as ["a","b"], each word as `append` writes it. */
static void put_words(struct object *object, const char *name, const char *words,
		      int (*append)(sd_json_variant **array, const char *word))
{
	_cleanup_free_ char *copy = strdup(words);
	sd_json_variant *array = NULL;
	char *rest = copy, *word;

	if (strcmp(words, "-") == 0)
		return;
	if (!copy)
		object_check(object, -ENOMEM);
	while ((word = strsep(&rest, " ")))
		if (word[0] != '\0')
			object_check(object, append(&array, word));
	object_take(object, name, array);
}

static int append_word(sd_json_variant **array, const char *word)
{
	return sd_json_variant_append_arrayb(array, SD_JSON_BUILD_STRING(word));
}

/* What a person can do about it, in the order in which to try. */
static void put_hints(struct object *object, const char *finding)
{
	sd_json_variant *array = NULL;
	const struct hint_fact *hint;

	for (size_t i = 0; (hint = hint_of_finding(finding, i)); i++)
		object_check(object, sd_json_variant_append_arraybo(
					 &array, SD_JSON_BUILD_PAIR_STRING("id", hint->id),
					 SD_JSON_BUILD_PAIR_STRING("text", hint->text),
					 SD_JSON_BUILD_PAIR_STRING("keeps", hint->keeps),
					 SD_JSON_BUILD_PAIR_STRING("loses", hint->loses)));
	object_take(object, "hints", array);
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
	put_filled(&object, "doubt", fact->doubt, label);
	put_filled(&object, "command", fact->command, key);
	put_words(&object, "codes", fact->codes, append_word);
	put_words(&object, "code_names", fact->codes, append_code_name);
	put_hints(&object, fact->id);
	return object_end(&object, ret);
}
