/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "service/host_view.h"
#include "base/clock.h"
#include "base/object.h"
#include "bus/serial.h"
#include "doctor/computer.h"
#include "service/fields.h"
#include <errno.h>
#include <string.h>

void host_view_clear(struct host_view *view)
{
	for (size_t i = 0; i < view->count; i++) {
		sd_json_variant_unref(view->volumes[i].object);
		sd_json_variant_unref(view->volumes[i].records);
	}
	*view = (struct host_view){ 0 };
}

/* --- lines of the worker --------------------------------------------------------------------- */

static struct host_view_volume *volume_find(struct host_view *view, const char *id)
{
	for (size_t i = 0; id && i < view->count; i++)
		if (field_is(view->volumes[i].object, "id", id))
			return &view->volumes[i];
	return NULL;
}

static enum computer_cause cause_of(sd_json_variant *object)
{
	return computer_cause_from_name(field_string(object, "cause"));
}

int host_view_volume(struct host_view *view, sd_json_variant *event)
{
	const char *id = field_string(event, "id");

	if (!id || id[0] == '\0' || volume_find(view, id) || !field_string(event, "device") ||
	    !field_string(event, "system") || cause_of(event) == COMPUTER_CAUSE_MAX)
		return -EBADMSG;
	if (view->count == HOST_VIEW_VOLUMES_MAX)
		return -E2BIG;
	view->volumes[view->count++].object = sd_json_variant_ref(event);
	return 0;
}

static void copy_text(struct object *object, sd_json_variant *from, const char *name)
{
	object_text(object, name, field_string(from, name));
}

static void copy_number(struct object *object, sd_json_variant *from, const char *name)
{
	uint64_t value = field_unsigned(from, name, UINT64_MAX);

	if (value <= INT64_MAX)
		object_number(object, name, value);
}

int host_view_record(struct host_view *view, sd_json_variant *event, const struct fleet *fleet)
{
	struct host_view_volume *volume = volume_find(view, field_string(event, "volume"));
	const char *udid = field_string(event, "udid"), *label;
	_cleanup_(object_done) struct object object = { 0 };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *record = NULL;
	const struct phone *phone;
	int r;

	if (!volume || !udid || !field_string(event, "file"))
		return -EBADMSG;
	if (sd_json_variant_elements(volume->records) >= HOST_VIEW_RECORDS_MAX)
		return -E2BIG;
	phone = fleet_by_udid(fleet, udid);
	label = phone ? identity_label(&phone->identity) : NULL;
	object_text(&object, "udid", udid);
	object_text(&object, "phone", label);
	copy_text(&object, event, "file");
	object_flag(&object, "broken", field_true(event, "broken"));
	copy_text(&object, event, "why");
	copy_number(&object, event, "bytes");
	copy_number(&object, event, "modified_ms");
	copy_number(&object, event, "made_ms");
	copy_text(&object, event, "system_buid");
	r = object_end(&object, &record);
	return r < 0 ? r : sd_json_variant_append_array(&volume->records, record);
}

/* --- a volume as it is shown ----------------------------------------------------------------- */

static sd_json_variant *records_of(const struct host_view_volume *volume)
{
	sd_json_variant *empty = NULL;

	if (volume->records)
		return sd_json_variant_ref(volume->records);
	return sd_json_build(&empty, SD_JSON_BUILD_EMPTY_ARRAY) < 0 ? NULL : empty;
}

static int volume_build(const struct host_view_volume *volume, sd_json_variant **ret)
{
	enum computer_cause cause = cause_of(volume->object);
	_cleanup_(object_done) struct object object = { 0 };

	copy_text(&object, volume->object, "id");
	copy_text(&object, volume->object, "device");
	copy_text(&object, volume->object, "disk");
	copy_number(&object, volume->object, "size_bytes");
	copy_text(&object, volume->object, "label");
	copy_text(&object, volume->object, "filesystem");
	copy_text(&object, volume->object, "uuid");
	copy_text(&object, volume->object, "system");
	object_text(&object, "condition", computer_condition(cause));
	object_text(&object, "cause",
		    cause != COMPUTER_NONE ? field_string(volume->object, "cause") : NULL);
	object_text(&object, "reason", computer_reason(cause));
	object_text(&object, "remedy", computer_remedy(cause));
	copy_text(&object, volume->object, "text");
	copy_text(&object, volume->object, "folder");
	copy_text(&object, volume->object, "system_buid");
	if (field_true(volume->object, "more"))
		object_flag(&object, "more", true);
	object_take(&object, "records", records_of(volume));
	return object_end(&object, ret);
}

/* What may be moved gets a token for exactly what is shown. */
static int volume_add(const struct host_view_volume *volume, struct move_consents *consents,
		      sd_json_variant **array)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	char token[CONSENT_TOKEN_BYTES];
	int r = volume_build(volume, &object);

	if (r >= 0 && cause_of(volume->object) == COMPUTER_NONE &&
	    sd_json_variant_elements(volume->records) > 0) {
		r = move_consent_mint(consents, object, clock_now_ms(), token);
		if (r >= 0)
			r = sd_json_variant_set_field_string(&object, "token", token);
		if (r >= 0)
			r = sd_json_variant_set_field_unsigned(&object, "token_seconds",
							       timing_ms(TIMING_CONSENT) / 1000);
	}
	return r < 0 ? r : sd_json_variant_append_array(array, object);
}

