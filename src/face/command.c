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

/* A line of a log may be given without quotes. */
enum { EXPLAIN_WORDS_MAX = 32 };

static const struct command commands[] = {
	{ "list", "", "help-list", 0, 0, command_list },
	{ "watch", "", "help-watch", 0, 0, command_watch },
	{ "show", "PHONE", "help-show", 1, 1, command_show },
	{ "diagnose", "[PHONE]", "help-diagnose", 0, 1, command_diagnose },
	{ "trust check", "PHONE", "help-trust-check", 1, 1, command_trust_check },
	{ "trust repair", "PHONE", "help-trust-repair", 1, 1, command_trust_repair },
	{ "trust reset", "PHONE", "help-trust-reset", 1, 1, command_trust_reset },
	{ "trust prove", "PHONE", "help-trust-prove", 1, 1, command_trust_prove },
	{ "trust forget", "PHONE", "help-trust-forget", 1, 1, command_trust_forget },
	{ "trust keep", "[on|off]", "help-trust-keep", 0, 1, command_trust_keep },
	{ "link test", "PHONE", "help-link-test", 1, 1, command_link_test },
	{ "recovery enter", "PHONE", "help-recovery-enter", 1, 1, command_recovery_enter },
	{ "recovery exit", "PHONE", "help-recovery-exit", 1, 1, command_recovery_exit },
	{ "restart", "PHONE", "help-restart", 1, 1, command_restart },
	{ "firmware list", "PHONE|PRODUCT", "help-firmware-list", 1, 1, command_firmware_list },
	{ "firmware get", "PHONE|PRODUCT", "help-firmware-get", 1, 1, command_firmware_get },
	{ "firmware info", "FILE|URL", "help-firmware-info", 1, 1, command_firmware_info },
	{ "firmware check", "FILE", "help-firmware-check", 1, 1, command_firmware_check },
	{ "firmware cache", "[use FOLDER|DISK|URL|off]", "help-firmware-cache", 0, 2,
	  command_firmware_cache },
	{ "firmware disks", "", "help-firmware-disks", 0, 0, command_firmware_disks },
	{ "firmware drop", "FILE", "help-firmware-drop", 1, 1, command_firmware_drop },
	{ "network", "", "help-network", 0, 0, command_network },
	{ "plan", "PHONE GOAL", "help-plan", 2, 2, command_plan },
	{ "restore", "PHONE", "help-restore", 1, 1, command_restore },
	{ "job list", "", "help-job-list", 0, 0, command_job_list },
	{ "job show", "ID", "help-job-show", 1, 1, command_job_show },
	{ "job cancel", "ID", "help-job-cancel", 1, 1, command_job_cancel },
	{ "job pause", "ID", "help-job-pause", 1, 1, command_job_pause },
	{ "job resume", "ID", "help-job-resume", 1, 1, command_job_resume },
	{ "job answer", "ID", "help-job-answer", 1, 1, command_job_answer },
	{ "report", "JOB", "help-report", 1, 1, command_report },
	{ "host reset", "VOLUME", "help-host-reset", 1, 1, command_host_reset },
	{ "host", "", "help-host", 0, 0, command_host },
	{ "explain", "CODE|FILE|-", "help-explain", 1, EXPLAIN_WORDS_MAX, command_explain },
	{ "hints", "[FINDING|PLACE]", "help-hints", 0, 1, command_hints },
	{ "console", "", "help-console", 0, 0, console_run },
	{ "serve", "", "help-serve", 0, 0, command_serve },
	{ "version", "", "help-version", 0, 0, command_version },
	{ "help", "[COMMAND]", "help-help", 0, 2, command_help },
};

/* Rows in the order of `options`, which the parser counts on. */
enum option_row {
	OPTION_JSON,
	OPTION_SOCKET,
	OPTION_ASK,
	OPTION_SAYS,
	OPTION_FOREGROUND,
	OPTION_REPLAY,
	OPTION_RECORD,
	OPTION_WORKER,
	OPTION_STORAGE,
	OPTION_CACHE,
	OPTION_BUILD,
	OPTION_FILE,
	OPTION_BOARD,
	OPTION_UPDATE,
	OPTION_ERASE,
	OPTION_CONSENT,
	OPTION_CONFIRM,
	OPTION_YES,
	OPTION_NO,
	OPTION_ALL,
	OPTION_INTERNAL,
	OPTION_ALL_RECORDS,
	OPTION_NO_WAIT,
	OPTION_FOLLOW,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_MAX,
};

/* Those that start a job, or go on with one, and follow it. */
#define STARTERS                                                                                   \
	"trust repair,trust reset,trust prove,trust forget,link test,recovery enter,"              \
	"recovery exit,restart,firmware get,restore,job resume,job answer"

