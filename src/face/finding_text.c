/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/finding_text.h"
#include "base/cleanup.h"
#include "face/output.h"
#include "service/fields.h"
#include <stdio.h>

enum { LABEL_COLUMNS = 16, CODES_BYTES = 256 };

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

static void codes_add(sd_json_variant *finding, struct screen_prose *prose)
{
	sd_json_variant *codes = field_array(finding, "codes");
	char text[CODES_BYTES] = "";
	size_t used = 0;

	for (size_t i = 0; i < sd_json_variant_elements(codes) && used < sizeof(text); i++) {
		sd_json_variant *code = sd_json_variant_by_index(codes, i);
		int n;

		if (!sd_json_variant_is_string(code))
			continue;
		n = snprintf(text + used, sizeof(text) - used, "%s%s", used ? ", " : "",
			     sd_json_variant_string(code));
		used += n > 0 ? (size_t)n : 0;
	}
	if (text[0])
		screen_prose_add_labelled(prose, LABEL_COLUMNS, output_text("finding-codes"), text);
}

void finding_text_add(sd_json_variant *finding, struct screen_prose *prose)
{
	_cleanup_free_ char *title = finding_text_title(finding);

	screen_prose_add(prose, finding_text_role(finding), title ? title : "");
	row_add(finding, "finding-evidence", "evidence", prose);
	row_add(finding, "finding-meaning", "meaning", prose);
	row_add(finding, "finding-next", "next", prose);
	row_add(finding, "finding-cost", "cost", prose);
	command_add(finding, prose);
	codes_add(finding, prose);
}
