/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/job_text.h"
#include "base/cleanup.h"
#include "face/amount_text.h"
#include "face/output.h"
#include "face/plan_text.h"
#include "service/fields.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_COLUMNS = 16, NUMBER_BYTES = 24, PERMILLE = 1000, FIRST_ATTEMPT = 1 };

static const struct {
	const char *state;
	const char *id; /* message */
	enum screen_role role;
	bool end;
} states[] = {
	{ "draft", "job-state-draft", SCREEN_ROLE_TEXT, false },
	{ "ready", "job-state-ready", SCREEN_ROLE_TEXT, false },
	{ "running", "job-state-running", SCREEN_ROLE_STRONG, false },
	{ "asking", "job-state-asking", SCREEN_ROLE_ALERT, false },
	{ "paused", "job-state-paused", SCREEN_ROLE_WARN, false },
	{ "done", "job-state-done", SCREEN_ROLE_STRONG, true },
	{ "failed", "job-state-failed", SCREEN_ROLE_ALERT, true },
	{ "cancelled", "job-state-cancelled", SCREEN_ROLE_WARN, true },
};

static const struct {
	const char *state, *id; /* of a step; message */
	enum screen_role role;
} step_states[] = {
	{ "waiting", "job-step-waiting", SCREEN_ROLE_DIM },
	{ "running", "job-step-running", SCREEN_ROLE_STRONG },
	{ "done", "job-step-done", SCREEN_ROLE_TEXT },
	{ "skipped", "job-step-skipped", SCREEN_ROLE_DIM },
	{ "failed", "job-step-failed", SCREEN_ROLE_ALERT },
};

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

/* --- the job as a whole ---------------------------------------------------------------------- */

char *job_text_title(sd_json_variant *job)
{
	enum goal goal = goal_from_name(field_string(job, "goal"));

	return message_format("job-title", "goal",
			      goal == GOAL_MAX ? text_of(job, "goal") : goal_fact(goal)->label,
			      "phone", text_of(job, "label"), NULL);
}

const char *job_text_state(sd_json_variant *job)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (field_is(job, "state", states[i].state))
			return output_text(states[i].id);
	return output_text("job-state-unknown");
}

enum screen_role job_text_role(sd_json_variant *job)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (field_is(job, "state", states[i].state))
			return states[i].role;
	return SCREEN_ROLE_WARN;
}

bool job_text_is_end(sd_json_variant *job)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (field_is(job, "state", states[i].state))
			return states[i].end;
	return false;
}

const char *job_text_data(sd_json_variant *job)
{
	if (field_is(job, "data", data_name(DATA_ERASED)))
		return output_text("job-data-erased");
	if (!field_is(job, "data", data_name(DATA_AT_RISK)))
		return output_text("job-data-kept");
	return output_text(job_text_is_end(job) ? "job-data-was-at-risk" : "job-data-at-risk");
}

char *job_text_guidance(sd_json_variant *job)
{
	const char *guidance = text_of(job, "guidance");

	if (!*guidance && field_is(job, "awaiting", "phone"))
		guidance = output_text("job-awaiting-phone");
	return strdup(guidance);
}

/* --- steps ----------------------------------------------------------------------------------- */

static sd_json_variant *step_at(sd_json_variant *job, size_t index)
{
	sd_json_variant *steps = field_array(job, "steps");

	return index < sd_json_variant_elements(steps) ? sd_json_variant_by_index(steps, index)
						       : NULL;
}

char *job_text_step(sd_json_variant *job, size_t index)
{
	sd_json_variant *step = step_at(job, index);
	uint64_t attempt = field_unsigned(step, "attempt", FIRST_ATTEMPT);
	char number[NUMBER_BYTES], count[NUMBER_BYTES], attempts[NUMBER_BYTES];

	if (!step)
		return strdup("");
	snprintf(number, sizeof(number), "%zu", index + 1);
	snprintf(count, sizeof(count), "%zu", sd_json_variant_elements(field_array(job, "steps")));
	if (attempt <= FIRST_ATTEMPT)
		return message_format("job-step", "number", number, "count", count, "label",
				      text_of(step, "label"), NULL);
	snprintf(attempts, sizeof(attempts), "%" PRIu64, attempt);
	return message_format("job-step-again", "number", number, "count", count, "attempt",
			      attempts, "label", text_of(step, "label"), NULL);
}

const char *job_text_step_state(sd_json_variant *step, const char *id)
{
	bool left = field_is(step, "state", "skipped") && field_string(step, "reason");

	return output_text(left ? "job-step-passed" : id);
}

/* Why it was left out without having been tried; NULL it was not. */
static const char *left_out(sd_json_variant *job, size_t index)
{
	sd_json_variant *step = step_at(job, index);
	bool untried =
	    field_is(step, "state", "skipped") && field_unsigned(step, "attempt", 0) == 0;

	return untried ? field_string(step, "reason") : NULL;
}

