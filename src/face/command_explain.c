/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `explain`: what a number, a name or the lines of a log mean and what to do. Asks nobody. */
#include "base/cleanup.h"
#include "base/text.h"
#include "face/command.h"
#include "face/explain_input.h"
#include "face/output.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_COLUMNS = 16 };

/* A word of a table and the message that says it to people. */
struct words {
	const char *word, *id;
};

static const struct words schemes[] = {
	{ "backup", "explain-scheme-backup" },
	{ "engine", "explain-scheme-engine" },
	{ "finding", "explain-scheme-finding" },
	{ "itunes", "explain-scheme-itunes" },
	{ "libimobiledevice", "explain-scheme-libimobiledevice" },
	{ "libirecovery", "explain-scheme-libirecovery" },
	{ "lockdownd", "explain-scheme-lockdownd" },
	{ "log", "explain-scheme-log" },
	{ "message", "explain-scheme-message" },
	{ "mobile-device", "explain-scheme-mobile-device" },
	{ "tss", "explain-scheme-tss" },
	{ NULL, "explain-scheme-other" },
};

static const struct words layers[] = {
	{ "activation", "explain-layer-activation" },
	{ "baseband", "explain-layer-baseband" },
	{ "dfu", "explain-layer-dfu" },
	{ "disk", "explain-layer-disk" },
	{ "hardware", "explain-layer-hardware" },
	{ "ipsw", "explain-layer-ipsw" },
	{ "network", "explain-layer-network" },
	{ "pairing", "explain-layer-pairing" },
	{ "recovery", "explain-layer-recovery" },
	{ "restore", "explain-layer-restore" },
	{ "tool", "explain-layer-tool" },
	{ "tss", "explain-layer-tss" },
	{ "usb", "explain-layer-usb" },
	{ "usbmuxd", "explain-layer-usbmuxd" },
	{ NULL, "explain-layer-other" },
};

static const char *const confidences[CONFIDENCE_MAX] = {
	[CONFIDENCE_CERTAIN] = "explain-confidence-certain",
	[CONFIDENCE_LIKELY] = "explain-confidence-likely",
	[CONFIDENCE_POSSIBLE] = "explain-confidence-possible",
};

/* The word in the language of people; the last row is for any other. */
static const char *say(const struct words *words, const char *word)
{
	while (words->word && strcmp(words->word, word) != 0)
		words++;
	return output_text(words->id);
}

/* The text with {phone} as the manual writes it; NULL only without memory. A text that is no id is
 * filled as it stands. */
static char *text_for_any_phone(const char *text)
{
	return message_format(text, "phone", "PHONE", NULL);
}

/* "0xe8000013 of the MobileDevice framework; source: ios-deploy src/ios-deploy/errors.h"; of a log
 * its lines. */
static char *evidence(const struct log_verdict *found)
{
	const struct verdict *verdict = &found->verdict;
	char code[EXPLAIN_CODE_BYTES];
	const char *name = verdict_name(verdict);

	if (found->line_count > 0) {
		char lines[LOG_EVIDENCE_LINES * (LOG_EVIDENCE_BYTES + 1)];
		size_t n = 0;

		for (size_t i = 0; i < found->line_count; i++)
			n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%s%s",
					      i > 0 ? "\n" : "", found->lines[i].text);
		return strdup(lines);
	}
	verdict_code(verdict, code);
	return message_format("explain-evidence", "code", *code ? code : name, "scheme",
			      say(schemes, verdict_scheme(verdict)), "source",
			      verdict_source(verdict), NULL);
}

/* --- JSON -------------------------------------------------------------------------------------
 */

static int same_json(const struct verdict *verdict, sd_json_variant **ret)
{
	const struct code_fact *same[EXPLAIN_SAME_MAX];
	size_t count = verdict->code ? code_same(verdict->code, same) : 0;
	char title[EXPLAIN_TITLE_BYTES];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++) {
		code_title(same[i], title);
		r = sd_json_variant_append_arrayb(ret, SD_JSON_BUILD_STRING(title));
	}
	return r;
}

/* "times", "lines" of a verdict on a log; nothing for a code. */
static int lines_json(const struct log_verdict *found, sd_json_variant **verdict)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *lines = NULL;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < found->line_count; i++)
		r = sd_json_variant_append_arraybo(
		    &lines, SD_JSON_BUILD_PAIR_UNSIGNED("number", found->lines[i].number),
		    SD_JSON_BUILD_PAIR_STRING("text", found->lines[i].text));
	if (r < 0 || !lines)
		return r;
	return sd_json_variant_merge_objectbo(verdict,
					      SD_JSON_BUILD_PAIR_UNSIGNED("times", found->times),
					      SD_JSON_BUILD_PAIR_VARIANT("lines", lines));
}

static const char *rule_id(const struct verdict *verdict)
{
	if (verdict->log)
		return verdict->log->id;
	return verdict->rule ? verdict->rule->id : NULL;
}

