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

int output_result(const struct command_call *call, sd_json_variant *fields)
{
	int r;

	if (!call->json)
		return 0;
	r = result_write(0, fields);
	return r < 0 ? output_bug(call, r) : 0;
}

static int end_json(const struct error *err, int status)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r;

	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_OBJECT(
			 "error", SD_JSON_BUILD_PAIR_STRING("kind", error_kind_name(err->kind)),
			 SD_JSON_BUILD_PAIR_STRING("origin", err->origin),
			 SD_JSON_BUILD_PAIR_INTEGER("code", err->code),
			 SD_JSON_BUILD_PAIR_STRING("text", err->text)));
	return r < 0 ? r : result_write(status, fields);
}

int output_end(const struct command_call *call, const struct error *err)
{
	int status = error_exit_status(err->kind);
	_cleanup_free_ char *id = NULL, *text = NULL;

	if (call->json) {
		if (end_json(err, status) < 0)
			log_error("%s", err->text);
		return status;
	}
	(void)fflush(stdout);
	text = output_clean(err->text);
	fprintf(stderr, "idevicerescue: %s\n", text);
	if (asprintf(&id, "error-%s", error_kind_name(err->kind)) >= 0)
		fprintf(stderr, "%s\n", output_text(id));
	return status;
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

char *output_clean(const char *text)
{
	bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	char *clean = screen_text_clean(text, utf8 ? SCREEN_CHARSET_UNICODE : SCREEN_CHARSET_ASCII);

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
