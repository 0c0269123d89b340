/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Looks at a firmware file's directory and lists without reading the rest: whole, a firmware, for
 * this product, with something for this board. Checksums of the whole are fetch's.
 */
#include "worker/check.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/archive.h"
#include "worker/ipsw.h"
#include "worker/manifest.h"
#include "worker/property_list.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>

enum { RESTORE_PLIST_BYTES_MAX = 4 * 1024 * 1024, BOARD_BYTES = 32 };
static const char manifest_name[] = "BuildManifest.plist";
static const char restore_name[] = "Restore.plist";

struct fields {
	const char *path, *url, *product, *board;
};

#define FIELD(member)                                                                              \
	{ #member, SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,                          \
	  offsetof(struct fields, member), SD_JSON_REFUSE_NULL }

static const sd_json_dispatch_field check_fields[] = {
	FIELD(path), FIELD(url), FIELD(product), FIELD(board), {},
};

struct check {
	struct fields fields;
	struct archive *archive;
	struct manifest *manifest;
	struct ipsw ipsw;
};

static void check_done(struct check *check)
{
	manifest_free(check->manifest);
	archive_free(check->archive);
}

static bool board_is_plain(const char *board)
{
	static const char allowed[] =
	    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = strlen(board);

	return n > 0 && n < BOARD_BYTES && strspn(board, allowed) == n;
}

static int fields_check(struct check *check, struct error *err)
{
	const struct fields *fields = &check->fields;
	const char *what = NULL;

	if (!fields->path == !fields->url)
		what = "One of the fields \"path\" and \"url\" is needed";
	else if (!fields->product != !fields->board)
		what = "Fields \"product\" and \"board\" go together";
	else if (fields->path &&
		 (fields->path[0] != '/' || strlen(fields->path) >= sizeof(check->ipsw.path)))
		what = "Field \"path\" is no absolute path";
	else if (fields->url && ipsw_set_url(&check->ipsw, fields->url) < 0)
		what = "Field \"url\" is no address of Apple's firmware";
	else if (fields->product && !ipsw_product_is_plain(fields->product))
		what = "Field \"product\" is no product";
	else if (fields->board && !board_is_plain(fields->board))
		what = "Field \"board\" is no board";
	return what ? error_set(err, ERROR_USAGE, "worker", 0, "%s", what) : 0;
}

static void ipsw_fill(struct check *check)
{
	struct ipsw *ipsw = &check->ipsw;

	if (check->fields.path) {
		text_copy(ipsw->path, sizeof(ipsw->path), check->fields.path);
		text_copy(ipsw->name, sizeof(ipsw->name), strrchr(check->fields.path, '/') + 1);
	}
	if (check->fields.product)
		text_copy(ipsw->product, sizeof(ipsw->product), check->fields.product);
	text_copy(ipsw->version, sizeof(ipsw->version), manifest_version(check->manifest));
	text_copy(ipsw->build, sizeof(ipsw->build), manifest_build(check->manifest));
	ipsw->size = archive_size(check->archive);
}

static int manifest_get(struct check *check, struct error *err)
{
	_cleanup_free_ char *bytes = NULL;
	size_t n = 0;
	int r = archive_read(check->archive, manifest_name, MANIFEST_BYTES_MAX, &bytes, &n, err);

	return r < 0 ? r : manifest_parse(bytes, n, &check->manifest, err);
}

/* Restore.plist, if it is there, tells the same build: two halves of two files are no firmware. */
static int restore_compare(struct check *check, struct error *err)
{
	_cleanup_(plist_freep) plist_t list = NULL;
	_cleanup_free_ char *bytes = NULL;
	struct archive_member member;
	const char *build;
	size_t n = 0;
	int r;

	if (!archive_find(check->archive, restore_name, &member))
		return 0;
	r = archive_read(check->archive, restore_name, RESTORE_PLIST_BYTES_MAX, &bytes, &n, err);
	if (r < 0)
		return r;
	list = property_list_parse(bytes, n);
	if (!list)
		return error_set(
		    err, ERROR_BAD_FILE, "libplist", 0,
		    "Restore.plist in the firmware file is damaged. Download it again");
	build = property_list_text(list, "ProductBuildVersion");
	if (build && strcmp(build, manifest_build(check->manifest)) != 0)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "The firmware file contradicts itself: it is build %s in one list "
				 "and %s in another. Do not use it",
				 manifest_build(check->manifest), build);
	return 0;
}

