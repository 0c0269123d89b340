/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `firmware cache` and `firmware drop`: the firmware files that are kept for the next phone. */
#include "base/cleanup.h"
#include "face/amount_text.h"
#include "face/command.h"
#include "face/output.h"
#include "face/request.h"
#include "service/fields.h"
#include <stdio.h>
#include <string.h>

/* Takes the text over; NULL is left out. */
static void add(struct screen_prose *prose, enum screen_role role, char *text)
{
	if (text)
		screen_prose_add(prose, role, text);
	free(text);
}

static char *clean(sd_json_variant *object, const char *name)
{
	return output_clean(field_string(object, name) ?: "");
}

/* "iPhone14,5, iPhone14,4"; allocated, NULL without any. */
static char *products_text(sd_json_variant *file)
{
	sd_json_variant *products = field_array(file, "products");
	char *text = NULL;

	for (size_t i = 0; i < sd_json_variant_elements(products); i++) {
		sd_json_variant *one = sd_json_variant_by_index(products, i);
		_cleanup_free_ char *name =
		    output_clean(sd_json_variant_is_string(one) ? sd_json_variant_string(one) : "");
		_cleanup_free_ char *before = TAKE(text);

		if (asprintf(&text, "%s%s%s", before ?: "", before ? ", " : "", name) < 0)
			return NULL;
	}
	return text;
}

/* What is known of a whole file, and how well. */
static const char *trust_id(sd_json_variant *file)
{
	if (field_is(file, "kind", "part"))
		return "cache-line-part";
	if (field_is(file, "kind", "bad"))
		return "cache-line-bad";
	if (field_true(file, "stale"))
		return "cache-line-stale";
	return "cache-line-verified";
}

static void file_add(sd_json_variant *file, struct screen_prose *prose)
{
	_cleanup_free_ char *name = clean(file, "file"), *apple = clean(file, "name");
	_cleanup_free_ char *version = clean(file, "version"), *build = clean(file, "build");
	_cleanup_free_ char *products = products_text(file);
	char size[AMOUNT_BYTES], used[AMOUNT_BYTES];

	amount_text_bytes(field_unsigned(file, "bytes", 0), size);
	amount_text_day(field_unsigned(file, "used_ms", 0), used);
	screen_prose_add(prose, SCREEN_ROLE_TEXT, "");
	add(prose, SCREEN_ROLE_STRONG,
	    message_format(version[0] != '\0' ? "cache-head" : "cache-head-unknown", "version",
			   version, "build", build, "size", size, "name", apple, NULL));
	if (products)
		add(prose, SCREEN_ROLE_TEXT,
		    message_format("cache-line-products", "products", products, NULL));
	add(prose, SCREEN_ROLE_TEXT,
	    message_format("cache-line-file", "file", name, "name", apple, NULL));
	add(prose, field_is(file, "kind", "bad") ? SCREEN_ROLE_WARN : SCREEN_ROLE_TEXT,
	    message_format(trust_id(file), NULL));
	if (used[0])
		add(prose, SCREEN_ROLE_TEXT, message_format("cache-line-used", "date", used, NULL));
	if (field_true(file, "in_use"))
		add(prose, SCREEN_ROLE_TEXT, message_format("cache-line-in-use", NULL));
}

static const char *folder_id(sd_json_variant *cache)
{
	if (field_true(cache, "chosen"))
		return "cache-folder-chosen";
	return field_true(cache, "lasting") ? "cache-folder" : "cache-folder-memory";
}

/* What was mounted for the choice that was just made. */
static void disk_add(sd_json_variant *disk, struct screen_prose *prose)
{
	_cleanup_free_ char *id = clean(disk, "id");

	add(prose, SCREEN_ROLE_TEXT, message_format("disk-used", "id", id, NULL));
	if (field_is(disk, "filesystem", "vfat"))
		add(prose, SCREEN_ROLE_WARN, message_format("disk-line-fat", NULL));
}

/* disk: NULL none. */
static int cache_write(sd_json_variant *cache, sd_json_variant *disk)
{
	_cleanup_(screen_prose_freep) struct screen_prose *prose = NULL;
	_cleanup_free_ char *folder = clean(cache, "folder"), *mirror = clean(cache, "mirror");
	sd_json_variant *files = field_array(cache, "files");
	char room[AMOUNT_BYTES];
	int r = output_prose_new(&prose);

	if (r < 0)
		return r;
	if (disk)
		disk_add(disk, prose);
	amount_text_bytes(field_unsigned(cache, "free_bytes", 0), room);
	add(prose, SCREEN_ROLE_TEXT,
	    message_format(folder_id(cache), "folder", folder, "free", room, NULL));
	if (mirror[0] != '\0')
		add(prose, SCREEN_ROLE_TEXT,
		    message_format("cache-mirror", "mirror", mirror, NULL));
	if (sd_json_variant_elements(files) == 0)
		add(prose, SCREEN_ROLE_TEXT, message_format("cache-empty", NULL));
	for (size_t i = 0; i < sd_json_variant_elements(files); i++)
		file_add(sd_json_variant_by_index(files, i), prose);
	return output_prose(prose);
}

int command_firmware_cache(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL, *reply = NULL;
	const bool choose = call->argc > 0;
	int r = 0, status;

	if (choose && strcmp(call->argv[0], "use") != 0)
		return output_usage(call, "usage-cache", call->argv[0]);
	if (call->argc == 1 || (!choose && call->internal))
		return output_usage(call, "usage-cache", "");
	if (choose)
		r = sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_STRING("use", call->argv[1]),
				   SD_JSON_BUILD_PAIR_CONDITION(call->internal, "internal",
								SD_JSON_BUILD_BOOLEAN(true)));
	if (r < 0) /* not UTF-8 */
		return output_usage(call, "usage-file", "");
	status = request_send(call, choose ? "UseCache" : "ListFirmware", parameters, &reply);
	if (status != 0)
		return status;
	r = call->json ? 0 : cache_write(field_object(reply, "cache"), field_object(reply, "disk"));
	return r < 0 ? output_bug(call, r) : output_result(call, reply);
}

int command_firmware_drop(const struct command_call *call)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL, *reply = NULL;
	_cleanup_free_ char *line = NULL, *name = NULL;
	char size[AMOUNT_BYTES];
	sd_json_variant *dropped;
	int r, status;

	r = sd_json_buildo(&parameters, SD_JSON_BUILD_PAIR_STRING("file", call->argv[0]));
	if (r < 0) /* not UTF-8 */
		return output_usage(call, "usage-file", "");
	status = request_send(call, "DropFirmware", parameters, &reply);
	if (status != 0)
		return status;
	if (call->json)
		return output_result(call, reply);
	dropped = field_object(reply, "dropped");
	name = clean(dropped, "name");
	amount_text_bytes(field_unsigned(dropped, "bytes", 0), size);
	line = message_format("cache-dropped", "name", name, "size", size, NULL);
	printf("%s\n", line ? line : name);
	return output_result(call, reply);
}
