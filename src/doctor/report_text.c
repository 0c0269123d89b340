/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/object.h"
#include "base/text.h"
#include "doctor/report.h"
#include "facts/facts.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TIME_BYTES = 32, NUMBER_BYTES = 24, NOTE_BYTES = 1024 };

/* The text in the making. */
struct page {
	FILE *out;
	bool failed;
};

/* Writes an allocated line and frees it; NULL (no memory) makes the page fail. */
static void line(struct page *page, const char *indent, char *text)
{
	if (!text)
		page->failed = true;
	else
		fprintf(page->out, "%s%s\n", indent, text);
	free(text);
}

#define LINE(page, ...) line(page, "  ", message_format(__VA_ARGS__, NULL))

static void heading(struct page *page, const char *id)
{
	const struct message *message = message_find(id);

	fprintf(page->out, "\n%s\n", message ? message->text : id);
}

static uint64_t number_of(sd_json_variant *object, const char *name)
{
	uint64_t value = 0;

	(void)object_read_number(object, name, &value);
	return value;
}

static const char *text_of(sd_json_variant *object, const char *name)
{
	return object_peek_text(object, name) ?: "-";
}

static const char *format_number(uint64_t value, char ret[static NUMBER_BYTES])
{
	snprintf(ret, NUMBER_BYTES, "%" PRIu64, value);
	return ret;
}

/* "2026-11-22 06:12:03.250" in UTC. */
static const char *format_time(uint64_t ms, char ret[static TIME_BYTES])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm utc;
	size_t n = 0;

	if (gmtime_r(&seconds, &utc))
		n = strftime(ret, TIME_BYTES, "%Y-%m-%d %H:%M:%S", &utc);
	if (n == 0)
		return "-";
	snprintf(ret + n, TIME_BYTES - n, ".%03u", (unsigned)(ms % 1000));
	return ret;
}

/* --- parts */

static void write_phone(struct page *page, sd_json_variant *phone)
{
	const char *model = object_peek_text(phone, "model");

	heading(page, "report-head-phone");
	if (model && strcmp(model, text_of(phone, "label")) != 0)
		fprintf(page->out, "  %s, %s\n", text_of(phone, "label"), model);
	else
		fprintf(page->out, "  %s\n", text_of(phone, "label"));
	if (object_peek_text(phone, "ecid"))
		LINE(page, "report-line-ecid", "ecid", text_of(phone, "ecid"));
	if (object_peek_text(phone, "udid"))
		LINE(page, "report-line-udid", "udid", text_of(phone, "udid"));
	LINE(page, "report-mode", "mode", mode_fact(mode_from_name(text_of(phone, "mode")))->label);
}

static const char *format_code(sd_json_variant *error, char ret[static NUMBER_BYTES])
{
	snprintf(ret, NUMBER_BYTES, "%" PRId64,
		 sd_json_variant_integer(sd_json_variant_by_key(error, "code")));
	return ret;
}

static void write_outcome(struct page *page, sd_json_variant *report)
{
	sd_json_variant *error = sd_json_variant_by_key(report, "error");
	const char *outcome = text_of(report, "outcome");
	char code[NUMBER_BYTES];

	heading(page, "report-head-outcome");
	if (strcmp(outcome, "done") == 0)
		LINE(page, "report-outcome-done");
	else if (strcmp(outcome, "cancelled") == 0)
		LINE(page, "report-outcome-cancelled");
	else if (strcmp(outcome, "failed") == 0 && error)
		LINE(page, "report-outcome-failed", "text", text_of(error, "text"), "origin",
		     text_of(error, "origin"), "code", format_code(error, code));
	else
		LINE(page, "report-outcome-open");
	if (error)
		LINE(page, "report-next", "text", text_of(error, "next"));
}

static void write_data(struct page *page, sd_json_variant *report)
{
	sd_json_variant *consent = sd_json_variant_by_key(report, "consent");
	const char *data = text_of(report, "data");
	char time[TIME_BYTES];

	heading(page, "report-head-data");
	if (strcmp(data, data_name(DATA_KEPT)) == 0)
		LINE(page, "report-data-kept");
	else if (strcmp(data, data_name(DATA_AT_RISK)) == 0)
		LINE(page, "report-data-at-risk");
	else
		LINE(page, "report-data-erased");
	if (consent)
		LINE(page, "report-confirmed", "confirm", text_of(consent, "confirm"), "time",
		     format_time(number_of(consent, "time_ms"), time));
}

