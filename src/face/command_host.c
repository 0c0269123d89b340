/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `host` and `host reset`: the computer that shows the error. */
#include "base/cleanup.h"
#include "face/amount_text.h"
#include "face/command.h"
#include "face/output.h"
#include "face/request.h"
#include "service/fields.h"
#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { STATUS_FINDINGS = 1 }; /* DESIGN §12 */

/* --- words ----------------------------------------------------------------------------------- */

/* Takes the text over; NULL is left out. */
static void add(struct screen_prose *prose, enum screen_role role, char *text)
{
	if (text)
		screen_prose_add(prose, role, text);
	free(text);
}

static void date_text(uint64_t ms, char ret[static sizeof("YYYY-MM-DD")])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	ret[0] = '\0';
	if (ms <= INT64_MAX && gmtime_r(&seconds, &tm))
		(void)strftime(ret, sizeof("YYYY-MM-DD"), "%Y-%m-%d", &tm);
}

static const char *system_label(sd_json_variant *volume)
{
	static const char *const words[][2] = {
		{ "windows", "computer-system-windows" },
		{ "linux", "computer-system-linux" },
		{ "macos", "computer-system-macos" },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (field_is(volume, "system", words[i][0]))
			return output_text(words[i][1]);
	return output_text("computer-system-unknown");
}

static char *clean(sd_json_variant *object, const char *name)
{
	return output_clean(field_string(object, name) ?: "");
}

/* --- one volume ------------------------------------------------------------------------------ */

static void head_add(sd_json_variant *volume, struct screen_prose *prose)
{
	_cleanup_free_ char *label = clean(volume, "label"), *disk = clean(volume, "disk");
	_cleanup_free_ char *id = clean(volume, "id"), *kind = clean(volume, "filesystem");
	char size[AMOUNT_BYTES];

	amount_text_bytes(field_unsigned(volume, "size_bytes", 0), size);
	add(prose, SCREEN_ROLE_STRONG,
	    message_format(label[0] ? "computer-volume-label" : "computer-volume", "id", id,
			   "filesystem", kind[0] ? kind : "?", "label", label, "disk",
			   disk[0] ? disk : output_text("computer-disk-unknown"), "size", size,
			   NULL));
	add(prose, SCREEN_ROLE_TEXT,
	    message_format("computer-line-system", "system", system_label(volume), NULL));
}

static void condition_add(sd_json_variant *volume, struct screen_prose *prose)
{
	const char *reason = field_string(volume, "reason"),
		   *remedy = field_string(volume, "remedy");
	_cleanup_free_ char *said = clean(volume, "text");

	if (!reason)
		return;
	add(prose, SCREEN_ROLE_WARN,
	    message_format("computer-line-condition", "condition",
			   field_string(volume, "condition") ?: "", "reason", reason, NULL));
	if (said[0] != '\0')
		add(prose, SCREEN_ROLE_TEXT,
		    message_format("computer-line-text", "text", said, NULL));
	if (remedy)
		add(prose, SCREEN_ROLE_TEXT,
		    message_format("computer-line-remedy", "remedy", remedy, NULL));
}

static void record_add(sd_json_variant *record, struct screen_prose *prose)
{
	bool broken = field_true(record, "broken");
	_cleanup_free_ char *udid = clean(record, "udid"), *label = clean(record, "phone");
	_cleanup_free_ char *why = clean(record, "why"), *phone = NULL;
	char date[sizeof("YYYY-MM-DD")];

	date_text(field_unsigned(record, "modified_ms", 0), date);
	if (label[0] != '\0' && asprintf(&phone, " (%s)", label) < 0)
		phone = NULL;
	add(prose, broken ? SCREEN_ROLE_ALERT : SCREEN_ROLE_TEXT,
	    message_format(broken ? "computer-record-broken" : "computer-record", "udid", udid,
			   "phone", phone ?: "", "why", why, "date", date, NULL));
}

static void records_add(sd_json_variant *volume, struct screen_prose *prose)
{
	sd_json_variant *records = field_array(volume, "records");
	_cleanup_free_ char *folder = clean(volume, "folder"), *id = clean(volume, "id");
	const char *token = field_string(volume, "token");
	char count[24];

	if (folder[0] == '\0') {
		if (!field_string(volume, "reason"))
			add(prose, SCREEN_ROLE_TEXT,
			    message_format("computer-line-no-folder", NULL));
		return;
	}
	snprintf(count, sizeof(count), "%zu", sd_json_variant_elements(records));
	add(prose, SCREEN_ROLE_TEXT,
	    message_format("computer-line-folder", "count", count, "folder", folder, NULL));
	for (size_t i = 0; i < sd_json_variant_elements(records); i++)
		record_add(sd_json_variant_by_index(records, i), prose);
	if (field_true(volume, "more"))
		screen_prose_add(prose, SCREEN_ROLE_WARN, output_text("computer-line-more"));
	if (!token)
		return;
	add(prose, SCREEN_ROLE_TEXT,
	    message_format("computer-move", "id", id, "token", token, NULL));
	screen_prose_add(prose, SCREEN_ROLE_TEXT, output_text("computer-move-one"));
}

/* --- the computer ---------------------------------------------------------------------------- */

static void titled_add(struct screen_prose *prose, const char *title, const char *text)
{
	if (!text)
		return;
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	screen_prose_add(prose, SCREEN_ROLE_STRONG, output_text(title));
	screen_prose_add(prose, SCREEN_ROLE_TEXT, text);
}

static void advice_add(sd_json_variant *advice, struct screen_prose *prose)
{
	if (sd_json_variant_elements(advice) == 0)
		return;
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	screen_prose_add(prose, SCREEN_ROLE_STRONG, output_text("computer-advice"));
	for (size_t i = 0; i < sd_json_variant_elements(advice); i++) {
		sd_json_variant *one = sd_json_variant_by_index(advice, i);

		screen_prose_add_labelled(prose, 12, system_label(one),
					  field_string(one, "text") ?: "");
	}
}

static int computer_write(sd_json_variant *computer)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	sd_json_variant *volumes = field_array(computer, "volumes");
	int r = output_prose_new(&prose);

	if (r < 0)
		return r;
	screen_prose_add(prose, SCREEN_ROLE_STRONG, output_text("computer-title"));
	if (sd_json_variant_elements(volumes) == 0)
		screen_prose_add(prose, SCREEN_ROLE_TEXT, output_text("computer-none"));
	for (size_t i = 0; i < sd_json_variant_elements(volumes); i++) {
		sd_json_variant *volume = sd_json_variant_by_index(volumes, i);

		screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
		head_add(volume, prose);
		condition_add(volume, prose);
		records_add(volume, prose);
	}
	titled_add(prose, "computer-conclusion", field_string(computer, "conclusion"));
	titled_add(prose, "computer-unknown", field_string(computer, "unknown"));
	titled_add(prose, "computer-clock", field_string(field_object(computer, "clock"), "text"));
	advice_add(field_array(computer, "advice"), prose);
	return output_prose(prose);
}

