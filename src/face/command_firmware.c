/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `firmware info` and `firmware check`: what a file holds, from the worker `check`, which is asked
 * once for the file, and once for each board that the file's products come with; to check it, once
 * more for all that can be proven of it without a network. No service.
 */
#include "base/cleanup.h"
#include "face/command.h"
#include "face/firmware_text.h"
#include "face/output.h"
#include "face/worker_run.h"
#include "facts/facts.h"
#include "service/fields.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MS_PER_S = 1000, LEVEL_MEMBERS = 2, LEVEL_ALL = 3, PERCENT_BYTES = 16 };

static void file_done(struct firmware_file *file)
{
	free(file->path);
	sd_json_variant_unref(file->result);
	sd_json_variant_unref(file->boards);
	sd_json_variant_unref(file->proof);
}

static bool is_address(const char *name)
{
	return strncasecmp(name, "https://", strlen("https://")) == 0 ||
	       strncasecmp(name, "http://", strlen("http://")) == 0;
}

/* --- asking ---------------------------------------------------------------------------------- */

/* A large file takes minutes: whoever sits at a terminal sees how far it is. */
static void on_progress(sd_json_variant *event, void *user)
{
	uint64_t done = field_unsigned(event, "done", 0), total = field_unsigned(event, "total", 0);
	_cleanup_free_ char *line = NULL;
	char percent[PERCENT_BYTES];
	bool *open = user;

	if (!field_is(event, "event", "progress") || total == 0 || done > total)
		return;
	snprintf(percent, sizeof(percent), "%u", (unsigned)(done / (double)total * 100));
	line = message_format("firmware-reading", "percent", percent, NULL);
	fprintf(stderr, "\r\033[K%s", line ? line : "");
	*open = true;
}

static int worker_ask(const struct firmware_file *file, const char *kind, sd_json_variant *fields,
		      sd_json_variant **ret, struct error *err)
{
	bool shown = !file->call->json && isatty(STDERR_FILENO), open = false;
	int r = worker_run(file->call->worker, kind, fields,
			   step_fact(STEP_CHECK)->silence_s * MS_PER_S, shown ? on_progress : NULL,
			   &open, ret, err);

	if (open)
		fputs("\r\033[K", stderr);
	return r;
}

/* more: fields besides the file and the model; NULL none. model: NULL asks about the file as a
 * whole. */
static int file_ask(const struct firmware_file *file, const struct model *model,
		    sd_json_variant *more, sd_json_variant **ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r;

	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_STRING(file->is_remote ? "url" : "path", file->path),
	    SD_JSON_BUILD_PAIR_CONDITION(model != NULL, "product",
					 SD_JSON_BUILD_STRING(model ? model->product : "")),
	    SD_JSON_BUILD_PAIR_CONDITION(model != NULL, "board",
					 SD_JSON_BUILD_STRING(model ? model->board : "")));
	if (r >= 0 && more)
		r = sd_json_variant_merge_object(&fields, more);
	if (r < 0) /* a path that is not UTF-8 */
		return error_set(err, ERROR_USAGE, "command line", 0, "%s",
				 output_text("usage-file"));
	return worker_ask(file, "check", fields, ret, err);
}

/* Asks for one board and keeps what it said. Only a file that does not fit it is an answer. */
static int board_ask(struct firmware_file *file, const struct model *model, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *result = NULL;
	sd_json_variant *variants;
	int r = file_ask(file, model, NULL, &result, err);

	if (r < 0 && err->kind != ERROR_BAD_FILE)
		return r;
	variants = field_array(result, "variants");
	if (r < 0 && file->problem.kind == ERROR_NONE)
		file->problem = *err;
	r = sd_json_variant_append_arraybo(
	    &file->boards, SD_JSON_BUILD_PAIR_STRING("product", model->product),
	    SD_JSON_BUILD_PAIR_STRING("board", model->board),
	    SD_JSON_BUILD_PAIR_STRING("model", model->name),
	    SD_JSON_BUILD_PAIR_CONDITION(variants != NULL, "variants",
					 SD_JSON_BUILD_VARIANT(variants)),
	    SD_JSON_BUILD_PAIR_CONDITION(r < 0, "problem", SD_JSON_BUILD_STRING(err->text)));
	return r < 0 ? error_set_errno(err, ERROR_BUG, "idevicerescue", -r, "firmware") : 0;
}

static bool has_product(sd_json_variant *products, const char *product)
{
	for (size_t i = 0; i < sd_json_variant_elements(products); i++) {
		sd_json_variant *one = sd_json_variant_by_index(products, i);

		if (sd_json_variant_is_string(one) &&
		    strcmp(sd_json_variant_string(one), product) == 0)
			return true;
	}
	return false;
}

static int boards_ask(struct firmware_file *file, struct error *err)
{
	sd_json_variant *products = field_array(file->result, "products");
	size_t count;
	const struct model *models = model_all(&count);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++)
		if (has_product(products, models[i].product))
			r = board_ask(file, &models[i], err);
	return r;
}

