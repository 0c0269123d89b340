/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/output.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "face/screen_text.h"
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

enum {
	COLUMNS_MIN = 40,     /* a terminal that claims less is not believed */
	COLUMNS_MAX = 100,    /* longer lines are hard to read */
	COLUMNS_NONE = 65536, /* no terminal: nothing is broken into lines */
};

int output_json(const char *type, sd_json_variant *fields)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	_cleanup_free_ char *text = NULL;
	int r;

	r = sd_json_buildo(&line, SD_JSON_BUILD_PAIR_UNSIGNED("v", 1),
			   SD_JSON_BUILD_PAIR_STRING("type", type));
	if (r >= 0 && fields)
		r = sd_json_variant_merge_object(&line, fields);
	if (r >= 0)
		r = sd_json_variant_format(line, SD_JSON_FORMAT_NEWLINE, &text);
	if (r < 0)
		return r;
	fputs(text, stdout);
	return fflush(stdout) == 0 ? 0 : -errno;
}

static int result_write(int status, sd_json_variant *fields)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	int r;

	r = sd_json_buildo(&line, SD_JSON_BUILD_PAIR_INTEGER("exit", status));
	if (r >= 0 && fields)
		r = sd_json_variant_merge_object(&line, fields);
	if (r >= 0)
		r = output_json("result", line);
	return r;
}

int output_status(const struct command_call *call, int status, sd_json_variant *fields)
{
	int r;

	if (!call->json)
		return status;
	r = result_write(status, fields);
	return r < 0 ? output_bug(call, r) : status;
}

int output_result(const struct command_call *call, sd_json_variant *fields)
{
	return output_status(call, 0, fields);
}

static int end_json(const struct error *err, const char *next, int status)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r;

	r = sd_json_buildo(
	    &fields,
	    SD_JSON_BUILD_PAIR_OBJECT(
		"error", SD_JSON_BUILD_PAIR_STRING("kind", error_kind_name(err->kind)),
		SD_JSON_BUILD_PAIR_STRING("origin", err->origin),
		SD_JSON_BUILD_PAIR_INTEGER("code", err->code),
		SD_JSON_BUILD_PAIR_STRING("text", err->text),
		SD_JSON_BUILD_PAIR_CONDITION(next != NULL, "next", SD_JSON_BUILD_STRING(next))));
	return r < 0 ? r : result_write(status, fields);
}

int output_end_next(const struct command_call *call, const struct error *err, const char *next)
{
	const struct message *advice = message_for_error(err->kind);
	int status = error_exit_status(err->kind);
	_cleanup_free_ char *text = NULL, *clean_next = NULL;

	if (next && !*next)
		next = NULL;
	if (call->json) {
		if (end_json(err, next, status) < 0)
			log_error("%s", err->text);
		return status;
	}
	(void)fflush(stdout);
	text = output_clean(err->text);
	clean_next = output_clean(next ? next : advice ? advice->text : "");
	fprintf(stderr, "idevicerescue: %s\n%s\n", text, clean_next);
	return status;
}

int output_end(const struct command_call *call, const struct error *err)
{
	return output_end_next(call, err, NULL);
}

int output_usage(const struct command_call *call, const char *id, const char *what)
{
	_cleanup_free_ char *text = message_format(id, "what", what, NULL);
	struct error err;

	(void)error_set(&err, ERROR_USAGE, "command line", 0, "%s", text ? text : id);
	return output_end(call, &err);
}

int output_bug(const struct command_call *call, int r)
{
	struct error err;

	(void)error_set_errno(&err, ERROR_BUG, "idevicerescue", -r, "%s",
			      output_text("output-bug"));
	return output_end(call, &err);
}

int output_flush(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	log_error("%s: %s", output_text("output-lost"), strerror(errno));
	return status != 0 ? status : error_exit_status(ERROR_BUG);
}

const char *output_text(const char *id)
{
	const struct message *message = message_find(id);

	return message ? message->text : id;
}

static enum screen_charset output_charset(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? SCREEN_CHARSET_UNICODE
							  : SCREEN_CHARSET_ASCII;
}

char *output_clean(const char *text)
{
	char *clean = screen_text_clean(text, output_charset());

	if (!clean) {
		log_error("%s", strerror(ENOMEM));
		exit(error_exit_status(ERROR_BUG));
	}
	return clean;
}

void output_padded(const char *text, size_t columns)
{
	size_t used = text_columns(text);

	printf("%s%*s", text, used < columns ? (int)(columns - used) : 0, "");
}

unsigned output_columns(void)
{
	struct winsize size = { 0 };

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < COLUMNS_MIN)
		return COLUMNS_MIN * 2;
	return size.ws_col;
}

int output_prose_new(struct screen_prose **ret)
{
	unsigned columns = output_columns();

	if (columns == 0)
		columns = COLUMNS_NONE;
	else if (columns > COLUMNS_MAX)
		columns = COLUMNS_MAX;
	return screen_prose_new(columns, output_charset(), ret);
}

int output_prose(const struct screen_prose *prose)
{
	_cleanup_(screen_page_freep) struct screen_page *page = NULL;
	unsigned rows = screen_prose_lines(prose);
	_cleanup_free_ char *text = NULL;
	int r = screen_prose_error(prose);

	if (r < 0 || rows == 0)
		return r;
	r = screen_page_new(rows, COLUMNS_NONE, output_charset(), &page);
	if (r < 0)
		return r;
	(void)screen_prose_put(prose, 0, page, 0, 0, rows);
	r = screen_page_error(page);
	if (r >= 0)
		r = screen_page_print(page, &text);
	if (r < 0)
		return r;
	fputs(text, stdout);
	return 0;
}
