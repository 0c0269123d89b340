/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ListFirmware, DropFirmware: the firmware files that are kept. */
#include "base/cleanup.h"
#include "base/object.h"
#include "service/cache.h"
#include "service/server_parts.h"
#include <errno.h>
#include <string.h>

static const char *kind_name(enum cache_kind kind)
{
	switch (kind) {
	case CACHE_WHOLE:
		return "whole";
	case CACHE_PART:
		return "part";
	case CACHE_BAD:
		return "bad";
	}
	return "bad";
}

static bool job_needs(const char *path, void *user)
{
	const struct server *server = user;

	return server->options.jobs && jobs_need_file(server->options.jobs, path, NULL);
}

static int entry_build(struct server *server, const struct cache_entry *entry,
		       sd_json_variant **ret)
{
	const struct firmware *firmware = &entry->firmware;
	struct object object = { 0 };
	sd_json_variant *products = NULL;

	object_text(&object, "file", entry->file);
	object_text(&object, "kind", kind_name(entry->kind));
	object_text(&object, "name", firmware->name);
	object_text(&object, "path", firmware->path);
	object_text(&object, "version", firmware->version);
	object_text(&object, "build", firmware->build);
	object_check(&object, cache_products_build(entry->products, &products));
	object_take(&object, "products", products);
	object_number(&object, "bytes", entry->bytes);
	object_number(&object, "used_ms", entry->used_ms);
	if (entry->verified_ms > 0) {
		object_number(&object, "verified_ms", entry->verified_ms);
		object_number(&object, "verified_level", entry->verified_level);
	}
	object_flag(&object, "stale", entry->stale);
	object_flag(&object, "in_use", entry->in_use || job_needs(firmware->path, server));
	return object_end(&object, ret);
}

/* err is set if the disk is what fails. */
static int files_build(struct server *server, const struct room *room, sd_json_variant **ret,
		       struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	_cleanup_free_ struct cache_entry *entries = NULL;
	size_t count = 0;
	char folder[PLAN_ROOM_BYTES];
	int r = cache_list(room, &entries, &count);

	room_firmware_folder(room, folder);
	if (r < 0 && r != -ENOMEM)
		return storage_refuse(folder, -r, err);
	if (r >= 0)
		r = sd_json_variant_new_array(&array, NULL, 0);
	for (size_t i = 0; i < count && r >= 0; i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

		r = entry_build(server, &entries[i], &object);
		if (r >= 0)
			r = sd_json_variant_append_array(&array, object);
	}
	if (r >= 0)
		*ret = TAKE(array);
	return r;
}

static int cache_build(struct server *server, const struct room *room, sd_json_variant **ret,
		       struct error *err)
{
	const bool apart = room->cache[0] != '\0';
	char folder[PLAN_ROOM_BYTES], mirror[STORAGE_URL_BYTES] = "";
	struct object object = { 0 };
	sd_json_variant *files = NULL;

	room_firmware_folder(room, folder);
	(void)storage_mirror(server->options.storage, mirror);
	object_text(&object, "folder", folder);
	object_flag(&object, "chosen", apart);
	if (!apart)
		object_flag(&object, "lasting", room->lasting);
	object_number(&object, "free_bytes", apart ? room->cache_free_bytes : room->free_bytes);
	object_text(&object, "mirror", mirror);
	object_check(&object, files_build(server, room, &files, err));
	object_take(&object, "files", files);
	return object_end(&object, ret);
}

static int room_read(const struct server *server, struct room *ret, struct error *err)
{
	int r;

	if (!server->options.storage)
		return error_set(err, ERROR_UNSUPPORTED, "service", 0, "It keeps no firmware");
	r = storage_room(server->options.storage, ret, err);
	return r < 0 ? r : storage_add_cache(server->options.storage, ret, err);
}

int reply_cache(struct server *server, sd_varlink *link, sd_json_variant *disk)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *cache = NULL;
	struct error err = { 0 };
	struct room room = { 0 };
	int r = room_read(server, &room, &err);

	if (r >= 0)
		r = cache_build(server, &room, &cache, &err);
	if (err.kind != ERROR_NONE)
		return reply_refused(link, &err);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(
	    link, SD_JSON_BUILD_PAIR_VARIANT("cache", cache),
	    SD_JSON_BUILD_PAIR_CONDITION(disk != NULL, "disk", SD_JSON_BUILD_VARIANT(disk)));
}

bool cache_is_needed(struct server *server, const char *disk)
{
	_cleanup_free_ struct cache_entry *entries = NULL;
	char folder[PLAN_ROOM_BYTES];
	struct room room = { 0 };
	size_t count = 0;

	/* a disk that is gone holds nothing that anybody could still use */
	if (room_read(server, &room, NULL) < 0 || !strstr(room.cache, disk) ||
	    cache_list(&room, &entries, &count) < 0)
		return false;
	/* also a download that has not begun, whose file nobody could find */
	room_firmware_folder(&room, folder);
	if (server->options.jobs && jobs_need_folder(server->options.jobs, folder))
		return true;
	for (size_t i = 0; i < count; i++)
		if (entries[i].in_use || job_needs(entries[i].firmware.path, server))
			return true;
	return false;
}

int on_list_firmware(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		     void *user)
{
	int r = sd_varlink_dispatch(link, parameters, NULL, NULL);

	return r != 0 ? r : reply_cache(user, link, NULL);
}

struct cache_parameters {
	const char *file;
};

int on_drop_firmware(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		     void *user)
{
	static const sd_json_dispatch_field table[] = {
		TEXT_FIELD(cache_parameters, file, MUST),
		{},
	};
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *dropped = NULL;
	_cleanup_free_ struct cache_entry *entry = NULL;
	struct server *server = user;
	struct cache_parameters p = { 0 };
	struct room room = { 0 };
	struct error err;
	int r = sd_varlink_dispatch(link, parameters, table, &p);

	if (r != 0)
		return r;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return sd_varlink_error_errno(link, -ENOMEM);
	r = room_read(server, &room, &err);
	if (r >= 0)
		r = cache_drop(&room, p.file, job_needs, server, entry, &err);
	if (r < 0)
		return reply_refused(link, &err);
	r = entry_build(server, entry, &dropped);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("dropped", dropped));
}