static const struct command_option options[OPTION_MAX] = {
	[OPTION_JSON] = { "json", NULL, "help-option-json", NULL },
	[OPTION_SOCKET] = { "socket", "PATH", "help-option-socket", NULL },
	[OPTION_ASK] = { "ask", NULL, "help-option-ask", "show" },
	[OPTION_SAYS] = { "says", "WHAT", "help-option-says", "diagnose" },
	[OPTION_FOREGROUND] = { "foreground", NULL, "help-option-foreground", "serve" },
	[OPTION_REPLAY] = { "replay", "FILE", "help-option-replay", "serve" },
	[OPTION_RECORD] = { "record", "FILE|UDID", "help-option-record", "serve,host reset" },
	[OPTION_WORKER] = { "worker", "PATH", "help-option-worker",
			    "serve,network,firmware list,firmware info,"
			    "firmware check" },
	[OPTION_STORAGE] = { "storage", "FOLDER", "help-option-storage", "serve" },
	[OPTION_CACHE] = { "cache", "FOLDER|URL", "help-option-cache", "serve" },
	[OPTION_BUILD] = { "build", "BUILD", "help-option-build", "firmware get,plan,restore" },
	[OPTION_FILE] = { "file", "FILE", "help-option-file", "plan,restore" },
	[OPTION_BOARD] = { "board", "BOARD", "help-option-board", "firmware check" },
	[OPTION_UPDATE] = { "update", NULL, "help-option-update", "restore" },
	[OPTION_ERASE] = { "erase", NULL, "help-option-erase", "restore" },
	[OPTION_CONSENT] = { "consent", "TOKEN", "help-option-consent",
			     "restore,job answer,host reset" },
	[OPTION_CONFIRM] = { "confirm", "LAST4", "help-option-confirm", "restore,job answer" },
	[OPTION_YES] = { "yes", NULL, "help-option-yes", "job answer" },
	[OPTION_NO] = { "no", NULL, "help-option-no", "job answer" },
	[OPTION_INTERNAL] = { "internal", NULL, "help-option-internal", "firmware cache" },
	[OPTION_ALL] = { "all", NULL, "help-option-all", "firmware list" },
	[OPTION_ALL_RECORDS] = { "all-records", NULL, "help-option-all-records",
				 "trust reset,host reset" },
	[OPTION_NO_WAIT] = { "no-wait", NULL, "help-option-no-wait", STARTERS },
	[OPTION_FOLLOW] = { "follow", NULL, "help-option-follow", "job show" },
	[OPTION_HELP] = { "help", NULL, "help-option-help", NULL },
	[OPTION_VERSION] = { "version", NULL, "help-option-version", NULL },
};

static const struct exit_status exit_statuses[] = {
	{ 0, "exit-ok" },          { 1, "exit-findings" },  { 2, "exit-usage" },
	{ 3, "exit-no-phone" },    { 4, "exit-ambiguous" }, { 5, "exit-refused" },
	{ 6, "exit-no-consent" },  { 7, "exit-bad-file" },  { 8, "exit-not-signed" },
	{ 9, "exit-no-space" },    { 10, "exit-network" },  { 11, "exit-unplugged" },
	{ 12, "exit-no-service" }, { 13, "exit-engine" },   { 14, "exit-cancelled" },
	{ 70, "exit-bug" },
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

/* Bytes of the first word of a command's name that has two, 0 if it has one. */
static size_t group_bytes(const struct command *command)
{
	const char *space = strchr(command->name, ' ');

	return space ? (size_t)(space - command->name) : 0;
}

bool command_is_group(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		size_t bytes = group_bytes(&commands[i]);

		if (bytes && strlen(word) == bytes && memcmp(commands[i].name, word, bytes) == 0)
			return true;
	}
	return false;
}

const struct command *command_match(int argc, char *const *argv, int *ret_words)
{
	for (size_t i = 0; argc > 0 && i < ARRAY_LEN(commands); i++) {
		size_t bytes = group_bytes(&commands[i]);

		if (bytes == 0 ? strcmp(commands[i].name, argv[0]) != 0
			       : argc < 2 || strlen(argv[0]) != bytes ||
				     memcmp(commands[i].name, argv[0], bytes) != 0 ||
				     strcmp(commands[i].name + bytes + 1, argv[1]) != 0)
			continue;
		*ret_words = bytes ? 2 : 1;
		return &commands[i];
	}
	return NULL;
}