/* --- what follows ---------------------------------------------------------------------------- */

/* Everything that doctor/computer.h wants to know. */
struct gathered {
	struct computer_phone phones[FLEET_PHONES_MAX];
	struct computer_record *records; /* owned */
	struct computer_facts facts;
	struct computer_times times;
	bool systems[PLACE_MAX];
};

static void gathered_done(struct gathered *gathered)
{
	free(gathered->records);
}

static enum place place_of(sd_json_variant *volume)
{
	const char *system = field_string(volume, "system");

	if (strcmp(system, "windows") == 0)
		return PLACE_WINDOWS;
	if (strcmp(system, "linux") == 0)
		return PLACE_LINUX;
	return strcmp(system, "macos") == 0 ? PLACE_MACOS : PLACE_MAX;
}

/* Only what was proven in a session counts. */
static void gather_phones(const struct fleet *fleet, struct gathered *gathered)
{
	for (size_t i = 0; i < fleet_count(fleet); i++) {
		const struct phone *phone = fleet_at(fleet, i);

		if (!phone || !phone->on_bus || phone->trust != TRUST_TRUSTED ||
		    phone->identity.udid[0] == '\0')
			continue;
		gathered->phones[gathered->facts.phone_count++] = (struct computer_phone){
			.udid = phone->identity.udid,
			.label = identity_label(&phone->identity) ?: phone->identity.udid,
		};
	}
}

static void gather_volume(const struct host_view_volume *volume, struct gathered *gathered)
{
	enum place place = place_of(volume->object);

	if (place != PLACE_MAX)
		gathered->systems[place] = true;
	switch (cause_of(volume->object)) {
	case COMPUTER_BITLOCKER:
	case COMPUTER_LUKS:
	case COMPUTER_MACOS:
	case COMPUTER_UNREADABLE:
		gathered->facts.closed++;
		break;
	case COMPUTER_NONE:
	case COMPUTER_HIBERNATED:
	case COMPUTER_SLEEPER:
	case COMPUTER_DIRTY:
	case COMPUTER_LOG_OPEN:
	case COMPUTER_RECOVER:
	case COMPUTER_ERRORS:
	case COMPUTER_PROTECTED:
		gathered->facts.looked += place != PLACE_MAX;
		break;
	case COMPUTER_FILE_SYSTEM:
	case COMPUTER_CAUSE_MAX:
		break;
	}
	for (size_t i = 0; i < sd_json_variant_elements(volume->records); i++) {
		sd_json_variant *record = sd_json_variant_by_index(volume->records, i);
		uint64_t modified_ms = field_unsigned(record, "modified_ms", 0);

		gathered->records[gathered->facts.record_count++] = (struct computer_record){
			.udid = field_string(record, "udid"),
			.broken = field_true(record, "broken"),
		};
		if (modified_ms > gathered->times.record_ms)
			gathered->times.record_ms = modified_ms;
	}
}

static int gather(const struct host_view *view, sd_json_variant *result, const struct fleet *fleet,
		  struct gathered *ret)
{
	size_t records = 0;

	*ret = (struct gathered){
		.times = { .board_ms = field_unsigned(result, "board_ms", 0),
			   .made_ms = field_unsigned(result, "made_ms", 0),
			   .true_ms = field_unsigned(result, "true_ms", 0) },
	};
	for (size_t i = 0; i < view->count; i++)
		records += sd_json_variant_elements(view->volumes[i].records);
	ret->records = calloc(records + 1, sizeof(*ret->records));
	if (!ret->records)
		return -ENOMEM;
	gather_phones(fleet, ret);
	for (size_t i = 0; i < view->count; i++)
		gather_volume(&view->volumes[i], ret);
	ret->facts.phones = ret->phones;
	ret->facts.records = ret->records;
	return 0;
}

/* The steps for the systems that this computer has. */
static sd_json_variant *advice_build(const struct gathered *gathered)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	int r = sd_json_build(&array, SD_JSON_BUILD_EMPTY_ARRAY);

	for (int place = 0; place < PLACE_MAX; place++) {
		const struct hint_fact *hint;

		for (size_t i = 0; r >= 0 && gathered->systems[place] &&
				   (hint = hint_of_place((enum place)place, i));
		     i++)
			r = sd_json_variant_append_arraybo(
			    &array, SD_JSON_BUILD_PAIR_STRING("id", hint->id),
			    SD_JSON_BUILD_PAIR_STRING("text", hint->text),
			    SD_JSON_BUILD_PAIR_STRING("system", place_name((enum place)place)));
	}
	return r < 0 ? NULL : TAKE(array);
}