size_t job_text_left_out(sd_json_variant *job, size_t index)
{
	const char *reason = left_out(job, index), *next = reason;
	size_t last = index;

	if (!reason)
		return SIZE_MAX;
	while (next && strcmp(next, reason) == 0)
		next = left_out(job, ++last);
	return last - 1;
}

char *job_text_left_out_line(sd_json_variant *job, size_t first, size_t last)
{
	const char *reason = left_out(job, first);
	char from[NUMBER_BYTES], to[NUMBER_BYTES];

	snprintf(from, sizeof(from), "%zu", first + 1);
	snprintf(to, sizeof(to), "%zu", last + 1);
	if (first == last)
		return message_format("job-step-left-out", "number", from, "label",
				      text_of(step_at(job, first), "label"), "reason",
				      reason ? reason : "", NULL);
	return message_format("job-steps-left-out", "first", from, "last", to, "reason",
			      reason ? reason : "", NULL);
}

static void step_add(sd_json_variant *step, size_t number, struct screen_prose *prose)
{
	sd_json_variant *error = field_object(step, "error");
	const char *reason = error ? field_string(error, "text") : field_string(step, "reason");
	const char *state = text_of(step, "state"), *found = field_string(step, "found");
	enum screen_role role = SCREEN_ROLE_TEXT;
	_cleanup_free_ char *line = NULL, *finding = NULL;
	char digits[NUMBER_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(step_states); i++)
		if (strcmp(state, step_states[i].state) == 0) {
			role = step_states[i].role;
			state = job_text_step_state(step, step_states[i].id);
			break;
		}
	snprintf(digits, sizeof(digits), "%zu", number);
	line = reason
		   ? message_format("job-step-line-reason", "number", digits, "label",
				    text_of(step, "label"), "state", state, "reason", reason, NULL)
		   : message_format("job-step-line", "number", digits, "label",
				    text_of(step, "label"), "state", state, NULL);
	screen_prose_add(prose, role, line ? line : "");
	if (found)
		finding = message_format("job-step-found", "text", found, NULL);
	if (finding)
		screen_prose_add(prose, SCREEN_ROLE_STRONG, finding);
}

void job_text_steps_add(sd_json_variant *job, struct screen_prose *prose)
{
	sd_json_variant *steps = field_array(job, "steps");

	for (size_t i = 0; i < sd_json_variant_elements(steps); i++) {
		size_t last = job_text_left_out(job, i);
		_cleanup_free_ char *line = NULL;

		if (last == SIZE_MAX) {
			step_add(sd_json_variant_by_index(steps, i), i + 1, prose);
			continue;
		}
		line = job_text_left_out_line(job, i, last);
		screen_prose_add(prose, SCREEN_ROLE_DIM, line ? line : "");
		i = last;
	}
}

/* --- the person's time and answers ------------------------------------------------------------ */

char *job_text_time_left(sd_json_variant *job, uint64_t wall_ms)
{
	enum { SECOND_MS = 1000, MINUTE_S = 60 };
	uint64_t until_ms = field_unsigned(job, "until_ms", 0), seconds;
	char *text = NULL;

	if (until_ms <= wall_ms || job_text_is_end(job))
		return strdup("");
	seconds = (until_ms - wall_ms + SECOND_MS - 1) / SECOND_MS;
	if (asprintf(&text, "%" PRIu64 ":%02" PRIu64, seconds / MINUTE_S, seconds % MINUTE_S) < 0)
		return NULL;
	return text;
}

bool job_text_takes(sd_json_variant *job, bool yes)
{
	return field_true(field_object(job, "answers"), yes ? "yes" : "no");
}

/* --- progress -------------------------------------------------------------------------------- */

static const char *part_label(sd_json_variant *job, const char *part)
{
	size_t count;
	const struct engine_step *steps = engine_step_all(&count);

	if (strcmp(part, "download") == 0)
		return output_text("job-part-download");
	for (size_t i = 0; i < count; i++)
		if (strcmp(steps[i].id, part) == 0)
			return steps[i].label;
	return text_of(step_at(job, field_unsigned(job, "step", 0)), "label");
}

int job_text_permille(sd_json_variant *job)
{
	sd_json_variant *progress = field_object(job, "progress");
	uint64_t done = field_unsigned(progress, "done", UINT64_MAX);
	uint64_t total = field_unsigned(progress, "total", 0);

	if (done == UINT64_MAX || total == 0)
		return -1;
	if (done >= total)
		return PERMILLE;
	return (int)((double)done * PERMILLE / (double)total);
}