static int verdict_json(const struct log_verdict *found, sd_json_variant **list)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *built = NULL, *same = NULL;
	const struct verdict *verdict = &found->verdict;
	_cleanup_free_ char *seen = evidence(found);
	_cleanup_free_ char *cause = text_for_any_phone(verdict_cause(verdict));
	const char *after = verdict_next(verdict), *name = verdict_name(verdict);
	_cleanup_free_ char *next = text_for_any_phone(after ? after : "");
	const char *rule = rule_id(verdict);
	char code[EXPLAIN_CODE_BYTES];
	int r;

	if (!seen || !cause || !next)
		return -ENOMEM;
	verdict_code(verdict, code);
	r = same_json(verdict, &same);
	if (r >= 0)
		r = sd_json_buildo(
		    &built, SD_JSON_BUILD_PAIR_STRING("layer", verdict_layer(verdict)),
		    SD_JSON_BUILD_PAIR_STRING("cause", cause),
		    SD_JSON_BUILD_PAIR_STRING("confidence",
					      confidence_name(verdict_confidence(verdict))),
		    SD_JSON_BUILD_PAIR_STRING("evidence", seen),
		    SD_JSON_BUILD_PAIR_CONDITION(after != NULL, "next", SD_JSON_BUILD_STRING(next)),
		    SD_JSON_BUILD_PAIR_STRING("scheme", verdict_scheme(verdict)),
		    SD_JSON_BUILD_PAIR_CONDITION(*code != '\0', "code", SD_JSON_BUILD_STRING(code)),
		    SD_JSON_BUILD_PAIR_CONDITION(name != NULL, "name", SD_JSON_BUILD_STRING(name)),
		    SD_JSON_BUILD_PAIR_CONDITION(rule != NULL, "rule", SD_JSON_BUILD_STRING(rule)),
		    SD_JSON_BUILD_PAIR_CONDITION(same != NULL, "same", SD_JSON_BUILD_VARIANT(same)),
		    SD_JSON_BUILD_PAIR_CONDITION(
			verdict->finding != NULL, "finding",
			SD_JSON_BUILD_STRING(verdict->finding ? verdict->finding->id : "")));
	if (r >= 0)
		r = lines_json(found, &built);
	return r < 0 ? r : sd_json_variant_append_array(list, built);
}

static const char *from_name(enum explain_from from)
{
	switch (from) {
	case EXPLAIN_CODE:
		return "code";
	case EXPLAIN_LINE:
		return "line";
	case EXPLAIN_FILE:
		return "file";
	case EXPLAIN_INPUT:
		return "input";
	}
	return "";
}

static bool is_log(const struct explained *explained)
{
	return explained->from == EXPLAIN_FILE || explained->from == EXPLAIN_INPUT;
}

static int explain_json(const struct command_call *call, const struct explained *explained)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *list = NULL, *fields = NULL;
	const char *send = is_log(explained) ? "explain-log-send" : "explain-unknown-next";
	int r = sd_json_build(&list, SD_JSON_BUILD_EMPTY_ARRAY);
	bool known = explained->count > 0;

	for (size_t i = 0; r >= 0 && i < explained->count; i++)
		r = verdict_json(&explained->list[i], &list);
	if (r >= 0)
		r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_VARIANT("verdicts", list),
				   SD_JSON_BUILD_PAIR_BOOLEAN("known", known),
				   SD_JSON_BUILD_PAIR_STRING("from", from_name(explained->from)),
				   SD_JSON_BUILD_PAIR_CONDITION(
				       !known, "send", SD_JSON_BUILD_STRING(output_text(send))));
	if (r >= 0 && is_log(explained))
		r = sd_json_variant_merge_objectbo(
		    &fields, SD_JSON_BUILD_PAIR_UNSIGNED("bytes", explained->bytes),
		    SD_JSON_BUILD_PAIR_UNSIGNED("lines", explained->lines),
		    SD_JSON_BUILD_PAIR_BOOLEAN("cut", explained->cut));
	return r < 0 ? output_bug(call, r) : output_result(call, fields);
}

/* --- text -------------------------------------------------------------------------------------
 */

static void row_add(struct screen_prose *prose, const char *label, const char *text)
{
	_cleanup_free_ char *filled = text_for_any_phone(text);

	screen_prose_add_labelled(prose, LABEL_COLUMNS, output_text(label), filled ? filled : text);
}

/* "0xe8000013 kAMDInvalidResponseError: MobileDevice framework (iTunes, Finder, Xcode)" */
static void title_add(struct screen_prose *prose, const struct verdict *verdict)
{
	_cleanup_free_ char *title = NULL;
	char code[EXPLAIN_CODE_BYTES];
	const char *name = verdict_name(verdict);

	verdict_code(verdict, code);
	title = message_format(*code && name ? "explain-title-both" : "explain-title", "scheme",
			       say(schemes, verdict_scheme(verdict)), "code", *code ? code : name,
			       *code && name ? "name" : NULL, name, NULL);
	screen_prose_add(prose, SCREEN_ROLE_STRONG, title ? title : "");
}

