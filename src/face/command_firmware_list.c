/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * `firmware list`: the service is asked for the phone and for what is kept here, the worker
 * `catalogue` for all builds, the worker `sign` for those that may be signed. A product needs no
 * service: then it is not known what is kept.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "face/firmware_list.h"
#include "face/output.h"
#include "face/worker_run.h"
#include "facts/facts.h"
#include "service/client.h"
#include "service/fields.h"
#include "service/interface.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	MS_PER_S = 1000,
	SIGN_LIMIT_MS = 65 * MS_PER_S, /* the worker's own is a minute */
	SIGN_MAX = 3,
};

/* It is in every manifest of a phone; whether a build is signed does not hang on the way. */
static const char sign_variant[] = "Customer Erase Install (IPSW)";

static void list_done(struct firmware_list *list)
{
	sd_json_variant_unref(list->result);
	sd_json_variant_unref(list->cache);
	free(list->rows);
}

/* --- which phone */

static int phone_take(struct firmware_list *list, sd_json_variant *phone, struct error *err)
{
	const char *product = field_string(phone, "product"), *board = field_string(phone, "board");
	const char *ecid = field_string(phone, "ecid"), *key = field_string(phone, "key");

	if (!product)
		return error_set(err, ERROR_UNSUPPORTED, "idevicerescue", 0, "%s",
				 output_text("firmware-list-no-model"));
	text_copy(list->product, sizeof(list->product), product);
	text_copy(list->board, sizeof(list->board), board ? board : "");
	text_copy(list->ecid, sizeof(list->ecid), ecid ? ecid : "");
	text_copy(list->phone, sizeof(list->phone), key ? key : list->call->argv[0]);
	return 0;
}

static int phone_find(struct firmware_list *list, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL, *reply = NULL;
	const char *who = list->call->argv[0];
	int r;

	if (model_by_product(who)) {
		text_copy(list->product, sizeof(list->product), who);
		return 0;
	}
	r = sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_STRING("phone", who));
	if (r < 0) /* not UTF-8 */
		return error_set(err, ERROR_USAGE, "command line", 0, "%s",
				 output_text("usage-phone"));
	r = client_call(list->call->socket, "Show", parameters, &reply, err);
	return r < 0 ? r : phone_take(list, field_object(reply, "phone"), err);
}

/* --- what is kept */

static void cache_find_out(struct firmware_list *list)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *reply = NULL;
	struct error ignored;

	if (client_call(list->call->socket, "ListFirmware", NULL, &reply, &ignored) >= 0)
		list->cache = sd_json_variant_ref(field_object(reply, "cache"));
}

/* FOLDER/catalogue beside FOLDER/firmware; NULL if firmware is kept elsewhere. Allocated. */
static char *catalogue_folder(const struct firmware_list *list)
{
	const char *folder = field_string(list->cache, "folder");
	const char *slash = folder ? strrchr(folder, '/') : NULL;
	char *path = NULL;

	if (!slash || slash == folder || field_true(list->cache, "chosen") ||
	    asprintf(&path, "%.*s/catalogue", (int)(slash - folder), folder) < 0)
		return NULL;
	return path;
}

static bool file_is(sd_json_variant *file, const struct firmware *firmware)
{
	const char *name = field_string(file, "name");

	return field_is(file, "kind", "whole") && field_is(file, "build", firmware->build) &&
	       name && strcmp(name, firmware->name) == 0;
}

static void row_find_kept(const struct firmware_list *list, struct firmware_row *row)
{
	sd_json_variant *files = field_array(list->cache, "files");

	for (size_t i = 0; i < sd_json_variant_elements(files); i++) {
		sd_json_variant *file = sd_json_variant_by_index(files, i);
		const char *path = field_string(file, "path");

		if (path && file_is(file, &row->firmware))
			text_copy(row->firmware.path, sizeof(row->firmware.path), path);
	}
}

/* --- the catalogue */

