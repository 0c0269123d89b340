/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/object.h"
#include "face/amount_text.h"
#include "face/firmware_list.h"
#include "face/firmware_source.h"
#include "face/output.h"
#include "service/fields.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	LABEL_COLUMNS = 16,
	NUMBER_BYTES = 24,
	DAY_S = 24 * 3600,
	OLD_DAYS = 30,
};

bool firmware_row_counts(const struct firmware_list *list, size_t row)
{
	const struct firmware_row *one = &list->rows[row];

	return row == 0 || one->signing.verdict == SIGN_SIGNED || one->firmware.path[0] != '\0' ||
	       (one->signing.verdict != SIGN_NOT_SIGNED &&
		strcmp(one->firmware.said_signed, "yes") == 0);
}

/* --- for people */

/* Takes the text over; NULL is left out. */
static void row_add(struct screen_prose *prose, const char *label, char *text)
{
	_cleanup_free_ char *clean = text ? output_clean(text) : NULL;

	if (clean)
		screen_prose_add_labelled(prose, LABEL_COLUMNS, output_text(label), clean);
	free(text);
}

/* Takes the text over; NULL is left out. */
static void note_add(struct screen_prose *prose, enum screen_role role, char *text)
{
	_cleanup_free_ char *clean = text ? output_clean(text) : NULL;

	if (clean)
		screen_prose_add(prose, role, clean);
	free(text);
}

/* What Apple said; else what others say, and that Apple was not asked. */
static char *signed_text(const struct firmware_row *row)
{
	const char *said = row->firmware.said_signed;
	bool is_no = strcmp(said, "no") == 0;

	switch (row->signing.verdict) {
	case SIGN_SIGNED:
		return message_format("firmware-list-signed", NULL);
	case SIGN_NOT_SIGNED:
	case SIGN_UNKNOWN:
		return message_format(row->signing.verdict == SIGN_UNKNOWN
					  ? "firmware-list-sign-unknown"
					  : "firmware-list-not-signed",
				      "text", row->signing.text, NULL);
	case SIGN_NOT_ASKED:
	case SIGN_VERDICT_MAX:
		break;
	}
	if (strcmp(said, "yes") == 0)
		return message_format("firmware-list-said-yes", NULL);
	return message_format(is_no ? "firmware-list-said-no" : "firmware-list-said-nothing", NULL);
}

static char *kept_text(const struct firmware_row *row)
{
	return row->firmware.path[0] != '\0'
		   ? message_format("firmware-list-cached", "path", row->firmware.path, NULL)
		   : message_format("firmware-list-not-cached", NULL);
}

static void firmware_add(const struct firmware_list *list, size_t number,
			 struct screen_prose *prose)
{
	const struct firmware_row *row = &list->rows[number];
	const struct firmware *firmware = &row->firmware;
	char size[AMOUNT_BYTES], day[AMOUNT_BYTES];

	amount_text_bytes(firmware->size, size);
	amount_text_day(firmware->released_ms, day);
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	note_add(prose, SCREEN_ROLE_STRONG,
		 message_format(number == 0 ? "firmware-list-newest" : "plan-firmware-line",
				"version", firmware->version, "build", firmware->build, NULL));
	row_add(prose, "plan-fact-signed", signed_text(row));
	if (firmware->size)
		row_add(prose, "firmware-size", strdup(size));
	if (day[0])
		row_add(prose, "firmware-list-label-released", strdup(day));
	row_add(prose, "plan-fact-known",
		firmware_sources_text(firmware->sources, firmware->confirmed));
	if (list->cache)
		row_add(prose, "firmware-list-label-kept", kept_text(row));
	if (firmware->conflict)
		note_add(prose, SCREEN_ROLE_WARN, message_format("firmware-list-conflict", NULL));
}

/* What stands below the list, parted from it. Takes the text over; NULL is left out. */
static void foot_add(struct screen_prose *prose, bool *parted, enum screen_role role, char *text)
{
	if (text && !*parted)
		screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	*parted = *parted || text;
	note_add(prose, role, text);
}