static sd_json_variant *clock_build(const struct gathered *gathered)
{
	_cleanup_(object_done) struct object object = { 0 };
	_cleanup_free_ char *text = NULL;
	sd_json_variant *variant = NULL;

	enum computer_clock clock = computer_clock(&gathered->times, &text);

	object_text(&object, "verdict", computer_clock_name(clock));
	if (gathered->times.board_ms > 0 && gathered->times.board_ms <= INT64_MAX)
		object_number(&object, "board_ms", gathered->times.board_ms);
	object_text(&object, "text", text);
	return object_end(&object, &variant) < 0 ? NULL : variant;
}

int host_view_build(const struct host_view *view, sd_json_variant *result,
		    const struct fleet *fleet, struct move_consents *consents,
		    sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *volumes = NULL;
	_cleanup_(gathered_done) struct gathered gathered = { 0 };
	_cleanup_(object_done) struct object object = { 0 };
	_cleanup_free_ char *text = NULL;
	const char *id;
	bool concluded;
	int r = gather(view, result, fleet, &gathered);

	if (r >= 0)
		r = sd_json_build(&volumes, SD_JSON_BUILD_EMPTY_ARRAY);
	for (size_t i = 0; r >= 0 && i < view->count; i++)
		r = volume_add(&view->volumes[i], consents, &volumes);
	if (r < 0)
		return r;
	object_take(&object, "volumes", TAKE(volumes));
	object_take(&object, "advice", advice_build(&gathered));
	object_take(&object, "clock", clock_build(&gathered));
	concluded = computer_conclude(&gathered.facts, &id, &text);
	object_text(&object, "conclusion_id", id);
	object_text(&object, concluded ? "conclusion" : "unknown", text);
	return object_end(&object, ret);
}

/* --- moving ---------------------------------------------------------------------------------- */

/* Named by its file, or by its phone's UDID in any form. */
static bool is_named(sd_json_variant *record, const char *name)
{
	char wanted[UDID_BYTES], own[UDID_BYTES];

	if (field_is(record, "file", name) || field_is(record, "udid", name))
		return true;
	return udid_from_serial(name, wanted) == 0 &&
	       udid_from_serial(field_string(record, "udid"), own) == 0 && strcmp(wanted, own) == 0;
}

static bool is_among(sd_json_variant *record, sd_json_variant *names)
{
	for (size_t i = 0; i < sd_json_variant_elements(names); i++)
		if (is_named(record, sd_json_variant_string(sd_json_variant_by_index(names, i))))
			return true;
	return false;
}

/* Each name must be that of a record that was shown. */
static int check_names(sd_json_variant *records, sd_json_variant *names, struct error *err)
{
	for (size_t i = 0; i < sd_json_variant_elements(names); i++) {
		const char *name = sd_json_variant_string(sd_json_variant_by_index(names, i));
		bool found = false;

		for (size_t j = 0; name && !found && j < sd_json_variant_elements(records); j++)
			found = is_named(sd_json_variant_by_index(records, j), name);
		if (!found)
			return error_set(err, ERROR_USAGE, "service", 0,
					 "there is no record of \"%.60s\" on that volume",
					 name ?: "");
	}
	return 0;
}

static int add_record(sd_json_variant *record, sd_json_variant **array)
{
	_cleanup_(object_done) struct object object = { 0 };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *field = NULL;
	int r;

	copy_text(&object, record, "file");
	copy_number(&object, record, "bytes");
	copy_number(&object, record, "modified_ms");
	r = object_end(&object, &field);
	return r < 0 ? r : sd_json_variant_append_array(array, field);
}

int host_view_request(sd_json_variant *volume, sd_json_variant *names, sd_json_variant **ret,
		      struct error *err)
{
	sd_json_variant *shown = field_array(volume, "records");
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *records = NULL;
	_cleanup_(object_done) struct object object = { 0 };
	int r = check_names(shown, names, err);

	if (r < 0)
		return r;
	r = sd_json_build(&records, SD_JSON_BUILD_EMPTY_ARRAY);
	for (size_t i = 0; r >= 0 && i < sd_json_variant_elements(shown); i++) {
		sd_json_variant *record = sd_json_variant_by_index(shown, i);

		if (!names || is_among(record, names))
			r = add_record(record, &records);
	}
	object_check(&object, r);
	object_text(&object, "volume", field_string(volume, "id"));
	copy_text(&object, volume, "filesystem");
	copy_text(&object, volume, "uuid");
	copy_text(&object, volume, "folder");
	copy_number(&object, volume, "size_bytes");
	if (r >= 0 && sd_json_variant_elements(records) == 0)
		return error_set(err, ERROR_USAGE, "service", 0, "no record is named");
	object_take(&object, "records", TAKE(records));
	r = object_end(&object, ret);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "service", -r, "request of a worker");
	return 0;
}

int host_view_moved(sd_json_variant *result, sd_json_variant **ret)
{
	sd_json_variant *moved = field_array(result, "moved");
	_cleanup_(object_done) struct object object = { 0 };

	if (!moved || !field_string(result, "folder"))
		return -EBADMSG;
	copy_text(&object, result, "folder");
	object_take(&object, "records", sd_json_variant_ref(moved));
	return object_end(&object, ret);
}
