/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/engine_verdict.h"
#include "worker/engine_output.h"
#include <string.h>

enum { EXIT_SIGNAL_BASE = 128, EXIT_CODE_MAX = 255 };

static const char own_prefix[] = "idevicerescue: ";

static bool rule_is_own(const struct engine_rule *rule)
{
	return strncmp(rule->pattern, own_prefix, sizeof(own_prefix) - 1) == 0;
}

/* All rows that fit into struct engine_seen; a test sees to it that these are all. */
static const struct engine_rule *rules_all(size_t *ret_count)
{
	const struct engine_rule *rules = engine_rule_all(ret_count);

	if (*ret_count > ENGINE_RULES_MAX)
		*ret_count = ENGINE_RULES_MAX;
	return rules;
}

void engine_seen_text(struct engine_seen *seen, const char *text)
{
	size_t count;
	const struct engine_rule *rules = rules_all(&count);

	if (strcmp(text, "Status: Restore Finished") == 0)
		seen->finished = true;
	if (strstr(text, "Unable to successfully restore device"))
		seen->failed = true;
	for (size_t i = 0; i < count; i++)
		if (!seen->rules[i] && !rule_is_own(&rules[i]) && strstr(text, rules[i].pattern))
			seen->rules[i] = true;
}

/* After "Previous Restore Log Received:" or a dump come lines that tell nothing of this run; after
 * "Log is available:" those that tell most. */
static bool other_log_follows(const char *text)
{
	size_t n = strlen(text);

	if (strcmp(text, "Log is available:") == 0)
		return false;
	return strncmp(text, "Previous ", sizeof("Previous ") - 1) == 0 ||
	       (n > 0 && text[n - 1] == ':');
}

void engine_seen_log(struct engine_seen *seen, const char *line)
{
	struct engine_log log;

	engine_log_parse(line, &log);
	if (log.level != ENGINE_RAW) {
		seen->any = true;
		seen->other_log = other_log_follows(log.text);
	} else if (seen->other_log) {
		return;
	}
	/* the phone's own log may hold any line, but not claim success for the engine */
	if (log.level == ENGINE_RAW && strcmp(log.text, "Status: Restore Finished") == 0)
		return;
	engine_seen_text(seen, log.text);
}

void engine_seen_rule(struct engine_seen *seen, const char *id)
{
	size_t count;
	const struct engine_rule *rules = rules_all(&count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(rules[i].id, id) == 0)
			seen->rules[i] = true;
}

const struct engine_rule *engine_rule_find(const char *id)
{
	size_t count;
	const struct engine_rule *rules = rules_all(&count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(rules[i].id, id) == 0)
			return &rules[i];
	return NULL;
}

const struct engine_rule *engine_verdict(const struct engine_seen *seen, int exit)
{
	size_t count;
	const struct engine_rule *rules = rules_all(&count);

	if (exit == 0 && seen->finished && !seen->failed)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (seen->rules[i])
			return &rules[i];
	if (exit > EXIT_SIGNAL_BASE && exit < EXIT_CODE_MAX)
		return engine_rule_find("engine-crashed");
	return engine_rule_find(exit == 0 ? "engine-no-proof" : "engine-failed");
}