static void failures_add(const struct firmware_list *list, struct screen_prose *prose, bool *parted)
{
	sd_json_variant *sources = field_array(list->result, "sources");

	for (size_t i = 0; i < sd_json_variant_elements(sources); i++) {
		sd_json_variant *source = sd_json_variant_by_index(sources, i);
		const char *name = field_string(source, "name");
		const char *text = field_string(source, "text");

		if (name && text && field_is(source, "state", "failed"))
			foot_add(prose, parted, SCREEN_ROLE_TEXT,
				 message_format("firmware-list-source-failed", "source",
						firmware_source_text(name), "text", text, NULL));
	}
}

/* Nobody on the network told anything: then the age of what is here counts. */
static bool is_only_image(const struct firmware_list *list)
{
	return list->count > 0 && strcmp(list->rows[0].firmware.sources, "image") == 0;
}

static void notes_add(const struct firmware_list *list, size_t hidden, struct screen_prose *prose)
{
	sd_json_variant *offered = field_object(list->result, "newest_offered");
	const char *version = field_string(offered, "version"),
		   *build = field_string(offered, "build");
	uint64_t days = field_unsigned(list->result, "catalogue_age_s", 0) / DAY_S;
	char number[NUMBER_BYTES];
	bool parted = false;

	if (version && build)
		foot_add(prose, &parted, SCREEN_ROLE_WARN,
			 message_format("firmware-list-offered", "version", version, "build", build,
					NULL));
	if (days > OLD_DAYS && is_only_image(list)) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)days);
		foot_add(prose, &parted, SCREEN_ROLE_WARN,
			 message_format("firmware-list-age", "days", number, NULL));
	}
	failures_add(list, prose, &parted);
	if (hidden > 0) {
		snprintf(number, sizeof(number), "%zu", hidden);
		foot_add(prose, &parted, SCREEN_ROLE_TEXT,
			 message_format("firmware-list-hidden", "count", number, NULL));
	}
	if (list->call->all && field_true(list->result, "more"))
		foot_add(prose, &parted, SCREEN_ROLE_TEXT,
			 message_format("firmware-list-more", NULL));
}

int firmware_list_write(const struct firmware_list *list)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	const struct model *model = model_by_board(list->board);
	size_t hidden = 0;
	int r = output_prose_new(&prose);

	if (r < 0)
		return r;
	if (!model)
		model = model_by_product(list->product);
	note_add(prose, SCREEN_ROLE_TEXT,
		 message_format("firmware-list-title", "model", model ? model->name : list->product,
				"product", list->product, NULL));
	for (size_t i = 0; i < list->count; i++) {
		if (list->call->all || firmware_row_counts(list, i))
			firmware_add(list, i, prose);
		else
			hidden++;
	}
	notes_add(list, hidden, prose);
	return output_prose(prose);
}

/* --- for programs */

static int row_json(const struct firmware_list *list, size_t number, sd_json_variant **array)
{
	const struct firmware_row *row = &list->rows[number];
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *verdict = NULL;
	int r = firmware_to_json(&row->firmware, &object);

	if (r >= 0 && row->signing.verdict != SIGN_NOT_ASKED) {
		r = signing_to_json(&row->signing, &verdict);
		if (r >= 0)
			r = sd_json_variant_set_field(&object, "signed", verdict);
	}
	if (r >= 0)
		r = sd_json_variant_set_field_boolean(&object, "newest", number == 0);
	if (r >= 0 && list->cache)
		r = sd_json_variant_set_field_boolean(&object, "cached",
						      row->firmware.path[0] != '\0');
	return r < 0 ? r : sd_json_variant_append_array(array, object);
}

int firmware_list_json(const struct firmware_list *list, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	struct object object = { 0 };
	int r = sd_json_variant_new_array(&array, NULL, 0);

	for (size_t i = 0; r >= 0 && i < list->count; i++)
		if (list->call->all || firmware_row_counts(list, i))
			r = row_json(list, i, &array);
	object_text(&object, "product", list->product);
	object_text(&object, "phone", list->phone);
	if (object_check(&object, r) >= 0)
		object_take(&object, "firmwares", TAKE(array));
	object_take(&object, "sources", sd_json_variant_ref(field_array(list->result, "sources")));
	object_take(&object, "newest_offered",
		    sd_json_variant_ref(field_object(list->result, "newest_offered")));
	if (sd_json_variant_by_key(list->result, "catalogue_age_s"))
		object_number(&object, "catalogue_age_s",
			      field_unsigned(list->result, "catalogue_age_s", 0));
	if (field_true(list->result, "more"))
		object_flag(&object, "more", true);
	return object_end(&object, ret);
}