static void write_hash(struct page *page, sd_json_variant *firmware, const char *kind)
{
	bool verified = false;
	char *judged;

	if (!object_peek_text(firmware, kind))
		return;
	(void)object_read_flag(firmware, "verified", &verified);
	judged = verified ? message_format("report-hash-verified", NULL)
			  : message_format("report-hash-not-verified", NULL);
	LINE(page, "report-hash", "kind", kind, "hash", text_of(firmware, kind), "verified",
	     judged ?: "-");
	free(judged);
}

static void write_firmware(struct page *page, sd_json_variant *firmware)
{
	if (!firmware)
		return;
	heading(page, "report-head-firmware");
	if (object_peek_text(firmware, "url"))
		LINE(page, "report-firmware", "version", text_of(firmware, "version"), "build",
		     text_of(firmware, "build"), "name", text_of(firmware, "name"));
	else
		LINE(page, "report-firmware-brought", "version", text_of(firmware, "version"),
		     "build", text_of(firmware, "build"));
	write_hash(page, firmware, "sha1");
	write_hash(page, firmware, "sha256");
}

/* How one attempt ended, allocated. */
static char *state_of(sd_json_variant *step)
{
	sd_json_variant *error = sd_json_variant_by_key(step, "error");
	const char *state = text_of(step, "state");
	char code[NUMBER_BYTES];

	if (error)
		return message_format("report-step-failed", "text", text_of(error, "text"),
				      "origin", text_of(error, "origin"), "code",
				      format_code(error, code), NULL);
	if (strcmp(state, "done") == 0)
		return message_format("report-step-passed", NULL);
	if (object_peek_text(step, "reason"))
		return message_format("report-step-left-out", "reason", text_of(step, "reason"),
				      NULL);
	if (strcmp(state, "skipped") == 0)
		return message_format("report-step-skipped", NULL);
	return message_format("report-step-running", NULL);
}

static char *duration_of(sd_json_variant *step)
{
	uint64_t ms = number_of(step, "duration_ms");
	char minutes[NUMBER_BYTES], seconds[NUMBER_BYTES], tenths[NUMBER_BYTES];

	return message_format("report-duration", "minutes", format_number(ms / 60000, minutes),
			      "seconds", format_number(ms / 1000 % 60, seconds), "tenths",
			      format_number(ms / 100 % 10, tenths), NULL);
}

static void write_step(struct page *page, sd_json_variant *step)
{
	_cleanup_free_ char *state = state_of(step), *duration = duration_of(step);
	char time[TIME_BYTES], attempt[NUMBER_BYTES];

	if (!state || !duration) {
		page->failed = true;
		return;
	}
	LINE(page, "report-step", "time", format_time(number_of(step, "began_ms"), time), "label",
	     text_of(step, "label"), "state", state, "duration", duration);
	if (number_of(step, "attempt") > 1)
		line(page, "    ",
		     message_format("report-attempt", "number",
				    format_number(number_of(step, "attempt"), attempt), NULL));
	if (sd_json_variant_by_key(step, "interrupted"))
		line(page, "    ", message_format("report-interrupted", NULL));
}

/* Steps of the plan that were left out without having been tried: those that begin a rung say it
 * for the rest of it. And what a step found out. */
static void write_plan_steps(struct page *page, sd_json_variant *steps)
{
	uint64_t rung_told = 0;

	for (size_t i = 0; i < sd_json_variant_elements(steps); i++) {
		sd_json_variant *step = sd_json_variant_by_index(steps, i);
		bool untried = number_of(step, "attempt") == 0 && object_peek_text(step, "reason");

		if (object_peek_text(step, "found"))
			LINE(page, "report-note-text", "label", text_of(step, "label"), "reason",
			     text_of(step, "found"));
		if (untried &&
		    (number_of(step, "rung") == 0 || number_of(step, "rung") != rung_told))
			LINE(page, "report-passed-over", "label", text_of(step, "label"), "reason",
			     text_of(step, "reason"));
		rung_told = number_of(step, "rung");
	}
}

