/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `explain CODE`: what a number, a name or a line means and what to do. Asks nobody. */
#include "base/cleanup.h"
#include "base/text.h"
#include "doctor/explain.h"
#include "face/command.h"
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

/* "0xe8000013 of the MobileDevice framework; source: ios-deploy src/ios-deploy/errors.h". */
static char *evidence(const struct verdict *verdict)
{
	char code[EXPLAIN_CODE_BYTES];
	const char *name = verdict_name(verdict);

	verdict_code(verdict, code);
	return message_format("explain-evidence", "code", *code ? code : name, "scheme",
			      say(schemes, verdict_scheme(verdict)), "source",
			      verdict_source(verdict), NULL);
}

/* --- JSON -------------------------------------------------------------------------------------
 */

static int verdict_json(const struct verdict *verdict, sd_json_variant **list)
{
	_cleanup_free_ char *seen = evidence(verdict);
	_cleanup_free_ char *cause = text_for_any_phone(verdict_cause(verdict));
	const char *after = verdict_next(verdict), *name = verdict_name(verdict);
	_cleanup_free_ char *next = text_for_any_phone(after ? after : "");
	char code[EXPLAIN_CODE_BYTES];

	if (!seen || !cause || !next)
		return -ENOMEM;
	verdict_code(verdict, code);
	return sd_json_variant_append_arraybo(
	    list, SD_JSON_BUILD_PAIR_STRING("layer", verdict_layer(verdict)),
	    SD_JSON_BUILD_PAIR_STRING("cause", cause),
	    SD_JSON_BUILD_PAIR_STRING("confidence", confidence_name(verdict_confidence(verdict))),
	    SD_JSON_BUILD_PAIR_STRING("evidence", seen),
	    SD_JSON_BUILD_PAIR_CONDITION(after != NULL, "next", SD_JSON_BUILD_STRING(next)),
	    SD_JSON_BUILD_PAIR_STRING("scheme", verdict_scheme(verdict)),
	    SD_JSON_BUILD_PAIR_CONDITION(*code != '\0', "code", SD_JSON_BUILD_STRING(code)),
	    SD_JSON_BUILD_PAIR_CONDITION(name != NULL, "name", SD_JSON_BUILD_STRING(name)),
	    SD_JSON_BUILD_PAIR_CONDITION(
		verdict->finding != NULL, "finding",
		SD_JSON_BUILD_STRING(verdict->finding ? verdict->finding->id : "")));
}

static int explain_json(const struct command_call *call, const struct verdict *verdicts,
			size_t count)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *list = NULL, *fields = NULL;
	int r = sd_json_build(&list, SD_JSON_BUILD_EMPTY_ARRAY);

	for (size_t i = 0; r >= 0 && i < count; i++)
		r = verdict_json(&verdicts[i], &list);
	if (r >= 0)
		r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_VARIANT("verdicts", list));
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

static void verdict_add(struct screen_prose *prose, const struct verdict *verdict)
{
	const char *next = verdict_next(verdict);

	title_add(prose, verdict);
	row_add(prose, "explain-label-cause", verdict_cause(verdict));
	if (next)
		row_add(prose, "explain-label-next", next);
	if (verdict->code || verdict->rule) /* of our own words there is no doubt */
		row_add(prose, "explain-label-sure",
			output_text(confidences[verdict_confidence(verdict)]));
	row_add(prose, "explain-label-layer", say(layers, verdict_layer(verdict)));
	if (verdict->finding)
		finding_add(prose, verdict->finding);
}

static void unknown_add(struct screen_prose *prose, const char *text)
{
	_cleanup_free_ char *clean = output_clean(text);
	_cleanup_free_ char *line = message_format("explain-unknown", "what", clean, NULL);

	screen_prose_add(prose, SCREEN_ROLE_TEXT, line ? line : clean);
	screen_prose_add(prose, SCREEN_ROLE_TEXT, output_text("explain-unknown-next"));
}

static int explain_text(const struct command_call *call, const char *text,
			const struct verdict *verdicts, size_t count)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	int r = output_prose_new(&prose);

	if (r < 0)
		return output_bug(call, r);
	if (count == 0)
		unknown_add(prose, text);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
		verdict_add(prose, &verdicts[i]);
	}
	r = output_prose(prose);
	return r < 0 ? output_bug(call, r) : 0;
}

/* --- the command ------------------------------------------------------------------------------
 */

/* The arguments with spaces between them, as valid UTF-8 without control characters: "error 9"
 * needs no quotes. What does not fit would not be read. */
static void arguments_join(int argc, char *const *argv, char ret[static EXPLAIN_TEXT_BYTES])
{
	size_t n = 0;

	ret[0] = '\0';
	for (int i = 0; i < argc; i++) {
		n += text_copy(ret + n, EXPLAIN_TEXT_BYTES - n, i > 0 ? " " : "");
		n += text_copy(ret + n, EXPLAIN_TEXT_BYTES - n, argv[i]);
	}
}

int command_explain(const struct command_call *call)
{
	struct verdict verdicts[EXPLAIN_MAX];
	char text[EXPLAIN_TEXT_BYTES];
	size_t count;

	arguments_join(call->argc, call->argv, text);
	count = explain(text, verdicts);
	if (call->json)
		return explain_json(call, verdicts, count);
	return explain_text(call, text, verdicts, count);
}
