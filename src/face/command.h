/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One table of commands and one of options (face/command.c) give the parser, `help`, and the check
 * of the manual page.
 */
#include <stdbool.h>
#include <stddef.h>

enum { COMMAND_RECORDS_MAX = 64 };

/* Options common to all commands, already parsed. */
struct command_call {
	const char *socket;  /* --socket, NULL default */
	bool json;           /* --json */
	bool ask;            /* show --ask */
	const char *says;    /* diagnose --says WHAT: what the phone's screen shows */
	bool foreground;     /* serve --foreground */
	const char *replay;  /* serve --replay FILE: sightings from a tape instead of the bus */
	const char *record;  /* serve --record FILE: tape of what was seen, identifiers masked */
	const char *worker;  /* serve --worker PATH: fork this program instead of connecting to the
				sockets; network, firmware list, info and check: the program that
				they start */
	const char *storage; /* serve --storage FOLDER: jobs and firmware are kept there */
	const char *cache;   /* serve --cache FOLDER|URL: where firmware is kept, or comes from */
	const char *build;   /* --build B, NULL the newest */
	const char *file;    /* --file F: an IPSW that the person brought */
	const char *board;   /* firmware check --board B */
	const char *consent, *confirm;            /* --consent TOKEN, --confirm LAST4 */
	bool update, erase;                       /* restore */
	bool yes, no;                             /* job answer */
	bool all;                                 /* firmware list --all */
	bool internal;                            /* firmware cache use DISK --internal */
	bool all_records;                         /* trust reset, host reset --all-records */
	const char *records[COMMAND_RECORDS_MAX]; /* host reset --record UDID, as often as given */
	size_t record_count;                      /* more than fit are counted */
	bool no_wait;                             /* do not follow the job that was started */
	bool follow;                              /* job show --follow */
	int argc;                                 /* what is left: arguments of the command */
	char **argv;
};

struct command {
	const char *name;      /* one word, or two: "trust check" */
	const char *arguments; /* "PHONE", "" */
	const char *summary;   /* message id of the line in help */
	int min_arguments, max_arguments;
	int (*run)(const struct command_call *call); /* returns the exit status */
};

struct command_option {
	const char *name;     /* without the hyphens */
	const char *argument; /* "PATH", NULL if it takes none */
	const char *summary;  /* message id */
	const char *commands; /* those that take it, by commas: "plan,job answer"; NULL: all do */
};

struct exit_status {
	int status;
	const char *summary; /* message id */
};

/* The tables, *ret_count rows. */
const struct command *command_all(size_t *ret_count);
const struct command_option *command_option_all(size_t *ret_count);
const struct exit_status *exit_status_all(size_t *ret_count);

/* NULL if there is none with this name. */
const struct command *command_find(const char *name);

/* The command that the arguments begin with, NULL if none; *ret_words of them are its name. */
const struct command *command_match(int argc, char *const *argv, int *ret_words);

/* True if it is the first of two words of a command's name: "trust". */
bool command_is_group(const char *word);

bool command_takes(const struct command *command, const struct command_option *option);

/* argv[0] is the program's name. Returns the exit status (DESIGN §12). */
int command_main(int argc, char **argv);

/* The commands, each in its own file. */
int command_list(const struct command_call *call);
int command_watch(const struct command_call *call);
int command_show(const struct command_call *call);
int command_diagnose(const struct command_call *call);
int command_trust_check(const struct command_call *call);
int command_trust_reset(const struct command_call *call);
int command_trust_repair(const struct command_call *call);
int command_trust_forget(const struct command_call *call);
int command_trust_prove(const struct command_call *call);
int command_trust_keep(const struct command_call *call);
int command_link_test(const struct command_call *call);
int command_recovery_enter(const struct command_call *call);
int command_recovery_exit(const struct command_call *call);
int command_restart(const struct command_call *call);
int command_firmware_get(const struct command_call *call);
int command_firmware_list(const struct command_call *call);
int command_firmware_info(const struct command_call *call);
int command_firmware_check(const struct command_call *call);
int command_firmware_cache(const struct command_call *call);
int command_firmware_disks(const struct command_call *call);
int command_firmware_drop(const struct command_call *call);
int command_network(const struct command_call *call);
int command_plan(const struct command_call *call);
int command_restore(const struct command_call *call);
int command_job_list(const struct command_call *call);
int command_job_show(const struct command_call *call);
int command_job_cancel(const struct command_call *call);
int command_job_pause(const struct command_call *call);
int command_job_resume(const struct command_call *call);
int command_job_answer(const struct command_call *call);
int command_report(const struct command_call *call);
int command_host(const struct command_call *call);
int command_host_reset(const struct command_call *call);
int command_explain(const struct command_call *call);
int command_hints(const struct command_call *call);
int command_serve(const struct command_call *call);
int command_version(const struct command_call *call);
int command_help(const struct command_call *call);
