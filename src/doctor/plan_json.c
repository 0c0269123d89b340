/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/object.h"
#include "base/text.h"
#include "doctor/ladder.h"
#include "doctor/plan_room.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- writing */

static void put_ecid(struct object *object, uint64_t ecid)
{
	char text[sizeof("0x0123456789abcdef")];

	if (ecid == 0)
		return;
	snprintf(text, sizeof(text), "0x%016" PRIx64, ecid);
	object_text(object, "ecid", text);
}

static void put_firmware(struct object *object, const struct plan *plan)
{
	sd_json_variant *firmware = NULL;

	if (plan->firmware.build[0] == '\0')
		return;
	object_check(object, firmware_to_json(&plan->firmware, &firmware));
	object_take(object, "firmware", firmware);
	if (plan->variant.name[0] != '\0') {
		object_text(object, "variant", plan->variant.name);
		object_flag(object, "erases", plan->variant.erases);
	}
	object_text(object, "erase_variant", plan->erase_variant.name);
}

static void put_signing(struct object *object, const struct plan *plan)
{
	sd_json_variant *field = NULL;

	if (plan->signing.verdict == SIGN_NOT_ASKED)
		return;
	object_check(object, signing_to_json(&plan->signing, &field));
	object_take(object, "signed", field);
}

static void put_room(struct object *object, const struct room *room)
{
	struct object field = { 0 };
	sd_json_variant *variant = NULL;

	object_check(&field,
		     sd_json_variant_set_field_string(&field.variant, "folder", room->folder));
	object_flag(&field, "lasting", room->lasting);
	object_number(&field, "free_bytes", room->free_bytes);
	object_number(&field, "ram_free_bytes", room->ram_free_bytes);
	object_text(&field, "cache", room->cache);
	if (room->cache[0] != '\0')
		object_number(&field, "cache_free_bytes", room->cache_free_bytes);
	object_check(object, object_end(&field, &variant));
	object_take(object, "room", variant);
}

/* Appends to an array in the making. */
static void append(struct object *object, sd_json_variant **array, struct object *element)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *variant = NULL;

	if (object_check(object, object_end(element, &variant)) >= 0)
		object_check(object, sd_json_variant_append_array(array, variant));
}

static void put_warnings(struct object *object, const struct plan *plan)
{
	sd_json_variant *array = NULL;

	object_check(object, sd_json_variant_new_array(&array, NULL, 0));
	for (size_t i = 0; i < plan->warning_count; i++) {
		const struct message *message = message_find(plan->warnings[i]);
		struct object element = { 0 };

		object_text(&element, "id", plan->warnings[i]);
		object_text(&element, "text", message ? message->text : plan->warnings[i]);
		append(object, &array, &element);
	}
	object_take(object, "warnings", array);
}

static void put_steps(struct object *object, const struct plan *plan)
{
	sd_json_variant *array = NULL;

	object_check(object, sd_json_variant_new_array(&array, NULL, 0));
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct step_fact *fact = step_fact(plan->steps[i].kind);
		struct object element = { 0 };

		object_text(&element, "kind", fact->id);
		object_text(&element, "label", fact->label);
		object_text(&element, "data", data_name(fact->data));
		object_flag(&element, "optional", plan->steps[i].optional);
		if (plan->steps[i].rung > 0)
			object_number(&element, "rung", plan->steps[i].rung);
		append(object, &array, &element);
	}
	object_take(object, "steps", array);
}

/* Where the person reads LAST4: the planner takes the serial number if it is known. */
static void put_hint(struct object *object, const struct plan *plan)
{
	char of_ecid[PLAN_CONFIRM_BYTES];
	const struct message *message;

	if (plan->confirm[0] == '\0' || !plan_erases(plan))
		return;
	snprintf(of_ecid, sizeof(of_ecid), "%04X", (unsigned)(plan->ecid & 0xffff));
	message = strcmp(of_ecid, plan->confirm) == 0 ? message_find("plan-confirm-ecid")
						      : message_find("plan-confirm-serial");
	object_text(object, "confirm_hint", message ? message->text : NULL);
}

