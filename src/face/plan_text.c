/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/plan_text.h"
#include "base/cleanup.h"
#include "doctor/signing.h"
#include "face/amount_text.h"
#include "face/firmware_source.h"
#include "face/output.h"
#include "service/fields.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_COLUMNS = 16, NUMBER_BYTES = 24 };

/* "" if absent. */
static const char *text_of(sd_json_variant *object, const char *field)
{
	const char *text = field_string(object, field);

	return text ? text : "";
}

static void row_add(struct screen_prose *prose, const char *label, const char *text)
{
	if (text && *text)
		screen_prose_add_labelled(prose, LABEL_COLUMNS, output_text(label), text);
}

bool plan_text_erases(sd_json_variant *plan)
{
	return field_is(plan, "data", data_name(DATA_ERASED));
}

char *plan_text_phone(sd_json_variant *plan)
{
	const char *board = field_string(plan, "board"), *product = text_of(plan, "product");
	const struct model *model = board ? model_by_board(board) : NULL;
	const char *label = text_of(plan, "label");

	if (!model && *product)
		model = model_by_product(product);
	if (!*label)
		label = text_of(plan, "phone");
	if (!*product)
		return strdup(label);
	/* a phone without a name of its owner is labelled by its model already */
	if (!model || strcmp(model->name, label) == 0)
		return message_format("plan-phone-model", "label", label, "product", product, NULL);
	return message_format("plan-phone-line", "label", label, "model", model->name, "product",
			      product, NULL);
}

static void phone_add(sd_json_variant *plan, struct screen_prose *prose)
{
	const char *mode = field_string(plan, "mode");
	_cleanup_free_ char *phone = plan_text_phone(plan), *line = NULL;

	line = message_format("plan-key-line", "phone", phone ? phone : "", "key",
			      text_of(plan, "phone"), NULL);
	row_add(prose, "plan-fact-phone", line);
	row_add(prose, "plan-fact-ecid", field_string(plan, "ecid"));
	/* a plan for a product is of no phone */
	if (mode && mode_from_name(mode) != MODE_UNKNOWN)
		row_add(prose, "plan-fact-mode", mode_fact(mode_from_name(mode))->label);
}

/* What is lost is never a row among rows. */
static void lost_add(sd_json_variant *plan, struct screen_prose *prose)
{
	if (plan_text_erases(plan)) {
		screen_prose_add(prose, SCREEN_ROLE_ALERT, output_text("plan-erases"));
		return;
	}
	screen_prose_add(prose,
			 field_is(plan, "data", data_name(DATA_AT_RISK)) ? SCREEN_ROLE_WARN
									 : SCREEN_ROLE_STRONG,
			 text_of(plan, "lost"));
}

static char *file_line(sd_json_variant *firmware)
{
	const char *path = text_of(firmware, "path"), *name = text_of(firmware, "name");
	bool verified = field_true(firmware, "verified");
	char size[AMOUNT_BYTES];

	amount_text_bytes(field_unsigned(firmware, "size", 0), size);
	if (!*path)
		return message_format("plan-file-download", "name", name, "size", size, NULL);
	return message_format(verified ? "plan-file-verified" : "plan-file-here", "name", name,
			      "size", size, "path", path, NULL);
}

/* What Apple said when the plan was made; NULL nobody was asked. */
static char *signed_line(sd_json_variant *plan)
{
	sd_json_variant *object = field_object(plan, "signed");

	switch (sign_verdict_from_name(text_of(object, "verdict"))) {
	case SIGN_SIGNED:
		return message_format("plan-signed-yes", NULL);
	case SIGN_NOT_SIGNED:
		return message_format("plan-signed-no", "text", text_of(object, "text"), NULL);
	case SIGN_UNKNOWN:
		return message_format("plan-signed-unknown", "text", text_of(object, "text"), NULL);
	case SIGN_NOT_ASKED:
	case SIGN_VERDICT_MAX:
		break;
	}
	return NULL;
}

static char *variant_line(sd_json_variant *plan)
{
	const char *board = text_of(plan, "board"), *variant = field_string(plan, "variant");
	_cleanup_free_ char *for_board = NULL;

	if (!variant || !*variant)
		return NULL;
	for_board = message_format("plan-board", "board", board, NULL);
	return message_format(plan_text_erases(plan) ? "plan-variant-erases" : "plan-variant-keeps",
			      "variant", variant, "board", for_board ? for_board : board, NULL);
}

static void firmware_add(sd_json_variant *plan, struct screen_prose *prose)
{
	sd_json_variant *firmware = field_object(plan, "firmware");
	_cleanup_free_ char *system = NULL, *file = NULL, *variant = NULL;
	_cleanup_free_ char *known = NULL, *apple = NULL;

	if (!firmware)
		return;
	system = message_format("plan-firmware-line", "version", text_of(firmware, "version"),
				"build", text_of(firmware, "build"), NULL);
	row_add(prose, "plan-fact-firmware", system);
	known =
	    firmware_sources_text(text_of(firmware, "sources"), field_true(firmware, "confirmed"));
	row_add(prose, "plan-fact-known", known);
	apple = signed_line(plan);
	row_add(prose, "plan-fact-signed", apple);
	file = file_line(firmware);
	row_add(prose, "plan-fact-file", file);
	variant = variant_line(plan);
	row_add(prose, "plan-fact-variant", variant);
}

/* Firmware goes to another disk than the job. */
static char *apart_line(sd_json_variant *room, const char *need, const char *room_free)
{
	char there[AMOUNT_BYTES];

	amount_text_bytes(field_unsigned(room, "cache_free_bytes", 0), there);
	return message_format("plan-space-apart", "need", need, "there", there, "cache",
			      text_of(room, "cache"), "free", room_free, "folder",
			      text_of(room, "folder"), NULL);
}

