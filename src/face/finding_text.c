/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/finding_text.h"
#include "base/cleanup.h"
#include "face/output.h"
#include "service/fields.h"
#include <stdio.h>

enum { LABEL_COLUMNS = 16 };

static const struct {
	enum screen_role role;
	const char *word; /* message id */
} severities[SEVERITY_MAX] = {
	[SEVERITY_INFO] = { SCREEN_ROLE_STRONG, "finding-info" },
	[SEVERITY_WARNING] = { SCREEN_ROLE_WARN, "finding-warning" },
	[SEVERITY_PROBLEM] = { SCREEN_ROLE_ALERT, "finding-problem" },
};

enum severity finding_text_severity(sd_json_variant *finding)
{
	for (size_t i = 0; i < SEVERITY_MAX; i++)
		if (field_is(finding, "severity", severity_name((enum severity)i)))
			return (enum severity)i;
	return SEVERITY_INFO;
}

enum severity finding_text_worst(sd_json_variant *findings)
{
	enum severity worst = SEVERITY_INFO;

	for (size_t i = 0; i < sd_json_variant_elements(findings); i++) {
		enum severity one = finding_text_severity(sd_json_variant_by_index(findings, i));

		worst = one > worst ? one : worst;
	}
	return worst;
}

enum screen_role finding_text_role(sd_json_variant *finding)
{
	return severities[finding_text_severity(finding)].role;
}

char *finding_text_title(sd_json_variant *finding)
{
	const char *title = field_string(finding, "title");
	const char *word = output_text(severities[finding_text_severity(finding)].word);

	return message_format("finding-title", "severity", word, "title", title ? title : "", NULL);
}

static void row_add(sd_json_variant *finding, const char *label, const char *field,
		    struct screen_prose *prose)
{
	const char *text = field_string(finding, field);

	if (text && *text)
		screen_prose_add_labelled(prose, LABEL_COLUMNS, output_text(label), text);
}

static void command_add(sd_json_variant *finding, struct screen_prose *prose)
{
	const char *command = field_string(finding, "command");
	_cleanup_free_ char *line = NULL;

	if (!command)
		return;
	line = message_format("finding-command-line", "command", command, NULL);
	screen_prose_add_labelled(prose, LABEL_COLUMNS, output_text("finding-command"),
				  line ? line : command);
}

/* With who shows them, where the service tells that. */
static void codes_add(sd_json_variant *finding, struct screen_prose *prose)
{
	sd_json_variant *names = field_array(finding, "code_names");
	sd_json_variant *codes = names ? names : field_array(finding, "codes");
	_cleanup_free_ char *text = NULL;
	size_t count = sd_json_variant_elements(codes), bytes = 0;
	FILE *out = count > 0 ? open_memstream(&text, &bytes) : NULL;

	if (!out)
		return;
	for (size_t i = 0; i < count; i++) {
		sd_json_variant *code = sd_json_variant_by_index(codes, i);

		if (sd_json_variant_is_string(code))
			fprintf(out, "%s%s", i > 0 ? ", " : "", sd_json_variant_string(code));
	}
	if (fclose(out) == 0 && text[0] != '\0')
		screen_prose_add_labelled(prose, LABEL_COLUMNS, output_text("finding-codes"), text);
}

/* Only how many there are: `hints` tells them. */
static void hints_add(sd_json_variant *finding, struct screen_prose *prose)
{
	size_t count = sd_json_variant_elements(field_array(finding, "hints"));
	const char *id = field_string(finding, "id");
	_cleanup_free_ char *line = NULL;
	char number[24];

	if (count == 0 || !id)
		return;
	snprintf(number, sizeof(number), "%zu", count);
	line = message_format("finding-hints-many", "count", number, "id", id, NULL);
	screen_prose_add_labelled(prose, LABEL_COLUMNS, output_text("finding-hints"),
				  line ? line : number);
}

void finding_text_add(sd_json_variant *finding, bool hints, struct screen_prose *prose)
{
	_cleanup_free_ char *title = finding_text_title(finding);

	screen_prose_add(prose, finding_text_role(finding), title ? title : "");
	row_add(finding, "finding-evidence", "evidence", prose);
	row_add(finding, "finding-meaning", "meaning", prose);
	row_add(finding, "finding-doubt", "doubt", prose);
	row_add(finding, "finding-next", "next", prose);
	row_add(finding, "finding-cost", "cost", prose);
	command_add(finding, prose);
	if (hints)
		hints_add(finding, prose);
	codes_add(finding, prose);
}