static void put_plan(struct object *object, const struct plan *plan)
{
	const struct goal_fact *goal = goal_fact(plan->goal);

	object_text(object, "goal", goal->id);
	object_text(object, "label_goal", goal->label);
	object_text(object, "lost", goal->lost);
	object_text(object, "data", data_name(plan->data));
	object_text(object, "phone", plan->phone);
	object_text(object, "label", plan->label);
	put_ecid(object, plan->ecid);
	object_text(object, "udid", plan->udid);
	object_text(object, "product", plan->product);
	object_text(object, "board", plan->board);
	object_text(object, "mode", mode_name(plan->mode));
	put_firmware(object, plan);
	put_signing(object, plan);
	object_number(object, "need_bytes", plan->need_bytes);
	put_room(object, &plan->room);
	plan_put_drops(object, plan);
	put_warnings(object, plan);
	put_steps(object, plan);
	object_flag(object, "network", goal->firmware);
	put_hint(object, plan);
}

int plan_to_json(const struct plan *plan, sd_json_variant **ret)
{
	struct object object = { 0 };

	put_plan(&object, plan);
	return object_end(&object, ret);
}

static void put_variant(struct object *object, const char *name, const struct variant *variant)
{
	sd_json_variant *field = NULL;

	if (variant->name[0] == '\0')
		return;
	object_check(object, variant_to_json(variant, &field));
	object_take(object, name, field);
}

int plan_to_record(const struct plan *plan, sd_json_variant **ret)
{
	struct object object = { 0 };

	put_plan(&object, plan);
	object_text(&object, "confirm", plan->confirm);
	put_variant(&object, "installs", &plan->variant);
	put_variant(&object, "erase_installs", &plan->erase_variant);
	return object_end(&object, ret);
}

/* --- reading */

static int read_ecid(sd_json_variant *object, uint64_t *ret)
{
	const char *text = object_peek_text(object, "ecid");

	if (!sd_json_variant_by_key(object, "ecid")) {
		*ret = 0;
		return 0;
	}
	if (!text || strlen(text) != 18 || strncmp(text, "0x", 2) != 0 ||
	    text_parse_hex(text + 2, 16, ret) < 0)
		return -EBADMSG;
	return 0;
}

static int read_data(sd_json_variant *object, enum data *ret)
{
	const char *text = object_peek_text(object, "data");

	for (size_t i = 0; text && i < DATA_MAX; i++)
		if (strcmp(text, data_name((enum data)i)) == 0) {
			*ret = (enum data)i;
			return 0;
		}
	return -EBADMSG;
}

static int read_mode(sd_json_variant *object, enum mode *ret)
{
	const char *text = object_peek_text(object, "mode");
	enum mode mode = mode_from_name(text);

	if (!text || (mode == MODE_UNKNOWN && strcmp(text, mode_name(MODE_UNKNOWN)) != 0))
		return -EBADMSG;
	*ret = mode;
	return 0;
}

static int read_variant(sd_json_variant *object, const char *name, struct variant *ret)
{
	sd_json_variant *field = sd_json_variant_by_key(object, name);

	return field ? variant_from_json(field, ret) : 0;
}

static int read_signing(sd_json_variant *object, struct signing *ret)
{
	sd_json_variant *field = sd_json_variant_by_key(object, "signed");

	return field ? signing_from_json(field, ret) : 0;
}

static int read_room(sd_json_variant *object, struct room *ret)
{
	sd_json_variant *field = sd_json_variant_by_key(object, "room");

	if (!sd_json_variant_is_object(field) ||
	    object_read_text(field, "folder", ret->folder, sizeof(ret->folder)) < 0 ||
	    object_read_flag(field, "lasting", &ret->lasting) < 0 ||
	    object_read_number(field, "free_bytes", &ret->free_bytes) < 0 ||
	    object_read_number(field, "ram_free_bytes", &ret->ram_free_bytes) < 0 ||
	    object_read_text(field, "cache", ret->cache, sizeof(ret->cache)) < 0 ||
	    object_read_number(field, "cache_free_bytes", &ret->cache_free_bytes) < 0)
		return -EBADMSG;
	return 0;
}

