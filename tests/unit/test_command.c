/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command line without a service: parsing, help, and that table, help and manual page agree. */
#include "base/cleanup.h"
#include "face/command.h"
#include "facts/facts.h"
#include "service/fields.h"
#include "service/interface.h"
#include "unit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MANUAL "src/face/idevicerescue.1"

enum { OUTPUT_BYTES = 128 * 1024, ARGUMENTS_MAX = 10 };

/* What a run wrote, and how it ended. */
struct run {
	int status;
	char out[OUTPUT_BYTES];
	char err[OUTPUT_BYTES];
};

static void stream_take(FILE *stream, FILE *kept, int saved, char *ret)
{
	fflush(stream);
	assert_true(dup2(saved, fileno(stream)) >= 0);
	close(saved);
	rewind(kept);
	ret[fread(ret, 1, OUTPUT_BYTES - 1, kept)] = '\0';
	fclose(kept);
}

/* command_main() with standard output and error caught. arguments: NULL at the end. */
static void run_command(struct run *run, const char *const *arguments)
{
	char *argv[ARGUMENTS_MAX + 2] = { (char *)"idevicerescue" };
	FILE *out = tmpfile(), *err = tmpfile();
	int saved_out, saved_err, argc = 1;

	for (; arguments[argc - 1]; argc++)
		argv[argc] = (char *)arguments[argc - 1];
	fflush(stdout);
	fflush(stderr);
	saved_out = dup(STDOUT_FILENO);
	saved_err = dup(STDERR_FILENO);
	assert_true(dup2(fileno(out), STDOUT_FILENO) >= 0);
	assert_true(dup2(fileno(err), STDERR_FILENO) >= 0);
	run->status = command_main(argc, argv);
	stream_take(stdout, out, saved_out, run->out);
	stream_take(stderr, err, saved_err, run->err);
}

#define RUN(run, ...) run_command(run, (const char *const[]){ __VA_ARGS__, NULL })

static struct run *run_new(void)
{
	struct run *run = calloc(1, sizeof(*run));

	assert_non_null(run);
	return run;
}

static char *manual_read(void)
{
	char *text = calloc(1, OUTPUT_BYTES);
	FILE *file = fopen(MANUAL, "re");

	assert_non_null(file);
	assert_true(fread(text, 1, OUTPUT_BYTES - 1, file) > 0);
	fclose(file);
	return text;
}

/* True if one of the lines is `first`, or begins with it and a space. */
static bool has_line(const char *text, const char *first)
{
	size_t n = strlen(first);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, first, n) == 0 && strchr(" \n", line[n]))
			return true;
	}
	return false;
}

static size_t count_lines(const char *text, const char *begin, const char *from, const char *to)
{
	const char *line = strstr(text, from), *end;
	size_t count = 0;

	assert_non_null(line);
	end = strstr(line + 1, to);
	for (; line && line < end; line = strchr(line + 1, '\n'))
		count += strncmp(line, begin, strlen(begin)) == 0;
	return count;
}

/* --- table, help and manual page ------------------------------------------------------------- */

static void test_commands_are_in_help_and_manual(void **state)
{
	_cleanup_free_ struct run *run = run_new();
	_cleanup_free_ char *manual = manual_read();
	const struct command *commands;
	size_t count;
	char line[128];

	commands = command_all(&count);
	RUN(run, "help");
	assert_int_equal(run->status, 0);
	for (size_t i = 0; i < count; i++) {
		snprintf(line, sizeof(line), "  %s", commands[i].name);
		assert_true(has_line(run->out, line));
		assert_non_null(message_find(commands[i].summary));
		assert_non_null(strstr(run->out, message_find(commands[i].summary)->text));
		snprintf(line, sizeof(line), ".It Cm %s", commands[i].name);
		if (!has_line(manual, line))
			fail_msg("%s lacks the command %s", MANUAL, commands[i].name);
	}
	/* and no more than those: the list of commands ends before PHONE is explained */
	assert_int_equal(count_lines(manual, "\n.It Cm ", "The commands are:", ".Ar PHONE\nis"),
			 count);
}

/* Every name in the list is a command's, and that command takes the option. */
static void assert_options_commands(const struct command_option *option)
{
	_cleanup_free_ char *copy = strdup(option->commands);
	char *rest = copy, *name;

	while ((name = strsep(&rest, ","))) {
		const struct command *command = command_find(name);

		if (!command || !command_takes(command, option))
			fail_msg("--%s names '%s'", option->name, name);
	}
	assert_false(command_takes(command_find("version"), option));
}