static void space_add(sd_json_variant *plan, struct screen_prose *prose)
{
	sd_json_variant *room = field_object(plan, "room");
	uint64_t need_bytes = field_unsigned(plan, "need_bytes", 0);
	const char *folder = text_of(room, "folder");
	bool lasting = field_true(room, "lasting");
	char need[AMOUNT_BYTES], room_free[AMOUNT_BYTES];
	_cleanup_free_ char *line = NULL;

	if (need_bytes == 0)
		return;
	amount_text_bytes(need_bytes, need);
	amount_text_bytes(field_unsigned(room, "free_bytes", 0), room_free);
	if (!*folder)
		row_add(prose, "plan-fact-space", output_text("plan-space-none"));
	else if (*text_of(room, "cache"))
		line = apart_line(room, need, room_free);
	else
		line = message_format(lasting ? "plan-space-lasting" : "plan-space-memory", "need",
				      need, "free", room_free, "folder", folder, NULL);
	row_add(prose, "plan-fact-space", line);
}

static char *step_line(sd_json_variant *step, size_t number)
{
	const char *label = text_of(step, "label"), *more = NULL;
	char digits[NUMBER_BYTES];

	snprintf(digits, sizeof(digits), "%zu", number);
	if (field_is(step, "data", data_name(DATA_ERASED)))
		more = output_text("plan-data-erased");
	else if (field_unsigned(step, "rung", 0) > 0)
		more = output_text("plan-step-rung");
	else if (field_true(step, "optional"))
		more = output_text("plan-step-optional");
	if (!more)
		return message_format("plan-step-line", "number", digits, "label", label, NULL);
	return message_format("plan-step-line-more", "number", digits, "label", label, "more", more,
			      NULL);
}

static void steps_add(sd_json_variant *plan, struct screen_prose *prose)
{
	sd_json_variant *steps = field_array(plan, "steps");
	uint64_t rung = 0;

	for (size_t i = 0; i < sd_json_variant_elements(steps); i++) {
		sd_json_variant *step = sd_json_variant_by_index(steps, i);
		uint64_t of = field_unsigned(step, "rung", 0);
		_cleanup_free_ char *line = NULL;

		/* a rung by its remedy: what proves it is the same each time */
		if (of > 0 && of == rung)
			continue;
		rung = of;
		line = step_line(step, i + 1);
		screen_prose_add_labelled(prose, LABEL_COLUMNS,
					  i == 0 ? output_text("plan-steps") : "",
					  line ? line : "");
	}
}

/* What is deleted to make room: starting the plan is the consent, so it stands above. */
static void drops_add(sd_json_variant *plan, struct screen_prose *prose)
{
	sd_json_variant *drops = field_array(plan, "drops");

	for (size_t i = 0; i < sd_json_variant_elements(drops); i++) {
		sd_json_variant *drop = sd_json_variant_by_index(drops, i);
		_cleanup_free_ char *label = output_clean(text_of(drop, "label")), *line = NULL;
		char size[AMOUNT_BYTES];

		amount_text_bytes(field_unsigned(drop, "bytes", 0), size);
		line = message_format("plan-drops-line", "label", label, "size", size, NULL);
		if (i == 0)
			screen_prose_add(prose, SCREEN_ROLE_WARN, output_text("plan-drops-why"));
		screen_prose_add_labelled(prose, LABEL_COLUMNS,
					  i == 0 ? output_text("plan-drops") : "",
					  line ? line : label);
	}
}

static void warnings_add(sd_json_variant *plan, struct screen_prose *prose)
{
	sd_json_variant *warnings = field_array(plan, "warnings");

	for (size_t i = 0; i < sd_json_variant_elements(warnings); i++)
		screen_prose_add(prose, SCREEN_ROLE_WARN,
				 text_of(sd_json_variant_by_index(warnings, i), "text"));
}

void plan_text_add(sd_json_variant *plan, struct screen_prose *prose)
{
	screen_prose_add(prose, SCREEN_ROLE_STRONG, text_of(plan, "label_goal"));
	lost_add(plan, prose);
	warnings_add(plan, prose);
	drops_add(plan, prose);
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	phone_add(plan, prose);
	firmware_add(plan, prose);
	space_add(plan, prose);
	row_add(prose, "plan-fact-network",
		output_text(field_true(plan, "network") ? "plan-network-yes" : "plan-network-no"));
	steps_add(plan, prose);
}

char *plan_text_consent_line(sd_json_variant *plan, const char *command)
{
	const char *token = field_string(plan, "token");

	return token ? message_format("plan-consent-line", "command", command, "token", token, NULL)
		     : NULL;
}

void plan_text_consent_add(sd_json_variant *plan, struct screen_prose *prose)
{
	_cleanup_free_ char *time = NULL, *confirm = NULL;
	char duration[AMOUNT_BYTES];

	if (!field_string(plan, "token")) {
		screen_prose_add(prose, SCREEN_ROLE_WARN, output_text("plan-consent-none"));
		return;
	}
	amount_text_duration(field_unsigned(plan, "token_seconds", 0), duration);
	confirm =
	    message_format("plan-consent-confirm", "hint", text_of(plan, "confirm_hint"), NULL);
	time = message_format("plan-consent-time", "time", duration, NULL);
	screen_prose_add(prose, SCREEN_ROLE_TEXT, confirm ? confirm : "");
	screen_prose_add(prose, SCREEN_ROLE_TEXT, time ? time : "");
}