static int rows_take(struct firmware_list *list, struct error *err)
{
	sd_json_variant *firmwares = field_array(list->result, "firmwares");
	size_t count = sd_json_variant_elements(firmwares);

	list->rows = calloc(count ? count : 1, sizeof(*list->rows));
	if (!list->rows)
		return error_set_errno(err, ERROR_BUG, "idevicerescue", ENOMEM, "firmware");
	for (size_t i = 0; i < count; i++) {
		struct firmware_row *row = &list->rows[list->count];

		if (firmware_from_json(sd_json_variant_by_index(firmwares, i), &row->firmware) < 0)
			return error_set(err, ERROR_BUG, "worker", 0, "%s",
					 output_text("worker-broken"));
		row->firmware.path[0] = '\0';
		row->firmware.verified = false;
		row_find_kept(list, row);
		list->count++;
	}
	return 0;
}

static int catalogue_ask(struct firmware_list *list, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	_cleanup_free_ char *folder = catalogue_folder(list);
	int r;

	r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("product", list->product),
			   SD_JSON_BUILD_PAIR_BOOLEAN("all", true),
			   SD_JSON_BUILD_PAIR_CONDITION(folder != NULL, "folder",
							SD_JSON_BUILD_STRING(folder ?: "")));
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "idevicerescue", -r, "firmware");
	r = worker_run(list->call->worker, "catalogue", fields,
		       step_fact(STEP_CATALOGUE)->total_s * MS_PER_S, NULL, NULL, &list->result,
		       err);
	return r < 0 ? r : rows_take(list, err);
}

/* --- what Apple signs */

/* Whether any server was there: else each question would only wait. */
static bool has_network(const struct firmware_list *list)
{
	static const char *const servers[] = { "apple", "ipsw.me", "appledb", "gdmf" };
	sd_json_variant *sources = field_array(list->result, "sources");

	for (size_t i = 0; i < sd_json_variant_elements(sources); i++) {
		sd_json_variant *source = sd_json_variant_by_index(sources, i);

		for (size_t j = 0; j < ARRAY_LEN(servers); j++)
			if (field_is(source, "name", servers[j]) &&
			    !field_is(source, "state", "failed"))
				return true;
	}
	return false;
}

static void row_ask(const struct firmware_list *list, struct firmware_row *row)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL, *result = NULL;
	const struct firmware *firmware = &row->firmware;
	bool current = row == list->rows && firmware_is_called_current(firmware);
	struct error err = { 0 };
	int r;

	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_STRING("product", list->product),
	    SD_JSON_BUILD_PAIR_STRING("board", list->board),
	    SD_JSON_BUILD_PAIR_STRING("ecid", list->ecid),
	    SD_JSON_BUILD_PAIR_STRING("variant", sign_variant),
	    SD_JSON_BUILD_PAIR_STRING(firmware->path[0] ? "path" : "url",
				      firmware->path[0] ? firmware->path : firmware->url),
	    SD_JSON_BUILD_PAIR_BOOLEAN("current", current));
	if (r < 0)
		return;
	r = worker_run(list->call->worker, "sign", fields, SIGN_LIMIT_MS, NULL, NULL, &result,
		       &err);
	signing_take(result, r < 0 ? &err : NULL, clock_wall_ms(), &row->signing);
}

/* The newest, whatever others say of it, and those that they call signed. */
static void signing_ask(struct firmware_list *list)
{
	size_t asked = 0;

	if (!list->ecid[0] || !list->board[0] || !has_network(list))
		return;
	for (size_t i = 0; i < list->count && asked < SIGN_MAX; i++) {
		const struct firmware *firmware = &list->rows[i].firmware;

		if (i > 0 && strcmp(firmware->said_signed, "yes") != 0)
			continue;
		row_ask(list, &list->rows[i]);
		asked++;
	}
}

int command_firmware_list(const struct command_call *call)
{
	_cleanup_(list_done) struct firmware_list list = { .call = call };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	struct error err = { 0 };
	int r;

	/* what is kept of the catalogues is the service's, too, by its group, whoever asks first */
	(void)umask(S_IRWXO);
	if (phone_find(&list, &err) < 0)
		return output_end(call, &err);
	cache_find_out(&list);
	if (catalogue_ask(&list, &err) < 0)
		return output_end(call, &err);
	signing_ask(&list);
	r = call->json ? firmware_list_json(&list, &fields) : firmware_list_write(&list);
	return r < 0 ? output_bug(call, r) : output_result(call, fields);
}