static void finding_add(struct screen_prose *prose, const struct finding_fact *finding)
{
	_cleanup_free_ char *text =
	    message_format("explain-finding", "title", finding->title, "id", finding->id, NULL);

	row_add(prose, "explain-label-finding", text ? text : finding->title);
	row_add(prose, "explain-label-cost", finding->cost);
}

/* The codes that say the same elsewhere, by commas. */
static void same_add(struct screen_prose *prose, const struct verdict *verdict)
{
	const struct code_fact *same[EXPLAIN_SAME_MAX];
	size_t count = verdict->code ? code_same(verdict->code, same) : 0, n = 0;
	char text[EXPLAIN_SAME_MAX * EXPLAIN_TITLE_BYTES], title[EXPLAIN_TITLE_BYTES];

	for (size_t i = 0; i < count; i++) {
		code_title(same[i], title);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i > 0 ? ", " : "", title);
	}
	if (count > 0)
		row_add(prose, "explain-label-same", text);
}

static void lines_add(struct screen_prose *prose, const struct log_verdict *found)
{
	for (size_t i = 0; i < found->line_count; i++) {
		_cleanup_free_ char *clean = output_clean(found->lines[i].text);
		char number[24];
		_cleanup_free_ char *line = NULL;

		snprintf(number, sizeof(number), "%zu", found->lines[i].number);
		line = message_format("explain-line", "number", number, "text", clean, NULL);
		screen_prose_add_labelled(prose, LABEL_COLUMNS,
					  i == 0 ? output_text("explain-label-lines") : "",
					  line ? line : clean);
	}
}

static void verdict_add(struct screen_prose *prose, const struct log_verdict *found)
{
	const struct verdict *verdict = &found->verdict;
	const char *next = verdict_next(verdict);

	title_add(prose, verdict);
	row_add(prose, "explain-label-cause", verdict_cause(verdict));
	if (next)
		row_add(prose, "explain-label-next", next);
	if (verdict->code || verdict->rule || verdict->log) /* of our own words there is no doubt */
		row_add(prose, "explain-label-sure",
			output_text(confidences[verdict_confidence(verdict)]));
	row_add(prose, "explain-label-layer", say(layers, verdict_layer(verdict)));
	same_add(prose, verdict);
	lines_add(prose, found);
	if (verdict->finding)
		finding_add(prose, verdict->finding);
}

static void format_add(struct screen_prose *prose, const char *id, const char *what,
		       const char *lines)
{
	_cleanup_free_ char *clean = output_clean(what);
	_cleanup_free_ char *text = message_format(id, "what", clean, "lines", lines, NULL);

	screen_prose_add(prose, SCREEN_ROLE_TEXT, text ? text : clean);
}

/* What was read, and what else the argument could have been. */
static void input_add(struct screen_prose *prose, const struct explained *explained)
{
	char lines[24];

	snprintf(lines, sizeof(lines), "%zu", explained->lines);
	if (explained->shadows)
		format_add(prose, "explain-is-code", explained->text, lines);
	if (is_log(explained))
		format_add(prose,
			   explained->from == EXPLAIN_FILE ? "explain-read-file"
							   : "explain-read-input",
			   explained->text, lines);
	if (explained->cut)
		screen_prose_add(prose, SCREEN_ROLE_TEXT,
				 output_text(explained->from == EXPLAIN_FILE
						 ? "explain-read-end"
						 : "explain-read-begin"));
	if (explained->shadows || is_log(explained))
		screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
}

static void unknown_add(struct screen_prose *prose, const struct explained *explained)
{
	if (is_log(explained)) {
		screen_prose_add(prose, SCREEN_ROLE_TEXT, output_text("explain-log-unknown"));
		screen_prose_add(prose, SCREEN_ROLE_TEXT, output_text("explain-log-send"));
		return;
	}
	format_add(prose, "explain-unknown", explained->text, "");
	screen_prose_add(prose, SCREEN_ROLE_TEXT, output_text("explain-unknown-next"));
}

static int explain_text(const struct command_call *call, const struct explained *explained)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	int r = output_prose_new(&prose);

	if (r < 0)
		return output_bug(call, r);
	input_add(prose, explained);
	if (explained->count == 0)
		unknown_add(prose, explained);
	for (size_t i = 0; i < explained->count; i++) {
		if (i > 0)
			screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
		verdict_add(prose, &explained->list[i]);
	}
	r = output_prose(prose);
	return r < 0 ? output_bug(call, r) : 0;
}

/* --- the command ------------------------------------------------------------------------------
 */

int command_explain(const struct command_call *call)
{
	struct explained explained;
	struct error err = { 0 };

	if (explain_input(call, &explained, &err) < 0)
		return output_end(call, &err);
	return call->json ? explain_json(call, &explained) : explain_text(call, &explained);
}
