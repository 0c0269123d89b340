/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/catalogue_result.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/object.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum {
	FIRMWARES_MAX = 200,
	/* a line of the protocol is 64 KiB at most, and other fields have to fit */
	FIRMWARES_BYTES_MAX = 56 * 1024,
	HOOK_PATH_BYTES = 512,
};

static const char *state_name(enum catalogue_state state)
{
	switch (state) {
	case CATALOGUE_NOT_ASKED:
		return NULL;
	case CATALOGUE_BUILT_IN:
		return "built-in";
	case CATALOGUE_ANSWERED:
		return "answered";
	case CATALOGUE_NOTHING:
		return "nothing";
	case CATALOGUE_FAILED:
		return "failed";
	}
	return NULL;
}

static int told_add(sd_json_variant **array, enum catalogue_source source,
		    const struct catalogue_told *told)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *one = NULL;
	struct object object = {};
	int r;

	if (told->state == CATALOGUE_NOT_ASKED)
		return 0;
	object_text(&object, "name", catalogue_source_name(source));
	object_text(&object, "state", state_name(told->state));
	if (told->has_age)
		object_number(&object, "age_s", told->age_s);
	if (told->state == CATALOGUE_FAILED)
		object_text(&object, "text", told->error.text);
	r = object_end(&object, &one);
	return r < 0 ? r : sd_json_variant_append_array(array, one);
}

static void sources_tell(struct object *object, const struct catalogue_found *found)
{
	sd_json_variant *array = NULL;
	int r = sd_json_variant_new_array(&array, NULL, 0);

	for (size_t i = 0; r >= 0 && i < CATALOGUE_SOURCE_MAX; i++)
		r = told_add(&array, (enum catalogue_source)i, &found->told[i]);
	object_check(object, r);
	object_take(object, "sources", array);
}

static int firmwares_build(const struct catalogue_list *list, sd_json_variant **ret, bool *ret_more,
			   struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	size_t bytes = 0;
	int r = sd_json_variant_new_array(&array, NULL, 0);

	*ret_more = false;
	for (size_t i = 0; r >= 0 && i < list->count; i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *one = NULL;
		_cleanup_free_ char *text = NULL;

		r = ipsw_to_json(&list->entries[i].ipsw, &one, err);
		if (r >= 0)
			r = sd_json_variant_format(one, 0, &text);
		if (r < 0)
			break;
		bytes += strlen(text) + 1;
		if (i == FIRMWARES_MAX || bytes > FIRMWARES_BYTES_MAX) {
			*ret_more = true;
			break;
		}
		r = sd_json_variant_append_array(&array, one);
	}
	if (r >= 0)
		*ret = TAKE(array);
	return r < 0 ? r : 0;
}

/* What Apple offers, if no file of it is known. */
static void offer_tell(struct object *object, const struct catalogue_found *found)
{
	const struct catalogue_offer *offer = &found->offer;
	const struct catalogue_entry *newest = catalogue_list_find(&found->list, NULL);
	sd_json_variant *variant = NULL;
	struct object one = {};

	if (offer->build[0] == '\0' ||
	    (newest && ipsw_build_compare(offer->build, newest->ipsw.build) <= 0))
		return;
	object_text(&one, "version", offer->version);
	object_text(&one, "build", offer->build);
	if (object_check(object, object_end(&one, &variant)) >= 0)
		object_take(object, "newest_offered", variant);
}

int catalogue_result(const struct catalogue_found *found, const struct ipsw *ipsw,
		     sd_json_variant **ret, struct error *err)
{
	const struct catalogue_told *image = &found->told[CATALOGUE_IMAGE];
	sd_json_variant *firmware = NULL;
	struct object object = {};
	bool more = false;
	int r;

	r = ipsw ? ipsw_to_json(ipsw, &firmware, err)
		 : firmwares_build(&found->list, &firmware, &more, err);
	if (object_check(&object, r) >= 0)
		object_take(&object, ipsw ? "firmware" : "firmwares", firmware);
	if (more)
		object_flag(&object, "more", true);
	sources_tell(&object, found);
	offer_tell(&object, found);
	if (found->has_image && image->has_age)
		object_number(&object, "catalogue_age_s", image->age_s);
	r = object_end(&object, ret);
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result") : 0;
}

/* The first that failed, of those that would know builds; else NULL. */
static const struct error *failure(const struct catalogue_found *found)
{
	static const enum catalogue_source asked[] = { CATALOGUE_IPSWME, CATALOGUE_APPLE };

	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		if (found->told[asked[i]].state == CATALOGUE_FAILED)
			return &found->told[asked[i]].error;
	return NULL;
}

int catalogue_none_found(const struct catalogue_found *found, const char *product,
			 const char *build, struct error *err)
{
	const struct error *failed = failure(found);

	if (failed)
		return error_set(err, failed->kind, failed->origin, failed->code, "%s",
				 failed->text);
	if (found->told[CATALOGUE_IPSWME].state == CATALOGUE_NOT_ASKED)
		return error_set(err, ERROR_NETWORK, "worker", 0,
				 "Without a network only the catalogue on this stick can be asked, "
				 "and it does not know %s%s%s. Connect this computer, or bring an "
				 "IPSW file",
				 build ? build : "firmware", " for ", product);
	if (build && found->list.count > 0)
		return error_set(err, ERROR_UNSUPPORTED, "worker", 0,
				 "No source knows build %s for %s. Leave the build out to get the "
				 "newest",
				 build, product);
	if (found->list.refused > 0)
		return error_set(err, ERROR_NETWORK, "worker", 0,
				 "The sources tell nothing of %s that can be trusted: foreign "
				 "addresses, or no checksums. Nothing was downloaded",
				 product);
	return error_set(err, ERROR_UNSUPPORTED, "worker", 0,
			 "No source knows firmware for %s. Bring an IPSW file for it", product);
}

char *catalogue_hook(const char *folder, size_t bytes_max, size_t *ret_bytes)
{
	_cleanup_close_ int fd = -1;
	char path[HOOK_PATH_BYTES], *text = NULL;

	if (!folder ||
	    snprintf(path, sizeof(path), "%s/idevicerescue.catalogue", folder) >= (int)sizeof(path))
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || file_read_whole(fd, bytes_max, &text, ret_bytes) < 0 ? NULL : text;
}
