/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/reply.h"
#include "base/cleanup.h"
#include "base/line.h"
#include "worker/request.h"
#include <unistd.h>

enum { WRITE_TIMEOUT_MS = 10000 };

int reply_event(const char *event, sd_json_variant *fields)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	int r = sd_json_buildo(&line, SD_JSON_BUILD_PAIR_INTEGER("v", WORKER_PROTOCOL_VERSION),
			       SD_JSON_BUILD_PAIR_STRING("type", "event"),
			       SD_JSON_BUILD_PAIR_STRING("event", event));

	if (r >= 0 && fields)
		r = sd_json_variant_merge_object(&line, fields);
	return r < 0 ? r : line_write(STDOUT_FILENO, line, WRITE_TIMEOUT_MS);
}

int reply_result(sd_json_variant *fields)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	int r = sd_json_buildo(&line, SD_JSON_BUILD_PAIR_INTEGER("v", WORKER_PROTOCOL_VERSION),
			       SD_JSON_BUILD_PAIR_STRING("type", "result"),
			       SD_JSON_BUILD_PAIR_BOOLEAN("ok", true));

	if (r >= 0)
		r = sd_json_variant_merge_object(&line, fields);
	return r < 0 ? r : line_write(STDOUT_FILENO, line, WRITE_TIMEOUT_MS);
}

static int error_line(const struct error *err, sd_json_variant **ret)
{
	return sd_json_buildo(
	    ret, SD_JSON_BUILD_PAIR_INTEGER("v", WORKER_PROTOCOL_VERSION),
	    SD_JSON_BUILD_PAIR_STRING("type", "result"), SD_JSON_BUILD_PAIR_BOOLEAN("ok", false),
	    SD_JSON_BUILD_PAIR_OBJECT("error",
				      SD_JSON_BUILD_PAIR_STRING("kind", error_kind_name(err->kind)),
				      SD_JSON_BUILD_PAIR_STRING("origin", err->origin),
				      SD_JSON_BUILD_PAIR_INTEGER("code", err->code),
				      SD_JSON_BUILD_PAIR_STRING("text", err->text)));
}

int reply_result_build(const struct error *err, sd_json_variant *fields, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	int r =
	    err ? error_line(err, &line)
		: sd_json_buildo(&line, SD_JSON_BUILD_PAIR_INTEGER("v", WORKER_PROTOCOL_VERSION),
				 SD_JSON_BUILD_PAIR_STRING("type", "result"),
				 SD_JSON_BUILD_PAIR_BOOLEAN("ok", true));

	if (r >= 0 && fields)
		r = sd_json_variant_merge_object(&line, fields);
	if (r < 0)
		return r;
	*ret = TAKE(line);
	return 0;
}

int reply_line(sd_json_variant *line)
{
	return line_write(STDOUT_FILENO, line, WRITE_TIMEOUT_MS);
}

int reply_error_text(const struct error *err, sd_json_variant *fields, char **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *line = NULL;
	int r = reply_result_build(err, fields, &line);

	if (r < 0)
		return r;
	r = sd_json_variant_format(line, SD_JSON_FORMAT_NEWLINE, ret);
	return r < 0 ? r : 0;
}