static void write_steps(struct page *page, sd_json_variant *steps, sd_json_variant *plan_steps)
{
	heading(page, "report-head-steps");
	for (size_t i = 0; i < sd_json_variant_elements(steps); i++)
		write_step(page, sd_json_variant_by_index(steps, i));
	write_plan_steps(page, plan_steps);
}

/* What a note's word means for people; a word without a row is shown as it is. */
static const char *note_text(const char *kind)
{
	static const struct {
		const char *kind, *id;
	} rows[] = {
		{ "answer", "report-note-answer" },
		{ "guidance", "report-note-guidance" },
		{ "note", "report-note-note" },
		{ "phone-back", "report-note-phone-back" },
		{ "phone-left", "report-note-phone-left" },
		{ "trust", "report-note-trust" },
	};
	const struct message *message;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		message = strcmp(rows[i].kind, kind) == 0 ? message_find(rows[i].id) : NULL;
		if (message)
			return message->text;
	}
	return kind;
}

/* Notes: their time, what they mean, and the texts in them. */
static void write_events(struct page *page, sd_json_variant *events)
{
	char time[TIME_BYTES], text[NOTE_BYTES];

	if (sd_json_variant_elements(events) == 0)
		return;
	heading(page, "report-head-events");
	for (size_t i = 0; i < sd_json_variant_elements(events); i++) {
		sd_json_variant *event = sd_json_variant_by_index(events, i);
		sd_json_variant *fields = sd_json_variant_by_key(event, "fields");

		fprintf(page->out, "  %s  %s", format_time(number_of(event, "time_ms"), time),
			note_text(text_of(event, "kind")));
		for (size_t k = 1; k < sd_json_variant_elements(fields); k += 2) {
			sd_json_variant *value = sd_json_variant_by_index(fields, k);

			if (!sd_json_variant_is_string(value))
				continue;
			/* a journal of a stick may hold anything */
			text_copy(text, sizeof(text), sd_json_variant_string(value));
			fprintf(page->out, ": %s", text);
		}
		fputc('\n', page->out);
	}
}

static bool is_true(sd_json_variant *object, const char *name)
{
	bool value = false;

	(void)object_read_flag(object, name, &value);
	return value;
}

/* A proof holds what was read, and words that are true; those that are false prove nothing. */
static bool is_any_proven(sd_json_variant *proof)
{
	for (size_t i = 1; i < sd_json_variant_elements(proof); i += 2) {
		sd_json_variant *value = sd_json_variant_by_index(proof, i);

		if (!sd_json_variant_is_boolean(value) || sd_json_variant_boolean(value))
			return true;
	}
	return false;
}

static void write_unproven(struct page *page, sd_json_variant *unproven)
{
	for (size_t i = 0; i < sd_json_variant_elements(unproven); i++) {
		sd_json_variant *one = sd_json_variant_by_index(unproven, i);

		LINE(page, "report-unproven", "label", text_of(one, "label"), "reason",
		     text_of(one, "reason"));
	}
}

static void write_advice(struct page *page, sd_json_variant *advice)
{
	if (sd_json_variant_elements(advice) == 0)
		return;
	heading(page, "report-advice-head");
	for (size_t i = 0; i < sd_json_variant_elements(advice); i++)
		fprintf(page->out, "  %s\n", text_of(sd_json_variant_by_index(advice, i), "text"));
}

static void write_backup(struct page *page, sd_json_variant *proof)
{
	const char *id =
	    is_true(proof, "backup_complete") ? "report-line-backup-whole" : "report-line-backup";
	char bytes[NUMBER_BYTES], count[NUMBER_BYTES];

	if (is_true(proof, "backup"))
		LINE(page, id, "bytes", format_number(number_of(proof, "backup_bytes"), bytes),
		     "count", format_number(number_of(proof, "backup_files"), count));
}