/* A broken record, or a clock that is wrong. */
static int status_of(sd_json_variant *computer)
{
	sd_json_variant *volumes = field_array(computer, "volumes");

	for (size_t i = 0; i < sd_json_variant_elements(volumes); i++) {
		sd_json_variant *records =
		    field_array(sd_json_variant_by_index(volumes, i), "records");

		for (size_t j = 0; j < sd_json_variant_elements(records); j++)
			if (field_true(sd_json_variant_by_index(records, j), "broken"))
				return STATUS_FINDINGS;
	}
	return field_string(field_object(computer, "clock"), "text") ? STATUS_FINDINGS : 0;
}

int command_host(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *reply = NULL;
	sd_json_variant *computer;
	int status = request_send(call, "LookAtComputer", NULL, &reply), r;

	if (status != 0)
		return status;
	computer = field_object(reply, "computer");
	if (!computer || !field_array(computer, "volumes"))
		return output_bug(call, -EBADMSG);
	status = status_of(computer);
	if (call->json)
		return output_status(call, status, reply); /* field computer */
	r = computer_write(computer);
	return r < 0 ? output_bug(call, r) : status;
}

/* --- host reset ------------------------------------------------------------------------------ */

static int moved_write(sd_json_variant *moved)
{
	sd_json_variant *records = field_array(moved, "records");
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	_cleanup_free_ char *folder = clean(moved, "folder");
	char count[24];
	int r = output_prose_new(&prose);

	if (r < 0)
		return r;
	snprintf(count, sizeof(count), "%zu", sd_json_variant_elements(records));
	add(prose, SCREEN_ROLE_STRONG,
	    message_format("computer-moved", "count", count, "folder", folder, NULL));
	return output_prose(prose);
}

static int parameters_build(const struct command_call *call, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *records = NULL;
	int r = sd_json_build(&records, SD_JSON_BUILD_EMPTY_ARRAY);

	for (size_t i = 0; r >= 0 && i < call->record_count; i++)
		r = sd_json_variant_append_arrayb(&records, SD_JSON_BUILD_STRING(call->records[i]));
	if (r < 0)
		return r;
	return sd_json_buildo(ret, SD_JSON_BUILD_PAIR_STRING("volume", call->argv[0]),
			      SD_JSON_BUILD_PAIR_STRING("consent", call->consent ?: ""),
			      SD_JSON_BUILD_PAIR_CONDITION(!call->all_records, "records",
							   SD_JSON_BUILD_VARIANT(records)));
}

int command_host_reset(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL, *reply = NULL;
	sd_json_variant *moved;
	int status, r;

	if (call->all_records == (call->record_count > 0))
		return output_usage(call, "usage-host-records", "");
	if (call->record_count > COMMAND_RECORDS_MAX)
		return output_usage(call, "usage-host-many", "");
	if (parameters_build(call, &parameters) < 0)
		return output_usage(call, "usage-text", call->argv[0]);
	status = request_send(call, "MoveRecords", parameters, &reply);
	if (status != 0)
		return status;
	moved = field_object(reply, "moved");
	if (!moved || !field_array(moved, "records"))
		return output_bug(call, -EBADMSG);
	if (call->json)
		return output_status(call, 0, reply); /* field moved */
	r = moved_write(moved);
	return r < 0 ? output_bug(call, r) : 0;
}