static void test_options_are_in_help_and_manual(void **state)
{
	_cleanup_free_ struct run *run = run_new();
	_cleanup_free_ char *manual = manual_read();
	const struct command_option *options;
	size_t count;
	char line[128];

	options = command_option_all(&count);
	RUN(run, "help");
	for (size_t i = 0; i < count; i++) {
		snprintf(line, sizeof(line), "  --%s%s%s", options[i].name,
			 options[i].argument ? " " : "",
			 options[i].argument ? options[i].argument : "");
		assert_true(has_line(run->out, line));
		snprintf(line, sizeof(line), "\n.It Fl -%s%s%s\n", options[i].name,
			 options[i].argument ? " Ar " : "",
			 options[i].argument ? options[i].argument : "");
		if (!strstr(manual, line))
			fail_msg("%s lacks the option --%s", MANUAL, options[i].name);
		if (options[i].commands)
			assert_options_commands(&options[i]);
	}
	assert_int_equal(count_lines(manual, "\n.It Fl ", ".Ss Options", ".Ss JSON"), count);
}

static void test_exit_statuses_are_in_help_and_manual(void **state)
{
	_cleanup_free_ struct run *run = run_new();
	_cleanup_free_ char *manual = manual_read();
	const struct exit_status *statuses;
	size_t count;
	char line[128];

	statuses = exit_status_all(&count);
	RUN(run, "help");
	for (size_t i = 0; i < count; i++) {
		snprintf(line, sizeof(line), "  %d", statuses[i].status);
		assert_true(has_line(run->out, line));
		snprintf(line, sizeof(line), "\n.It %d\n", statuses[i].status);
		assert_non_null(strstr(strstr(manual, ".Sh EXIT STATUS"), line));
	}
	assert_int_equal(count_lines(manual, "\n.It ", ".Sh EXIT STATUS", ".Sh EXAMPLES"), count);
}

/* Every field of the interface is a .Va of the manual page. */
static void test_fields_are_in_the_manual(void **state)
{
	_cleanup_free_ char *manual = manual_read();

	for (size_t i = 0; vl_interface_org_idevicerescue.symbols[i]; i++) {
		const sd_varlink_symbol *symbol = vl_interface_org_idevicerescue.symbols[i];

		if (symbol->symbol_type != SD_VARLINK_STRUCT_TYPE)
			continue;
		for (const sd_varlink_field *f = symbol->fields; f->field_type != 0; f++) {
			char line[128], later[128];

			if (f->field_type == _SD_VARLINK_FIELD_COMMENT)
				continue;
			snprintf(line, sizeof(line), "Va %s", f->name);
			snprintf(later, sizeof(later), ", %s", f->name);
			if (!strstr(manual, line) && !strstr(manual, later))
				fail_msg("%s lacks the field %s.%s", MANUAL, symbol->name, f->name);
		}
	}
}

static void test_help_of_one_command(void **state)
{
	_cleanup_free_ struct run *run = run_new();

	RUN(run, "help", "show");
	assert_int_equal(run->status, 0);
	assert_non_null(strstr(run->out, "idevicerescue show PHONE"));
	assert_non_null(strstr(run->out, "--ask"));
	assert_null(strstr(run->out, "--replay"));
	RUN(run, "help", "nonsense");
	assert_int_equal(run->status, 2);
	RUN(run, "help", "trust", "check");
	assert_int_equal(run->status, 0);
	assert_non_null(strstr(run->out, "idevicerescue trust check PHONE"));
	assert_null(strstr(run->out, "--all-records"));
	RUN(run, "help", "trust");
	assert_int_equal(run->status, 0);
	assert_true(has_line(run->out, "  trust check") && has_line(run->out, "  trust reset"));
	assert_null(strstr(run->out, "recovery"));
	RUN(run, "help", "trust", "nonsense");
	assert_int_equal(run->status, 2);
	assert_non_null(strstr(run->err, "trust is half a command"));
	RUN(run, "help", "list", "nonsense");
	assert_int_equal(run->status, 2);
	assert_non_null(strstr(run->err, "'nonsense' is too much"));
	/* behind a whole command line, where people add it */
	RUN(run, "trust", "check", "port:1-2", "--help");
	assert_int_equal(run->status, 0);
	assert_non_null(strstr(run->out, "idevicerescue trust check PHONE"));
	RUN(run, "help", "plan");
	for (size_t i = 0; i < GOAL_MAX; i++)
		assert_non_null(strstr(run->out, goal_fact((enum goal)i)->label));
}