static int file_open(struct firmware_file *file, struct error *err)
{
	const char *name = file->call->argv[0];

	file->is_remote = is_address(name);
	file->path = file->is_remote ? strdup(name) : realpath(name, NULL);
	if (!file->path)
		return error_set_errno(err, ERROR_BAD_FILE, "kernel", errno, "'%s' cannot be read",
				       name);
	return 0;
}

/* What its lists tell; only: NULL all boards of its products. */
static int file_look(struct firmware_file *file, const struct model *only, struct error *err)
{
	int r = file_open(file, err);

	if (r < 0)
		return r;
	r = sd_json_variant_new_array(&file->boards, NULL, 0);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "idevicerescue", -r, "firmware");
	r = file_ask(file, NULL, NULL, &file->result, err);
	if (r < 0 && err->kind == ERROR_USAGE && file->is_remote)
		return error_set(err, ERROR_USAGE, "command line", 0, "%s",
				 output_text("usage-firmware-address"));
	if (r < 0)
		return r;
	return only ? board_ask(file, only, err) : boards_ask(file, err);
}

/* --- proving --------------------------------------------------------------------------------- */

/*
 * The hashes that the catalogue of this program has for the file's build, which needs no network:
 * fields for the worker, NULL if it does not know it.
 */
static sd_json_variant *known_hashes(const struct firmware_file *file)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *result = NULL;
	const char *build = field_string(field_object(file->result, "firmware"), "build");
	sd_json_variant *products = field_array(file->result, "products"), *found = NULL;
	const char *sha1, *sha256;
	struct error err = { 0 };

	if (!build || sd_json_variant_elements(products) == 0 ||
	    sd_json_buildo(
		&fields,
		SD_JSON_BUILD_PAIR_VARIANT("product", sd_json_variant_by_index(products, 0)),
		SD_JSON_BUILD_PAIR_STRING("build", build),
		SD_JSON_BUILD_PAIR_BOOLEAN("offline", true)) < 0 ||
	    worker_ask(file, "catalogue", fields, &result, &err) < 0)
		return NULL;
	if (!field_is(field_object(result, "firmware"), "build", build))
		return NULL;
	sha1 = field_string(field_object(result, "firmware"), "sha1");
	sha256 = field_string(field_object(result, "firmware"), "sha256");
	if (!sha1 && !sha256)
		return NULL;
	(void)sd_json_buildo(
	    &found, SD_JSON_BUILD_PAIR_CONDITION(sha1 != NULL, "sha1", SD_JSON_BUILD_STRING(sha1)),
	    SD_JSON_BUILD_PAIR_CONDITION(sha256 != NULL, "sha256", SD_JSON_BUILD_STRING(sha256)));
	return found;
}

/* All that can be proven without a network, in one read of the file. only: NULL of all boards. */
static int file_prove(struct firmware_file *file, const struct model *only, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *more = known_hashes(file);
	int r = sd_json_variant_set_field_unsigned(&more, "level", LEVEL_ALL);

	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "idevicerescue", -r, "firmware");
	r = file_ask(file, only, more, &file->proof, err);
	if (r < 0)
		return r;
	/* that the file is whole is only said if the worker says that it read all of it */
	if (field_unsigned(field_object(file->proof, "proof"), "level", 0) < LEVEL_MEMBERS)
		return error_set(err, ERROR_BUG, "worker", 0, "%s", output_text("worker-broken"));
	return 0;
}

/* --- telling --------------------------------------------------------------------------------- */

static int file_tell(const struct firmware_file *file, const char *verdict)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r;

	r = file->call->json ? firmware_text_json(file, &fields)
			     : firmware_text_write(file, verdict);
	return r < 0 ? output_bug(file->call, r) : output_result(file->call, fields);
}

int command_firmware_info(const struct command_call *call)
{
	_cleanup_(file_done) struct firmware_file file = { .call = call };
	struct error err = { 0 };

	if (file_look(&file, NULL, &err) < 0)
		return output_end(call, &err);
	return file_tell(&file, NULL);
}

/* A board that the file does not fit is a bad file; with --board the one that counts. */
int command_firmware_check(const struct command_call *call)
{
	const struct model *only = call->board ? model_by_board(call->board) : NULL;
	_cleanup_(file_done) struct firmware_file file = { .call = call };
	_cleanup_free_ char *verdict = NULL;
	struct error err = { 0 };

	if (call->board && !only)
		return output_usage(call, "usage-board", call->board);
	if (is_address(call->argv[0]))
		return output_usage(call, "usage-firmware-check-address", call->argv[0]);
	if (file_look(&file, only, &err) < 0)
		return output_end(call, &err);
	if (file.problem.kind != ERROR_NONE)
		return output_end(call, &file.problem);
	if (file_prove(&file, only, &err) < 0)
		return output_end(call, &err);
	if (only)
		verdict = message_format("firmware-fits", "board", only->board, "model", only->name,
					 NULL);
	else if (sd_json_variant_elements(file.boards) > 0)
		verdict = message_format("firmware-whole", NULL);
	else
		verdict = message_format("firmware-unknown", NULL);
	return file_tell(&file, verdict);
}
