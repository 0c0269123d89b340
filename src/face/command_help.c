/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "face/command.h"
#include "face/output.h"
#include "version.h"
#include <stdio.h>
#include <string.h>

/* Columns of a command with its arguments, or of an option with its value; the texts begin behind.
 */
enum { NAME_COLUMNS = 26 };

static void row_write(const char *name, const char *argument, const char *between,
		      const char *summary)
{
	char left[64];

	snprintf(left, sizeof(left), "%s%s%s", name, argument && *argument ? between : "",
		 argument ? argument : "");
	fputs("  ", stdout);
	output_padded(left, NAME_COLUMNS);
	printf("  %s\n", output_text(summary));
}

/* The options of one command, or of all (NULL). */
static void options_write(const struct command *command)
{
	size_t count;
	const struct command_option *options = command_option_all(&count);

	for (size_t i = 0; i < count; i++) {
		char name[32];

		if (command && !command_takes(command, &options[i]))
			continue;
		snprintf(name, sizeof(name), "--%s", options[i].name);
		row_write(name, options[i].argument, " ", options[i].summary);
	}
}

static void phone_forms_write(void)
{
	printf("\n%s\n  %s\n", output_text("help-phone"), output_text("help-phone-forms"));
}

static void goals_write(void)
{
	printf("\n%s\n", output_text("help-goals"));
	for (size_t i = 0; i < GOAL_MAX; i++) {
		const struct goal_fact *fact = goal_fact((enum goal)i);

		fputs("  ", stdout);
		output_padded(fact->id, NAME_COLUMNS);
		printf("  %s\n", fact->label);
	}
}

static void help_all(void)
{
	size_t count;
	const struct command *commands = command_all(&count);
	const struct exit_status *statuses;

	printf("%s\n\n%s\n", output_text("help-usage"), output_text("help-commands"));
	for (size_t i = 0; i < count; i++)
		row_write(commands[i].name, commands[i].arguments, " ", commands[i].summary);
	printf("\n%s\n", output_text("help-options"));
	options_write(NULL);
	phone_forms_write();
	printf("\n%s\n", output_text("help-exit"));
	statuses = exit_status_all(&count);
	for (size_t i = 0; i < count; i++) {
		char number[16];

		snprintf(number, sizeof(number), "%d", statuses[i].status);
		row_write(number, NULL, "", statuses[i].summary);
	}
}

static void help_one(const struct command *command)
{
	printf("idevicerescue %s%s%s\n  %s\n\n%s\n", command->name,
	       command->arguments[0] ? " " : "", command->arguments, output_text(command->summary),
	       output_text("help-options"));
	options_write(command);
	if (strstr(command->arguments, "PHONE"))
		phone_forms_write();
	if (strstr(command->arguments, "GOAL"))
		goals_write();
}

static int help_json(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *list = NULL, *fields = NULL;
	size_t count;
	const struct command *commands = command_all(&count);
	int r = sd_json_build(&list, SD_JSON_BUILD_EMPTY_ARRAY);

	for (size_t i = 0; r >= 0 && i < count; i++)
		r = sd_json_variant_append_arraybo(
		    &list, SD_JSON_BUILD_PAIR_STRING("name", commands[i].name),
		    SD_JSON_BUILD_PAIR_STRING("arguments", commands[i].arguments),
		    SD_JSON_BUILD_PAIR_STRING("summary", output_text(commands[i].summary)));
	if (r >= 0)
		r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_VARIANT("commands", list));
	return r < 0 ? output_bug(call, r) : output_result(call, fields);
}

/* All commands whose names begin with this word. */
static void help_group(const char *word)
{
	size_t count, bytes = strlen(word);
	const struct command *commands = command_all(&count);

	for (size_t i = 0; i < count; i++)
		if (strncmp(commands[i].name, word, bytes) == 0 &&
		    (commands[i].name[bytes] == ' ' || commands[i].name[bytes] == '\0'))
			row_write(commands[i].name, commands[i].arguments, " ",
				  commands[i].summary);
}

/* No command begins so, or only half of one; or more follows than its name (words > 0). */
static int help_unknown(const struct command_call *call, int words)
{
	const char *first = call->argv[0];

	if (words > 0)
		return output_usage(call, "usage-too-many", call->argv[words]);
	return output_usage(call, command_is_group(first) ? "usage-which" : "usage-unknown-command",
			    first);
}

int command_help(const struct command_call *call)
{
	int words = 0;
	const struct command *command = command_match(call->argc, call->argv, &words);
	bool group = call->argc == 1 && command_is_group(call->argv[0]);

	if (call->argc > 0 && !group && (!command || words != call->argc))
		return help_unknown(call, words);
	if (call->json)
		return help_json(call);
	if (command)
		help_one(command);
	else if (group)
		help_group(call->argv[0]);
	else
		help_all();
	return 0;
}

int command_version(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r;

	if (!call->json) {
		printf("idevicerescue %s\nlibsystemd %s\n", IDR_VERSION, LIBSYSTEMD_VERSION);
		return 0;
	}
	r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("version", IDR_VERSION),
			   SD_JSON_BUILD_PAIR_STRING("libsystemd", LIBSYSTEMD_VERSION));
	return r < 0 ? output_bug(call, r) : output_result(call, fields);
}