static char *amount_line(sd_json_variant *job, sd_json_variant *progress)
{
	const char *part = part_label(job, text_of(progress, "part"));
	int permille = job_text_permille(job);
	char done[AMOUNT_BYTES], total[AMOUNT_BYTES], percent[NUMBER_BYTES];

	snprintf(percent, sizeof(percent), "%d", permille / 10);
	amount_text_bytes(field_unsigned(progress, "done", 0), done);
	amount_text_bytes(field_unsigned(progress, "total", 0), total);
	if (!field_is(progress, "unit", "bytes"))
		return permille < 0 ? strdup(part)
				    : message_format("job-progress-percent", "part", part,
						     "percent", percent, NULL);
	if (permille < 0)
		return message_format("job-progress-amount", "part", part, "done", done, NULL);
	return message_format("job-progress-of", "part", part, "done", done, "total", total,
			      "percent", percent, NULL);
}

/* The rate of parts of a thousand says nothing to people. */
static char *rate_line(const char *line, sd_json_variant *progress)
{
	uint64_t rate = field_unsigned(progress, "rate", 0);
	char text[AMOUNT_BYTES];

	if (rate == 0 || !field_is(progress, "unit", "bytes"))
		return strdup(line);
	amount_text_rate(rate, text);
	return message_format("job-progress-rate", "line", line, "rate", text, NULL);
}

/* Where it comes from; the line itself if that is not known. line is taken over. */
static char *from_line(char *line, sd_json_variant *progress)
{
	const char *from = field_string(progress, "from");
	char *with = line && from
			 ? message_format("job-progress-from", "line", line, "from", from, NULL)
			 : NULL;

	if (!with)
		return line;
	free(line);
	return with;
}

char *job_text_progress(sd_json_variant *job)
{
	sd_json_variant *progress = field_object(job, "progress");
	uint64_t remaining = field_unsigned(progress, "remaining_s", UINT64_MAX);
	_cleanup_free_ char *amount = NULL, *line = NULL;
	char time[AMOUNT_BYTES];

	if (!progress)
		return strdup("");
	amount = amount_line(job, progress);
	if (!amount)
		return NULL;
	line = from_line(rate_line(amount, progress), progress);
	if (!line || remaining == UINT64_MAX)
		return TAKE(line);
	amount_text_duration(remaining, time);
	return message_format("job-progress-left", "line", line, "time", time, NULL);
}

/* --- question and end ------------------------------------------------------------------------ */

void job_text_question_add(sd_json_variant *job, struct screen_prose *prose)
{
	sd_json_variant *question = field_object(job, "question");
	sd_json_variant *plan = field_object(question, "plan");

	if (!question)
		return;
	screen_prose_add(prose, SCREEN_ROLE_ALERT, text_of(question, "text"));
	screen_prose_add(prose, SCREEN_ROLE_TEXT, output_text("job-ask-help"));
	if (!plan)
		return;
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	plan_text_add(plan, prose);
}

static void error_add(sd_json_variant *job, struct screen_prose *prose)
{
	sd_json_variant *error = field_object(job, "error");
	const struct message *advice;
	const char *next = field_string(error, "next");
	int64_t code = field_integer(error, "code", 0);
	_cleanup_free_ char *line = NULL;
	char number[NUMBER_BYTES];

	if (!error)
		return;
	advice = message_for_error(error_kind_from_name(field_string(error, "kind")));
	snprintf(number, sizeof(number), "%" PRId64, code);
	line = code ? message_format("job-error-line", "text", text_of(error, "text"), "origin",
				     text_of(error, "origin"), "code", number, NULL)
		    : message_format("job-error-line-no-code", "text", text_of(error, "text"),
				     "origin", text_of(error, "origin"), NULL);
	row_add(prose, "job-error", line);
	row_add(prose, "job-fact-next", next && *next ? next : advice ? advice->text : "");
}

/* Each thing that was proven is a line of its own, the first with the label. line is taken over and
 * may be NULL. */
static void proof_line_add(struct screen_prose *prose, bool *labelled, char *line)
{
	if (!line)
		return;
	screen_prose_add_labelled(prose, LABEL_COLUMNS, *labelled ? "" : output_text("job-proof"),
				  line);
	*labelled = true;
	free(line);
}

static char *backup_line(sd_json_variant *proof)
{
	bool whole = field_true(proof, "backup_complete");
	const char *id = whole ? "job-proof-backup-whole" : "job-proof-backup";
	char amount[AMOUNT_BYTES], count[NUMBER_BYTES];

	if (!field_true(proof, "backup"))
		return NULL;
	amount_text_bytes(field_unsigned(proof, "backup_bytes", 0), amount);
	snprintf(count, sizeof(count), "%" PRIu64, field_unsigned(proof, "backup_files", 0));
	return message_format(id, "amount", amount, "count", count, NULL);
}

