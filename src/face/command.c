/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/command.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "face/console.h"
#include "face/output.h"
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
	{ "list", "", "help-list", 0, 0, command_list },
	{ "watch", "", "help-watch", 0, 0, command_watch },
	{ "show", "PHONE", "help-show", 1, 1, command_show },
	{ "console", "", "help-console", 0, 0, console_run },
	{ "serve", "", "help-serve", 0, 0, command_serve },
	{ "version", "", "help-version", 0, 0, command_version },
	{ "help", "[COMMAND]", "help-help", 0, 1, command_help },
};

/* Rows in the order of `options`, which the parser counts on. */
enum option_row {
	OPTION_JSON,
	OPTION_SOCKET,
	OPTION_ASK,
	OPTION_FOREGROUND,
	OPTION_REPLAY,
	OPTION_RECORD,
	OPTION_WORKER,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_MAX,
};

static const struct command_option options[OPTION_MAX] = {
	[OPTION_JSON] = { "json", NULL, "help-option-json", NULL },
	[OPTION_SOCKET] = { "socket", "PATH", "help-option-socket", NULL },
	[OPTION_ASK] = { "ask", NULL, "help-option-ask", "show" },
	[OPTION_FOREGROUND] = { "foreground", NULL, "help-option-foreground", "serve" },
	[OPTION_REPLAY] = { "replay", "FILE", "help-option-replay", "serve" },
	[OPTION_RECORD] = { "record", "FILE", "help-option-record", "serve" },
	[OPTION_WORKER] = { "worker", "PATH", "help-option-worker", "serve" },
	[OPTION_HELP] = { "help", NULL, "help-option-help", NULL },
	[OPTION_VERSION] = { "version", NULL, "help-option-version", NULL },
};

static const struct exit_status exit_statuses[] = {
	{ 0, "exit-ok" },         { 2, "exit-usage" },       { 3, "exit-no-phone" },
	{ 4, "exit-ambiguous" },  { 5, "exit-refused" },     { 7, "exit-bad-file" },
	{ 11, "exit-unplugged" }, { 12, "exit-no-service" }, { 70, "exit-bug" },
};

const struct command *command_all(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(commands);
	return commands;
}

const struct command_option *command_option_all(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(options);
	return options;
}

const struct exit_status *exit_status_all(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(exit_statuses);
	return exit_statuses;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* --- parsing --------------------------------------------------------------------------------- */

struct parse {
	struct command_call call;
	bool given[OPTION_MAX];
	struct error err; /* first mistake; the rest is still read, because --json may follow */
};

static void parse_mistake(struct parse *parse, const char *id, const char *what)
{
	_cleanup_free_ char *text = message_format(id, "what", what, NULL);

	if (parse->err.kind == ERROR_NONE)
		(void)error_set(&parse->err, ERROR_USAGE, "command line", 0, "%s",
				text ? text : id);
}

static void parse_option(struct parse *parse, enum option_row row, const char *argument)
{
	parse->given[row] = true;
	switch (row) {
	case OPTION_JSON:
		parse->call.json = true;
		break;
	case OPTION_SOCKET:
		parse->call.socket = argument;
		break;
	case OPTION_ASK:
		parse->call.ask = true;
		break;
	case OPTION_FOREGROUND:
		parse->call.foreground = true;
		break;
	case OPTION_REPLAY:
		parse->call.replay = argument;
		break;
	case OPTION_RECORD:
		parse->call.record = argument;
		break;
	case OPTION_WORKER:
		parse->call.worker = argument;
		break;
	case OPTION_HELP:
	case OPTION_VERSION:
	case OPTION_MAX:
		break;
	}
}

/* Fills parse; getopt moves what is no option to the end, from optind on. */
static void parse_arguments(struct parse *parse, int argc, char **argv)
{
	struct option longs[OPTION_MAX + 1] = { 0 };
	int c, row;

	for (size_t i = 0; i < OPTION_MAX; i++)
		longs[i] = (struct option){
			.name = options[i].name,
			.has_arg = options[i].argument ? required_argument : no_argument,
		};
	opterr = 0;
	optind = 0; /* glibc: start anew, also in a test that parses twice */
	while ((c = getopt_long(argc, argv, ":", longs, &row)) != -1) {
		if (c == 0)
			parse_option(parse, (enum option_row)row, optarg);
		else
			parse_mistake(parse, c == ':' ? "usage-no-value" : "usage-unknown-option",
				      optopt ? (char[]){ '-', (char)optopt, '\0' }
					     : argv[optind - 1]);
	}
	parse->call.argc = argc - optind;
	parse->call.argv = argv + optind;
}

static void check_options(struct parse *parse, const struct command *command)
{
	for (size_t i = 0; i < OPTION_MAX; i++)
		if (parse->given[i] && options[i].command &&
		    strcmp(options[i].command, command->name) != 0)
			parse_mistake(parse, "usage-other-command", options[i].name);
}

/* Which command is meant; NULL after a mistake. Its name is taken from the arguments. */
static const struct command *parse_command(struct parse *parse)
{
	const struct command *command;
	const char *name;

	if (parse->given[OPTION_VERSION])
		return command_find("version");
	if (parse->given[OPTION_HELP])
		return command_find("help");
	if (parse->call.argc == 0) {
		parse_mistake(parse, "usage-no-command", "");
		return NULL;
	}
	name = parse->call.argv[0];
	command = command_find(name);
	if (!command) {
		parse_mistake(parse, "usage-unknown-command", name);
		return NULL;
	}
	parse->call.argc--;
	parse->call.argv++;
	check_options(parse, command);
	if (parse->call.argc < command->min_arguments)
		parse_mistake(parse, "usage-missing", command->arguments);
	else if (parse->call.argc > command->max_arguments)
		parse_mistake(parse, "usage-too-many", parse->call.argv[command->max_arguments]);
	return command;
}

int command_main(int argc, char **argv)
{
	struct parse parse = { 0 };
	const struct command *command;
	int status;

	(void)setlocale(LC_ALL, "");
	log_init("idevicerescue", LOG_INFO);
	parse_arguments(&parse, argc, argv);
	command = parse_command(&parse);
	if (parse.err.kind != ERROR_NONE || !command)
		return output_end(&parse.call, &parse.err);
	status = command->run(&parse.call);
	return output_flush(status);
}