/* --- parsing --------------------------------------------------------------------------------- */

struct usage_row {
	const char *arguments[ARGUMENTS_MAX];
	const char *text; /* part of what is said */
};

static const struct usage_row usage_rows[] = {
	{ { NULL }, "no command" },
	{ { "nonsense" }, "'nonsense'" },
	{ { "--nonsense" }, "'--nonsense'" },
	{ { "list", "--nonsense" }, "'--nonsense'" },
	{ { "list", "-x" }, "'-x'" },
	{ { "list", "-xy" }, "'-x'" },
	{ { "list", "--json=yes" }, "'--json=yes'" },
	{ { "list", "--socket" }, "--socket needs a value" },
	{ { "list", "more" }, "'more' is too much" },
	{ { "show" }, "PHONE is missing" },
	{ { "show", "a", "b" }, "'b' is too much" },
	{ { "list", "--ask" }, "--ask belongs" },
	{ { "show", "a", "--replay", "f" }, "--replay belongs" },
	{ { "--worker", "x", "watch" }, "--worker belongs" },
	{ { "help", "a", "b", "c" }, "'c' is too much" },
	{ { "trust" }, "trust is half a command" },
	{ { "trust", "nonsense", "x" }, "trust is half a command" },
	{ { "job", "lists" }, "job is half a command" },
	{ { "check", "x" }, "no command 'check'" },
	{ { "trust check" }, "no command 'trust check'" },
	{ { "diagnose", "a", "b" }, "'b' is too much" },
	{ { "trust", "check" }, "PHONE is missing" },
	{ { "trust", "check", "a", "b" }, "'b' is too much" },
	{ { "trust", "check", "a", "--all-records" }, "--all-records belongs" },
	{ { "trust", "reset" }, "PHONE is missing" },
	{ { "trust", "reset", "a", "--erase" }, "--erase belongs" },
	{ { "recovery", "enter" }, "PHONE is missing" },
	{ { "recovery", "exit", "a", "b" }, "'b' is too much" },
	{ { "restart" }, "PHONE is missing" },
	{ { "firmware", "get" }, "PHONE|PRODUCT is missing" },
	{ { "firmware", "get", "a", "--file", "f" }, "--file belongs" },
	{ { "firmware", "info" }, "FILE|URL is missing" },
	{ { "firmware", "info", "f", "--board", "d17ap" }, "--board belongs" },
	{ { "firmware", "check" }, "FILE is missing" },
	{ { "firmware", "drop" }, "FILE is missing" },
	{ { "firmware", "cache", "use" }, "use FOLDER" },
	{ { "firmware", "cache", "drop", "x" }, "use FOLDER" },
	{ { "firmware", "check", "f", "--board", "nonsense" }, "no board 'nonsense'" },
	{ { "firmware", "info", "README.md", "--worker", "/nonexistent" }, "/nonexistent" },
	{ { "plan", "a" }, "PHONE GOAL is missing" },
	{ { "plan", "a", "nonsense" }, "'nonsense' is no goal" },
	{ { "plan", "a", "erase", "--consent", "t" }, "--consent belongs" },
	{ { "restore", "a" }, "either --update" },
	{ { "restore", "a", "--update", "--erase" }, "either --update" },
	{ { "restore", "--erase" }, "PHONE is missing" },
	{ { "restore", "a", "--update", "--confirm", "1234" }, "belong to what erases" },
	{ { "restore", "a", "--erase", "--confirm", "1234" }, "belong together" },
	{ { "restore", "a", "--erase", "--consent", "t" }, "belong together" },
	{ { "job", "list", "x" }, "'x' is too much" },
	{ { "job", "show" }, "ID is missing" },
	{ { "job", "show", "x", "--no-wait" }, "--no-wait belongs" },
	{ { "job", "cancel" }, "ID is missing" },
	{ { "job", "answer" }, "ID is missing" },
	{ { "job", "answer", "x" }, "either --yes or --no" },
	{ { "job", "answer", "x", "--yes", "--no" }, "either --yes or --no" },
	{ { "job", "answer", "x", "--no", "--consent", "t" }, "belong to what erases" },
	{ { "job", "answer", "x", "--yes", "--consent", "t" }, "belong together" },
	{ { "report" }, "JOB is missing" },
};