/* A warning that this program does not know any more is no reason to lose the job. */
static int read_warnings(sd_json_variant *object, struct plan *ret)
{
	sd_json_variant *array = sd_json_variant_by_key(object, "warnings");

	if (!sd_json_variant_is_array(array))
		return -EBADMSG;
	for (size_t i = 0; i < sd_json_variant_elements(array); i++) {
		const char *id = object_peek_text(sd_json_variant_by_index(array, i), "id");
		const struct message *message = id ? message_find(id) : NULL;

		if (!id)
			return -EBADMSG;
		if (message && ret->warning_count < PLAN_WARNINGS_MAX)
			ret->warnings[ret->warning_count++] = message->id;
	}
	return 0;
}

static int read_steps(sd_json_variant *object, struct plan *ret)
{
	sd_json_variant *array = sd_json_variant_by_key(object, "steps");

	if (!sd_json_variant_is_array(array) || sd_json_variant_elements(array) == 0 ||
	    sd_json_variant_elements(array) > PLAN_STEPS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < sd_json_variant_elements(array); i++) {
		sd_json_variant *element = sd_json_variant_by_index(array, i);
		struct plan_step step = {
			.kind = step_from_name(object_peek_text(element, "kind")),
		};
		uint64_t rung;

		if (step.kind == STEP_KIND_MAX ||
		    object_read_flag(element, "optional", &step.optional) < 0 ||
		    object_read_number(element, "rung", &rung) < 0 || rung > PLAN_STEPS_MAX)
			return -EBADMSG;
		step.rung = (unsigned)rung;
		ret->steps[ret->step_count++] = step;
	}
	return 0;
}

static bool goal_is_of_ladder(enum goal goal)
{
	size_t count;

	return ladder_steps(goal, &count) != NULL;
}

/* What every plan of the planner keeps to; a journal that says otherwise is none of ours. */
static int check_plan(const struct plan *plan)
{
	enum data worst = DATA_KEPT;

	for (size_t i = 0; i < plan->step_count; i++) {
		enum step_kind kind = plan->steps[i].kind;
		enum data data = step_fact(kind)->data;

		if (data > worst)
			worst = data;
		if (kind == STEP_UPDATE && (plan->goal != GOAL_UPDATE || plan->variant.erases))
			return -EBADMSG;
	}
	if (worst != plan->data)
		return -EBADMSG;
	if (!ladder_is_sound(plan) || (goal_is_of_ladder(plan->goal) && worst != DATA_KEPT))
		return -EBADMSG;
	if (worst == DATA_ERASED && (plan->goal != GOAL_ERASE || !plan->variant.erases))
		return -EBADMSG;
	return 0;
}

static int read_texts(sd_json_variant *object, struct plan *plan)
{
#define TEXT(name) object_read_text(object, #name, plan->name, sizeof(plan->name)) < 0
	if (TEXT(phone) || TEXT(label) || TEXT(product) || TEXT(board) || TEXT(udid) ||
	    TEXT(confirm))
		return -EBADMSG;
#undef TEXT
	return 0;
}

int plan_from_json(sd_json_variant *object, struct plan *ret)
{
	_cleanup_free_ struct plan *plan = calloc(1, sizeof(*plan));
	sd_json_variant *firmware;

	if (!plan)
		return -ENOMEM;
	if (!sd_json_variant_is_object(object))
		return -EBADMSG;
	plan->goal = goal_from_name(object_peek_text(object, "goal"));
	firmware = sd_json_variant_by_key(object, "firmware");
	if (plan->goal == GOAL_MAX || read_data(object, &plan->data) < 0 ||
	    read_texts(object, plan) < 0 || read_ecid(object, &plan->ecid) < 0 ||
	    read_mode(object, &plan->mode) < 0 ||
	    (firmware && firmware_from_json(firmware, &plan->firmware) < 0) ||
	    read_signing(object, &plan->signing) < 0 ||
	    read_variant(object, "installs", &plan->variant) < 0 ||
	    read_variant(object, "erase_installs", &plan->erase_variant) < 0 ||
	    object_read_number(object, "need_bytes", &plan->need_bytes) < 0 ||
	    read_room(object, &plan->room) < 0 || plan_read_drops(object, plan) < 0 ||
	    read_warnings(object, plan) < 0 || read_steps(object, plan) < 0 || check_plan(plan) < 0)
		return -EBADMSG;
	*ret = *plan;
	return 0;
}