static void write_file_proof(struct page *page, sd_json_variant *file)
{
	char members[NUMBER_BYTES], matched[NUMBER_BYTES], skipped[NUMBER_BYTES];
	char unlike[NUMBER_BYTES];

	if (number_of(file, "crc") > 0)
		LINE(page, "report-line-file", "members",
		     format_number(number_of(file, "crc"), members), "matched",
		     format_number(number_of(file, "matched"), matched), "skipped",
		     format_number(number_of(file, "skipped"), skipped));
	if (number_of(file, "unlike") > 0)
		LINE(page, "report-line-file-unlike", "unlike",
		     format_number(number_of(file, "unlike"), unlike));
	if (is_true(file, "hash"))
		LINE(page, "report-line-file-hash");
	if (is_true(file, "ticket"))
		LINE(page, "report-line-file-ticket");
}

static void write_proof(struct page *page, sd_json_variant *proof)
{
	char number[NUMBER_BYTES];

	heading(page, "report-head-proof");
	if (!is_any_proven(proof)) {
		LINE(page, "report-nothing-proven");
		return;
	}
	write_file_proof(page, sd_json_variant_by_key(proof, "firmware"));
	if (is_true(proof, "session"))
		LINE(page, "report-line-session");
	if (object_peek_text(proof, "name"))
		LINE(page, "report-line-name", "name", text_of(proof, "name"));
	if (object_peek_text(proof, "serial_number"))
		LINE(page, "report-line-serial", "serial", text_of(proof, "serial_number"));
	if (number_of(proof, "capacity_bytes") > 0)
		LINE(page, "report-line-capacity", "bytes",
		     format_number(number_of(proof, "capacity_bytes"), number));
	if (object_peek_text(proof, "build"))
		LINE(page, "report-line-system", "version", text_of(proof, "version"), "build",
		     text_of(proof, "build"));
	if (sd_json_variant_by_key(proof, "media_entries"))
		LINE(page, "report-line-media", "count",
		     format_number(number_of(proof, "media_entries"), number));
	if (is_true(proof, "replug"))
		LINE(page, "report-line-replug");
	write_backup(page, proof);
}

static void write_files(struct page *page, sd_json_variant *files)
{
	char bytes[NUMBER_BYTES];

	heading(page, "report-head-files");
	for (size_t i = 0; i < sd_json_variant_elements(files); i++) {
		sd_json_variant *file = sd_json_variant_by_index(files, i);

		LINE(page, "report-file", "name", text_of(file, "name"), "bytes",
		     format_number(number_of(file, "bytes"), bytes));
	}
}

static void write_title(struct page *page, sd_json_variant *job, sd_json_variant *plan)
{
	char created[TIME_BYTES], ended[TIME_BYTES];
	const char *at = format_time(number_of(job, "created_ms"), created);

	line(page, "",
	     message_format("report-title", "id", text_of(job, "id"), "goal",
			    text_of(plan, "label_goal"), NULL));
	if (sd_json_variant_by_key(job, "ended_ms"))
		line(page, "",
		     message_format("report-times", "created", at, "ended",
				    format_time(number_of(job, "ended_ms"), ended), NULL));
	else
		line(page, "", message_format("report-times-open", "created", at, NULL));
}

int report_to_text(sd_json_variant *report, char **ret)
{
	_cleanup_free_ char *text = NULL;
	struct page page = { 0 };
	size_t size = 0;

	page.out = open_memstream(&text, &size);
	if (!page.out)
		return -ENOMEM;
	write_title(&page, sd_json_variant_by_key(report, "job"),
		    sd_json_variant_by_key(report, "plan"));
	write_phone(&page, sd_json_variant_by_key(report, "phone"));
	write_outcome(&page, report);
	write_data(&page, report);
	write_proof(&page, sd_json_variant_by_key(report, "proof"));
	write_unproven(&page, sd_json_variant_by_key(report, "unproven"));
	write_advice(&page, sd_json_variant_by_key(report, "advice"));
	write_firmware(&page, sd_json_variant_by_key(report, "firmware"));
	write_steps(&page, sd_json_variant_by_key(report, "steps"),
		    sd_json_variant_by_key(sd_json_variant_by_key(report, "job"), "steps"));
	write_events(&page, sd_json_variant_by_key(report, "events"));
	write_files(&page, sd_json_variant_by_key(report, "files"));
	if (ferror(page.out) != 0)
		page.failed = true;
	if (fclose(page.out) != 0 || page.failed)
		return -ENOMEM;
	*ret = TAKE(text);
	return 0;
}