static void test_wrong_usage(void **state)
{
	_cleanup_free_ struct run *run = run_new();

	for (size_t i = 0; i < ARRAY_LEN(usage_rows); i++) {
		run_command(run, usage_rows[i].arguments);
		if (run->status != 2 || !strstr(run->err, usage_rows[i].text) || run->out[0])
			fail_msg("row %zu: %d: %s", i, run->status, run->err);
		/* and what to do about it */
		assert_non_null(strstr(run->err, "idevicerescue help"));
	}
}

static void test_wrong_usage_in_json(void **state)
{
	_cleanup_free_ struct run *run = run_new();

	for (size_t i = 1; i < ARRAY_LEN(usage_rows); i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
		const char *arguments[ARGUMENTS_MAX + 1] = { "--json" };

		memcpy(arguments + 1, usage_rows[i].arguments, sizeof(usage_rows[i].arguments));
		run_command(run, arguments);
		assert_int_equal(run->status, 2);
		assert_int_equal(
		    sd_json_parse(run->out, SD_JSON_PARSE_MUST_BE_OBJECT, &line, NULL, NULL), 0);
		assert_true(field_is(line, "type", "result"));
		assert_int_equal(field_unsigned(line, "v", 0), 1);
		assert_int_equal(field_unsigned(line, "exit", 0), 2);
		assert_true(field_is(field_object(line, "error"), "kind", "usage"));
		assert_string_equal(run->err, "");
	}
}

static void test_version_needs_no_service(void **state)
{
	_cleanup_free_ struct run *run = run_new(), *option = run_new();

	RUN(run, "version", "--socket", "/nonexistent");
	assert_int_equal(run->status, 0);
	assert_memory_equal(run->out, "idevicerescue ", 14);
	assert_non_null(strstr(run->out, "\nlibsystemd 2"));
	RUN(option, "--version");
	assert_string_equal(option->out, run->out);
	RUN(option, "--help");
	assert_int_equal(option->status, 0);
}

static void test_without_a_service(void **state)
{
	static const char *const commands[][ARGUMENTS_MAX] = {
		{ "list" },
		{ "watch" },
		{ "diagnose" },
		{ "diagnose", "a" },
		{ "trust", "check", "a" },
		{ "trust", "reset", "a" },
		{ "recovery", "enter", "a" },
		{ "recovery", "exit", "a" },
		{ "restart", "a" },
		{ "firmware", "get", "iPhone14,5" },
		{ "plan", "a", "erase" },
		{ "restore", "a", "--update" },
		{ "restore", "a", "--erase" },
		{ "job", "list" },
		{ "job", "show", "a" },
		{ "job", "cancel", "a" },
		{ "job", "answer", "a", "--no" },
		{ "report", "a" },
	};
	_cleanup_free_ struct run *run = run_new();

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const char *arguments[ARGUMENTS_MAX + 2] = { "--socket", "/nonexistent/socket" };

		memcpy(arguments + 2, commands[i], sizeof(commands[i]));
		run_command(run, arguments);
		assert_int_equal(run->status, 12);
		assert_string_equal(run->out, "");
		assert_non_null(strstr(run->err, "/nonexistent/socket"));
		assert_non_null(strstr(run->err, "serve --foreground"));
	}
	RUN(run, "show", "x", "--json", "--socket", "/nonexistent/socket");
	assert_int_equal(run->status, 12);
	assert_non_null(strstr(run->out, "\"exit\":12,\"error\":{\"kind\":\"no-service\""));
}

static void test_serve_refuses_a_terminal(void **state)
{
	_cleanup_free_ struct run *run = run_new();

	unsetenv("NOTIFY_SOCKET");
	unsetenv("INVOCATION_ID");
	RUN(run, "serve");
	assert_int_equal(run->status, 2);
	assert_non_null(strstr(run->err, "--foreground"));
	RUN(run, "serve", "--foreground", "--socket", "/nonexistent/socket");
	assert_int_equal(run->status, 2);
	assert_non_null(strstr(run->err, "/nonexistent/socket"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands_are_in_help_and_manual),
		cmocka_unit_test(test_options_are_in_help_and_manual),
		cmocka_unit_test(test_exit_statuses_are_in_help_and_manual),
		cmocka_unit_test(test_fields_are_in_the_manual),
		cmocka_unit_test(test_help_of_one_command),
		cmocka_unit_test(test_wrong_usage),
		cmocka_unit_test(test_wrong_usage_in_json),
		cmocka_unit_test(test_version_needs_no_service),
		cmocka_unit_test(test_without_a_service),
		cmocka_unit_test(test_serve_refuses_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
