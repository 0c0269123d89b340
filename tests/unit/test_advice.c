/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the tables tell a person to type is a command line that this program takes. */
#include "base/cleanup.h"
#include "face/command.h"
#include "facts/facts.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 8, LINE_BYTES = 256 };

struct line {
	char text[LINE_BYTES];
	char *words[WORDS_MAX + 1];
	int count;
};

/* Splits at spaces; {phone} is one word like any other. */
static void line_split(struct line *line, const char *text)
{
	char *rest = line->text;

	assert_true(strlen(text) < sizeof(line->text));
	memcpy(line->text, text, strlen(text) + 1);
	line->count = 0;
	for (char *word; (word = strsep(&rest, " "));) {
		assert_true(line->count < WORDS_MAX);
		line->words[line->count++] = word;
	}
	line->words[line->count] = NULL;
}

static const struct command_option *option_find(const char *name)
{
	size_t count;
	const struct command_option *options = command_option_all(&count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

/* Why the program would refuse the command line; NULL: it takes it. */
static const char *line_wrong(const struct line *line)
{
	int words, arguments = 0;
	const struct command *command = command_match(line->count, line->words, &words);

	if (!command)
		return "no such command";
	for (int i = words; i < line->count; i++) {
		const struct command_option *option;

		if (strncmp(line->words[i], "--", 2) != 0) {
			arguments++;
			continue;
		}
		option = option_find(line->words[i] + 2);
		if (!option || !command_takes(command, option))
			return "no such option";
		if (option->argument && ++i == line->count)
			return "an option without its value";
	}
	return arguments < command->min_arguments   ? "an argument is missing"
	       : arguments > command->max_arguments ? "too many arguments"
						    : NULL;
}

static void commands_of_findings_are_taken(void **state)
{
	size_t count, commands = 0;
	const struct finding_fact *findings = finding_all(&count);

	for (size_t i = 0; i < count; i++) {
		const struct finding_fact *finding = &findings[i];
		struct line line;

		if (strcmp(finding->command, "-") == 0)
			continue;
		commands++;
		line_split(&line, finding->command);
		if (line_wrong(&line))
			fail_msg("%s: '%s': %s", finding->id, finding->command, line_wrong(&line));
		/* a goal that a plan is asked for is one of ours */
		if (strcmp(line.words[0], "plan") == 0 && goal_from_name(line.words[2]) == GOAL_MAX)
			fail_msg("%s: there is no goal %s", finding->id, line.words[2]);
		/* what stands for the phone is filled in, nothing else is */
		for (const char *place = strchr(finding->command, '{'); place;
		     place = strchr(place + 1, '{'))
			assert_memory_equal(place, "{phone}", strlen("{phone}"));
	}
	assert_true(commands > 0);
}

static void a_wrong_command_is_seen(void **state)
{
	static const char *const lines[] = {
		"trust",
		"trust mend {phone}",
		"trust reset",
		"trust reset {phone} {phone}",
		"list {phone}",
		"list --erase",
		"restore {phone} --wipe",
		"restore {phone} --consent",
		"",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct line line;

		line_split(&line, lines[i]);
		if (!line_wrong(&line))
			fail_msg("'%s' is taken", lines[i]);
	}
}

/* The two words behind "run idevicerescue ", without what ends a sentence. */
static size_t check_text(const char *id, const char *text)
{
	static const char *const leads[] = { "un idevicerescue ", "with idevicerescue " };
	size_t found = 0;

	for (size_t i = 0; i < sizeof(leads) / sizeof(*leads); i++) {
		for (const char *at = strstr(text, leads[i]); at; at = strstr(at + 1, leads[i])) {
			char words[2][32] = { "", "" };
			char *argv[] = { words[0], words[1] };
			int used, got = sscanf(at + strlen(leads[i]), "%31[a-z-] %31[a-z-]",
					       words[0], words[1]);

			if (got < 1 || !command_match(got, argv, &used))
				fail_msg("%s: no such command: %s", id, at);
			found++;
		}
	}
	return found;
}

static void commands_in_texts_exist(void **state)
{
	size_t count, found = 0;
	const struct finding_fact *findings = finding_all(&count);
	const struct code_fact *codes;
	const struct engine_rule *rules;
	const struct message *messages;

	for (size_t i = 0; i < count; i++) {
		found += check_text(findings[i].id, findings[i].next);
		found += check_text(findings[i].id, findings[i].cost);
	}
	for (int i = 0; i < STEP_KIND_MAX; i++)
		found += check_text(step_name((enum step_kind)i),
				    step_fact((enum step_kind)i)->guidance);
	codes = code_all(&count);
	for (size_t i = 0; i < count; i++)
		found += check_text(codes[i].name, codes[i].next);
	rules = engine_rule_all(&count);
	for (size_t i = 0; i < count; i++)
		found += check_text(rules[i].id, rules[i].next);
	messages = message_all(&count);
	for (size_t i = 0; i < count; i++)
		found += check_text(messages[i].id, messages[i].text);
	assert_true(found > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_of_findings_are_taken),
		cmocka_unit_test(a_wrong_command_is_seen),
		cmocka_unit_test(commands_in_texts_exist),
	};

	return cmocka_run_group_tests_name("advice", tests, NULL, NULL);
}
