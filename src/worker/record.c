/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/record.h"
#include "base/cleanup.h"
#include "worker/session.h"
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <usbmuxd.h>

struct fields {
	const char *action, *udid, *folder;
};

static const sd_json_dispatch_field fields_table[] = {
	{ "action", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, action), SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL },
	{ "udid", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, udid), SD_JSON_REFUSE_NULL },
	{ "folder", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
	  offsetof(struct fields, folder), SD_JSON_REFUSE_NULL },
	{},
};

static int answer(int built, struct error *err)
{
	if (built < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -built, "Cannot build the result");
	return 0;
}

/* Why a copy could not be written. */
static int copy_failed(int r, struct error *err)
{
	if (r == -ENOSPC || r == -EDQUOT)
		return error_set_errno(err, ERROR_NO_SPACE, "kernel", -r,
				       "The data partition is full: the pairings are not kept");
	if (r == -EROFS)
		return error_set_errno(
		    err, ERROR_NO_SPACE, "kernel", -r,
		    "The data partition is read-only: the pairings are not kept");
	if (r == -EIO || r == -ENODEV)
		return error_set_errno(
		    err, ERROR_BAD_FILE, "kernel", -r,
		    "The data partition cannot be written: the pairings are not kept");
	return error_set_errno(err, ERROR_REFUSED, "kernel", -r, "The pairings cannot be kept");
}

/* --- the actions */

static int forget(const struct fields *fields, sd_json_variant **ret, struct error *err)
{
	usbmuxd_device_info_t *phones = NULL;
	char udid[REQUEST_UDID_BYTES];
	size_t copies = 0;
	int r = request_check_udid(fields->udid, udid, err), forgotten;

	if (r < 0)
		return r;
	/* the copy first: what is left after a failure is not loaded again */
	if (fields->folder) {
		r = record_store_remove(fields->folder, udid, &copies);
		if (r < 0)
			return error_set_errno(err, ERROR_REFUSED, "kernel", -r,
					       "Cannot remove the pairing that is kept");
	}
	r = usbmuxd_get_device_list(&phones);
	if (r < 0)
		return error_set(err, ERROR_NO_SERVICE, "usbmuxd", r, "usbmuxd is not running");
	usbmuxd_device_list_free(&phones);
	forgotten = record_forget(udid, err);
	if (forgotten < 0)
		return forgotten;
	return answer(sd_json_buildo(ret, SD_JSON_BUILD_PAIR_INTEGER("forgotten", forgotten)), err);
}

static int forget_store(const struct fields *fields, sd_json_variant **ret, struct error *err)
{
	size_t forgotten = 0, copies = 0;
	int r = fields->folder ? record_store_remove(fields->folder, NULL, &copies) : 0;

	if (r == 0)
		r = record_store_remove(record_store_folder(), NULL, &forgotten);
	if (r < 0)
		return error_set_errno(err, ERROR_REFUSED, "kernel", -r,
				       "Cannot remove this computer's pairings");
	return answer(sd_json_buildo(ret, SD_JSON_BUILD_PAIR_UNSIGNED("forgotten", forgotten)),
		      err);
}

/* How many records a folder has; 0 also if it cannot be read. */
static size_t count_records(const char *folder)
{
	_cleanup_free_ struct record_entry *entries =
	    calloc(RECORD_STORE_FILES_MAX, sizeof(*entries));
	size_t count = 0;

	if (!entries || record_store_list(folder, entries, RECORD_STORE_FILES_MAX, &count) < 0)
		return 0;
	return count;
}

static int keep(const struct fields *fields, sd_json_variant **ret, struct error *err)
{
	size_t written = 0;
	int r = record_copy_keep(record_store_folder(), fields->folder, &written);

	if (r < 0)
		return copy_failed(r, err);
	return answer(sd_json_buildo(
			  ret, SD_JSON_BUILD_PAIR_UNSIGNED("copies", count_records(fields->folder)),
			  SD_JSON_BUILD_PAIR_UNSIGNED("written", written)),
		      err);
}

static int unkeep(const struct fields *fields, sd_json_variant **ret, struct error *err)
{
	size_t gone = 0;
	int r = record_copy_unkeep(fields->folder, &gone);

	if (r < 0)
		return error_set_errno(err, ERROR_REFUSED, "kernel", -r,
				       "Cannot remove the pairings that are kept");
	return answer(sd_json_buildo(ret, SD_JSON_BUILD_PAIR_UNSIGNED("removed", gone)), err);
}

static int load(const struct fields *fields, sd_json_variant **ret, struct error *err)
{
	size_t loaded = 0;
	int r = record_copy_load(fields->folder, record_store_folder(), &loaded);

	if (r < 0)
		return error_set_errno(err, ERROR_REFUSED, "kernel", -r,
				       "Cannot load the pairings that are kept");
	return answer(sd_json_buildo(ret, SD_JSON_BUILD_PAIR_UNSIGNED("loaded", loaded)), err);
}

static int list(const struct fields *fields, sd_json_variant **ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	_cleanup_free_ struct record_entry *entries =
	    calloc(RECORD_STORE_FILES_MAX, sizeof(*entries));
	const char *folder = fields->folder;
	size_t count = 0;
	int r = entries ? record_store_list(record_store_folder(), entries, RECORD_STORE_FILES_MAX,
					    &count)
			: -ENOMEM;

	if (r < 0)
		return error_set_errno(err, ERROR_REFUSED, "kernel", -r,
				       "Cannot read this computer's pairings");
	r = sd_json_build(&array, SD_JSON_BUILD_EMPTY_ARRAY);
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = sd_json_variant_append_arraybo(
		    &array, SD_JSON_BUILD_PAIR_STRING("udid", entries[i].udid),
		    SD_JSON_BUILD_PAIR_BOOLEAN("broken", entries[i].broken));
	if (r >= 0)
		r = sd_json_buildo(
		    ret, SD_JSON_BUILD_PAIR_VARIANT("records", array),
		    SD_JSON_BUILD_PAIR_BOOLEAN("kept", folder && record_copy_is_kept(folder)),
		    SD_JSON_BUILD_PAIR_UNSIGNED("copies", folder ? count_records(folder) : 0));
	return answer(r, err);
}

static const struct action {
	const char *name;
	bool udid; /* must be there; else it must not */
	bool folder_must;
	int (*run)(const struct fields *fields, sd_json_variant **ret, struct error *err);
} actions[] = {
	{ "forget", true, false, forget }, { "forget-store", false, false, forget_store },
	{ "keep", false, true, keep },     { "unkeep", false, true, unkeep },
	{ "load", false, true, load },     { "list", false, false, list },
};

static int fields_check(const struct action *action, const struct fields *fields, struct error *err)
{
	const char *folder = fields->folder;

	if (fields->udid && !action->udid)
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"udid\" is for one phone's record only");
	if (!folder && action->folder_must)
		return error_set(err, ERROR_USAGE, "worker", 0, "Field \"folder\" is missing");
	if (folder && (folder[0] != '/' || strlen(folder) >= PATH_MAX))
		return error_set(err, ERROR_USAGE, "worker", 0,
				 "Field \"folder\" is no absolute path");
	return 0;
}

int record_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	struct fields fields = {};
	int r = request_fields(request, fields_table, &fields, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(actions[i].name, fields.action) != 0)
			continue;
		r = fields_check(&actions[i], &fields, err);
		return r < 0 ? r : actions[i].run(&fields, ret_fields, err);
	}
	return error_set(err, ERROR_USAGE, "worker", 0, "Field \"action\" is no action");
}