bool command_takes(const struct command *command, const struct command_option *option)
{
	size_t bytes = strlen(command->name);

	if (!option->commands)
		return true;
	for (const char *name = option->commands; name; name = strchr(name, ',')) {
		name += *name == ',';
		if (strncmp(name, command->name, bytes) == 0 &&
		    (name[bytes] == '\0' || name[bytes] == ','))
			return true;
	}
	return false;
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

/* Where the option's word goes; NULL: it takes none. */
static const char **option_text(struct command_call *call, enum option_row row)
{
	const char **const texts[OPTION_MAX] = {
		[OPTION_SOCKET] = &call->socket,   [OPTION_SAYS] = &call->says,
		[OPTION_REPLAY] = &call->replay,   [OPTION_RECORD] = &call->record,
		[OPTION_WORKER] = &call->worker,   [OPTION_STORAGE] = &call->storage,
		[OPTION_CACHE] = &call->cache,     [OPTION_BUILD] = &call->build,
		[OPTION_FILE] = &call->file,       [OPTION_BOARD] = &call->board,
		[OPTION_CONSENT] = &call->consent, [OPTION_CONFIRM] = &call->confirm,
	};

	return texts[row];
}

/* What the option says by being there; NULL: nothing of a command's. */
static bool *option_flag(struct command_call *call, enum option_row row)
{
	bool *const flags[OPTION_MAX] = {
		[OPTION_JSON] = &call->json,
		[OPTION_ASK] = &call->ask,
		[OPTION_FOREGROUND] = &call->foreground,
		[OPTION_UPDATE] = &call->update,
		[OPTION_ERASE] = &call->erase,
		[OPTION_YES] = &call->yes,
		[OPTION_NO] = &call->no,
		[OPTION_ALL] = &call->all,
		[OPTION_INTERNAL] = &call->internal,
		[OPTION_ALL_RECORDS] = &call->all_records,
		[OPTION_NO_WAIT] = &call->no_wait,
		[OPTION_FOLLOW] = &call->follow,
	};

	return flags[row];
}

static void parse_option(struct parse *parse, enum option_row row, const char *argument)
{
	struct command_call *call = &parse->call;
	const char **text = option_text(call, row);
	bool *flag = option_flag(call, row);

	parse->given[row] = true;
	if (text)
		*text = argument;
	if (flag)
		*flag = true;
	if (row == OPTION_RECORD) {
		if (call->record_count < COMMAND_RECORDS_MAX)
			call->records[call->record_count] = argument;
		call->record_count++;
	}
}

/* True if the option's value is the next argument: "--build" "23A341". */
static bool takes_next(const char *argument)
{
	for (size_t i = 0; i < OPTION_MAX; i++)
		if (options[i].argument && strncmp(argument, "--", 2) == 0 &&
		    strcmp(argument + 2, options[i].name) == 0)
			return true;
	return false;
}

/* getopt takes -18 for options, and none of ours is a digit: negative numbers move to the end, in
 * their order. Returns how many arguments are left for getopt. */
static int numbers_last(int argc, char **argv)
{
	int end = argc;

	for (int i = 1; i < end && strcmp(argv[i], "--") != 0;) {
		char *argument = argv[i];

		if (argument[0] != '-' || argument[1] < '0' || argument[1] > '9' ||
		    takes_next(argv[i - 1])) {
			i++;
			continue;
		}
		memmove(&argv[i], &argv[i + 1], (size_t)(argc - i - 1) * sizeof(*argv));
		argv[argc - 1] = argument;
		end--;
	}
	return end;
}

/* Fills parse; getopt moves what is no option to the end, from optind on. */
static void parse_arguments(struct parse *parse, int argc, char **argv)
{
	struct option longs[OPTION_MAX + 1] = { 0 };
	int left = numbers_last(argc, argv);
	int c, row;

	for (size_t i = 0; i < OPTION_MAX; i++)
		longs[i] = (struct option){
			.name = options[i].name,
			.has_arg = options[i].argument ? required_argument : no_argument,
		};
	opterr = 0;
	optind = 0; /* glibc: start anew, also in a test that parses twice */
	while ((c = getopt_long(left, argv, ":", longs, &row)) != -1) {
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
		if (parse->given[i] && !command_takes(command, &options[i]))
			parse_mistake(parse, "usage-other-command", options[i].name);
}

/* Which command is meant; NULL after a mistake. Its name is taken from the arguments. */
static const struct command *parse_command(struct parse *parse)
{
	const struct command *command;
	const char *name;
	int words = 0;

	if (parse->given[OPTION_VERSION])
		return command_find("version");
	if (parse->given[OPTION_HELP]) {
		/* of the command, whatever else was typed for it: "show port:1-2 --help" */
		if (command_match(parse->call.argc, parse->call.argv, &words))
			parse->call.argc = words;
		return command_find("help");
	}
	if (parse->call.argc == 0) {
		parse_mistake(parse, "usage-no-command", "");
		return NULL;
	}
	name = parse->call.argv[0];
	command = command_match(parse->call.argc, parse->call.argv, &words);
	if (!command) {
		parse_mistake(
		    parse, command_is_group(name) ? "usage-which" : "usage-unknown-command", name);
		return NULL;
	}
	parse->call.argc -= words;
	parse->call.argv += words;
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
