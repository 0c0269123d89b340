/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `firmware info` and `firmware check`: what a file holds, from the worker `check`, which is asked
 * once for the file, and once for each board that the file's products come with. No service.
 */
#include "base/cleanup.h"
#include "face/amount_text.h"
#include "face/command.h"
#include "face/output.h"
#include "face/worker_run.h"
#include "facts/facts.h"
#include "service/fields.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_COLUMNS = 16, MS_PER_S = 1000 };

/* What the file is, as far as it was found out. */
struct file {
	const struct command_call *call;
	char *path;              /* absolute */
	sd_json_variant *result; /* of the first question: firmware, products, members */
	sd_json_variant *boards; /* {"product","board","model","variants"|"error"} each */
	struct error problem;    /* the first board's that cannot be installed on */
};

static void file_done(struct file *file)
{
	free(file->path);
	sd_json_variant_unref(file->result);
	sd_json_variant_unref(file->boards);
}

/* --- asking ---------------------------------------------------------------------------------- */

/* model: NULL asks about the file as a whole. */
static int file_ask(const struct file *file, const struct model *model, sd_json_variant **ret,
		    struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r;

	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_STRING("path", file->path),
	    SD_JSON_BUILD_PAIR_CONDITION(model != NULL, "product",
					 SD_JSON_BUILD_STRING(model ? model->product : "")),
	    SD_JSON_BUILD_PAIR_CONDITION(model != NULL, "board",
					 SD_JSON_BUILD_STRING(model ? model->board : "")));
	if (r < 0) /* a path that is not UTF-8 */
		return error_set(err, ERROR_USAGE, "command line", 0, "%s",
				 output_text("usage-file"));
	return worker_run(file->call->worker, "check", fields,
			  step_fact(STEP_CHECK)->silence_s * MS_PER_S, ret, err);
}

/* Asks for one board and keeps what it said. Only a file that does not fit it is an answer. */
static int board_ask(struct file *file, const struct model *model, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *result = NULL;
	sd_json_variant *variants;
	int r = file_ask(file, model, &result, err);

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

static int boards_ask(struct file *file, struct error *err)
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

/* Everything about the file; only: NULL all boards of its products. */
static int file_look(struct file *file, const struct model *only, struct error *err)
{
	const char *name = file->call->argv[0];
	int r;

	file->path = realpath(name, NULL);
	if (!file->path)
		return error_set_errno(err, ERROR_BAD_FILE, "kernel", errno, "'%s' cannot be read",
				       name);
	r = sd_json_variant_new_array(&file->boards, NULL, 0);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "idevicerescue", -r, "firmware");
	r = file_ask(file, NULL, &file->result, err);
	if (r < 0)
		return r;
	return only ? board_ask(file, only, err) : boards_ask(file, err);
}

/* --- telling --------------------------------------------------------------------------------- */

static void row_add(struct screen_prose *prose, const char *label, const char *text)
{
	screen_prose_add_labelled(prose, LABEL_COLUMNS, *label ? output_text(label) : "",
				  text ? text : "");
}

static void variant_add(sd_json_variant *variant, struct screen_prose *prose)
{
	const char *name = field_string(variant, "name");
	bool erases = field_true(variant, "erases");
	_cleanup_free_ char *line = NULL;

	line = message_format(erases ? "firmware-erases" : "firmware-keeps", "variant",
			      name ? name : "", NULL);
	row_add(prose, "", line);
}

static void board_add(sd_json_variant *board, struct screen_prose *prose)
{
	sd_json_variant *variants = field_array(board, "variants");
	const char *problem = field_string(board, "problem");
	_cleanup_free_ char *line = NULL;

	line = message_format("firmware-board", "board", field_string(board, "board"), "model",
			      field_string(board, "model"), "product",
			      field_string(board, "product"), NULL);
	row_add(prose, "firmware-for", line);
	for (size_t i = 0; i < sd_json_variant_elements(variants); i++)
		variant_add(sd_json_variant_by_index(variants, i), prose);
	if (problem)
		row_add(prose, "", problem);
}

static void unknown_products_add(const struct file *file, struct screen_prose *prose)
{
	sd_json_variant *products = field_array(file->result, "products");

	for (size_t i = 0; i < sd_json_variant_elements(products); i++) {
		sd_json_variant *one = sd_json_variant_by_index(products, i);

		if (sd_json_variant_is_string(one) &&
		    !model_by_product(sd_json_variant_string(one)))
			row_add(prose, "firmware-for", sd_json_variant_string(one));
	}
}

static int file_write(const struct file *file, const char *verdict)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	sd_json_variant *firmware = field_object(file->result, "firmware");
	const char *version = field_string(firmware, "version");
	const char *build = field_string(firmware, "build");
	_cleanup_free_ char *system = NULL;
	char size[AMOUNT_BYTES];
	int r = output_prose_new(&prose);

	if (r < 0)
		return r;
	system = message_format("plan-firmware-line", "version", version ? version : "", "build",
				build ? build : "", NULL);
	amount_text_bytes(field_unsigned(firmware, "size", 0), size);
	row_add(prose, "plan-fact-firmware", system);
	row_add(prose, "plan-fact-file", file->path);
	row_add(prose, "firmware-size", size);
	for (size_t i = 0; i < sd_json_variant_elements(file->boards); i++)
		board_add(sd_json_variant_by_index(file->boards, i), prose);
	unknown_products_add(file, prose);
	if (verdict)
		screen_prose_add(prose, SCREEN_ROLE_STRONG, verdict);
	return output_prose(prose);
}

static int file_json(const struct file *file, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	sd_json_variant *firmware = field_object(file->result, "firmware");
	sd_json_variant *products = field_array(file->result, "products");
	int r;

	if (!firmware || !products)
		return -EBADMSG;
	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_VARIANT("firmware", firmware),
	    SD_JSON_BUILD_PAIR_VARIANT("products", products),
	    SD_JSON_BUILD_PAIR_UNSIGNED("members", field_unsigned(file->result, "members", 0)),
	    SD_JSON_BUILD_PAIR_VARIANT("boards", file->boards));
	if (r >= 0)
		*ret = TAKE(fields);
	return r;
}

static int file_tell(const struct file *file, const char *verdict)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r;

	r = file->call->json ? file_json(file, &fields) : file_write(file, verdict);
	return r < 0 ? output_bug(file->call, r) : output_result(file->call, fields);
}

int command_firmware_info(const struct command_call *call)
{
	_cleanup_(file_done) struct file file = { .call = call };
	struct error err = { 0 };

	if (file_look(&file, NULL, &err) < 0)
		return output_end(call, &err);
	return file_tell(&file, NULL);
}

/* A board that the file does not fit is a bad file; with --board the one that counts. */
int command_firmware_check(const struct command_call *call)
{
	const struct model *only = call->board ? model_by_board(call->board) : NULL;
	_cleanup_(file_done) struct file file = { .call = call };
	_cleanup_free_ char *verdict = NULL;
	struct error err = { 0 };

	if (call->board && !only)
		return output_usage(call, "usage-board", call->board);
	if (file_look(&file, only, &err) < 0)
		return output_end(call, &err);
	if (file.problem.kind != ERROR_NONE)
		return output_end(call, &file.problem);
	if (only)
		verdict = message_format("firmware-fits", "board", only->board, "model", only->name,
					 NULL);
	else if (sd_json_variant_elements(file.boards) > 0)
		verdict = message_format("firmware-whole", NULL);
	else
		verdict = message_format("firmware-unknown", NULL);
	return file_tell(&file, verdict);
}