static int products_build(const struct check *check, sd_json_variant **ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *list = NULL;
	const char *products[MANIFEST_PRODUCTS_MAX];
	size_t count = manifest_products(check->manifest, products, MANIFEST_PRODUCTS_MAX);
	bool found = !check->fields.product;
	int r = sd_json_variant_new_array(&list, NULL, 0);

	for (size_t i = 0; r >= 0 && i < count; i++) {
		char product[IPSW_TEXT_BYTES];

		text_copy(product, sizeof(product), products[i]);
		found |= check->fields.product && strcmp(product, check->fields.product) == 0;
		r = sd_json_variant_append_arrayb(&list, SD_JSON_BUILD_STRING(product));
	}
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result");
	if (!found)
		return error_set(
		    err, ERROR_BAD_FILE, "worker", 0,
		    "This firmware (%s, build %s) is for another model (%.60s), not for "
		    "%s. Choose the one for it",
		    manifest_version(check->manifest), manifest_build(check->manifest),
		    count ? products[0] : "none", check->fields.product);
	*ret = TAKE(list);
	return 0;
}

static int paths_check(const struct check *check, const struct manifest_variant *variant,
		       struct error *err)
{
	struct archive_member member;

	for (size_t i = 0; i < variant->path_count; i++)
		if (!archive_find(check->archive, variant->paths[i], &member) || member.bytes == 0)
			return error_set(err, ERROR_BAD_FILE, "worker", 0,
					 "The firmware file lacks a part that the restore needs: "
					 "%.120s. Download it again",
					 variant->paths[i]);
	return 0;
}

static int variant_append(const struct check *check, const struct manifest_variant *variant,
			  sd_json_variant **list, struct error *err)
{
	struct archive_member os = {};
	char name[MANIFEST_NAME_BYTES];
	int r = paths_check(check, variant, err);

	if (r < 0)
		return r;
	(void)archive_find(check->archive, variant->os_path, &os);
	text_copy(name, sizeof(name), variant->name);
	r = sd_json_variant_append_arraybo(list, SD_JSON_BUILD_PAIR_STRING("name", name),
					   SD_JSON_BUILD_PAIR_BOOLEAN("erases", variant->erases),
					   SD_JSON_BUILD_PAIR_UNSIGNED("os_bytes", os.bytes),
					   SD_JSON_BUILD_PAIR_BOOLEAN("os_packed", os.packed));
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build a variant") : 0;
}

static int variants_build(const struct check *check, sd_json_variant **ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *list = NULL;
	struct manifest_variant variants[MANIFEST_VARIANTS_MAX];
	int count = 0, r = sd_json_variant_new_array(&list, NULL, 0);

	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result");
	if (check->fields.board)
		count = manifest_variants(check->manifest, check->fields.board, variants, err);
	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		r = variant_append(check, &variants[i], &list, err);
		if (r < 0)
			return r;
	}
	*ret = TAKE(list);
	return 0;
}

static int result_build(const struct check *check, sd_json_variant **ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *firmware = NULL;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *products = NULL;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *variants = NULL;
	int r = products_build(check, &products, err);

	if (r == 0)
		r = variants_build(check, &variants, err);
	if (r == 0)
		r = ipsw_to_json(&check->ipsw, &firmware, err);
	if (r < 0)
		return r;
	r = sd_json_buildo(ret, SD_JSON_BUILD_PAIR_VARIANT("firmware", firmware),
			   SD_JSON_BUILD_PAIR_VARIANT("products", products),
			   SD_JSON_BUILD_PAIR_VARIANT("variants", variants),
			   SD_JSON_BUILD_PAIR_UNSIGNED("members", archive_members(check->archive)));
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result") : 0;
}

int check_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_(http_freep) struct http *http = NULL;
	_cleanup_(check_done) struct check check = {};
	int r;

	r = request_fields(request, check_fields, &check.fields, err);
	if (r == 0)
		r = fields_check(&check, err);
	if (r == 0 && check.fields.url)
		r = http_new(&http, err);
	if (r == 0)
		r = archive_open(check.fields.path, http, check.ipsw.url, &check.archive, err);
	if (r == 0)
		r = manifest_get(&check, err);
	if (r == 0)
		r = restore_compare(&check, err);
	if (r < 0)
		return r;
	ipsw_fill(&check);
	return result_build(&check, ret_fields, err);
}