/* What was not proven, and why; what is left to try. */
static void unproven_add(sd_json_variant *job, struct screen_prose *prose)
{
	sd_json_variant *unproven = field_array(job, "unproven"), *advice;

	for (size_t i = 0; i < sd_json_variant_elements(unproven); i++) {
		sd_json_variant *one = sd_json_variant_by_index(unproven, i);
		_cleanup_free_ char *line =
		    message_format("job-unproven-line", "label", text_of(one, "label"), "reason",
				   text_of(one, "reason"), NULL);

		screen_prose_add_labelled(prose, LABEL_COLUMNS,
					  i == 0 ? output_text("job-unproven") : "",
					  line ? line : "");
	}
	advice = field_array(job, "advice");
	for (size_t i = 0; i < sd_json_variant_elements(advice); i++)
		screen_prose_add_labelled(prose, LABEL_COLUMNS,
					  i == 0 ? output_text("job-advice") : "",
					  text_of(sd_json_variant_by_index(advice, i), "text"));
}

/* The firmware file as it was right before it was installed; NULL nothing was proven. */
static char *file_line(sd_json_variant *file)
{
	uint64_t level = field_unsigned(file, "level", 0);
	uint64_t unlike = field_unsigned(file, "unlike", 0);
	const char *id = unlike > 0                   ? "job-proof-file-unlike"
			 : level < 3                  ? "job-proof-file-members"
			 : field_true(file, "ticket") ? "job-proof-file-ticket"
						      : "job-proof-file-digests";
	char members[NUMBER_BYTES], matched[NUMBER_BYTES], skipped[NUMBER_BYTES];
	char unlikes[NUMBER_BYTES];
	_cleanup_free_ char *line = NULL;

	if (level < 2)
		return NULL;
	snprintf(members, sizeof(members), "%" PRIu64, field_unsigned(file, "crc", 0));
	snprintf(matched, sizeof(matched), "%" PRIu64, field_unsigned(file, "matched", 0));
	snprintf(skipped, sizeof(skipped), "%" PRIu64, field_unsigned(file, "skipped", 0));
	snprintf(unlikes, sizeof(unlikes), "%" PRIu64, unlike);
	line = message_format(id, "members", members, "matched", matched, "skipped", skipped,
			      "unlike", unlikes, NULL);
	if (!line || unlike > 0 || !field_true(file, "hash"))
		return TAKE(line);
	return message_format("job-proof-file-hash", "line", line, NULL);
}

static void proof_add(sd_json_variant *job, struct screen_prose *prose)
{
	sd_json_variant *proof = field_object(job, "proof");
	const char *name = field_string(proof, "name"), *build = field_string(proof, "build");
	const char *serial = field_string(proof, "serial_number");
	uint64_t capacity = field_unsigned(proof, "capacity_bytes", 0);
	char amount[AMOUNT_BYTES];
	bool labelled = false;

	proof_line_add(prose, &labelled, file_line(field_object(proof, "firmware")));
	if (field_true(proof, "session"))
		proof_line_add(prose, &labelled, message_format("job-proof-session", NULL));
	if (name)
		proof_line_add(prose, &labelled,
			       message_format("job-proof-name", "name", name, NULL));
	if (serial)
		proof_line_add(prose, &labelled,
			       message_format("job-proof-serial", "serial", serial, NULL));
	amount_text_bytes(capacity, amount);
	if (capacity)
		proof_line_add(prose, &labelled,
			       message_format("job-proof-capacity", "amount", amount, NULL));
	if (build)
		proof_line_add(prose, &labelled,
			       message_format("job-proof-system", "version",
					      text_of(proof, "version"), "build", build, NULL));
	if (field_unsigned(proof, "media_entries", UINT64_MAX) != UINT64_MAX)
		proof_line_add(prose, &labelled, message_format("job-proof-media", NULL));
	if (field_true(proof, "replug"))
		proof_line_add(prose, &labelled, message_format("job-proof-replug", NULL));
	proof_line_add(prose, &labelled, backup_line(proof));
}

void job_text_outcome_add(sd_json_variant *job, struct screen_prose *prose)
{
	_cleanup_free_ char *title = job_text_title(job), *head = NULL, *report = NULL;
	const char *folder = field_string(job, "folder");

	head = message_format("job-outcome", "title", title ? title : "", "state",
			      job_text_state(job), NULL);
	screen_prose_add(prose, job_text_role(job), head ? head : "");
	error_add(job, prose);
	row_add(prose, "job-fact-data", job_text_data(job));
	proof_add(job, prose);
	unproven_add(job, prose);
	if (folder)
		report = message_format("job-report-line", "folder", folder, "id",
					text_of(job, "id"), NULL);
	row_add(prose, "job-fact-report", report);
}
