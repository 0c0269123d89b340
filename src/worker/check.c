/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Looks at a firmware file's directory and lists: whole, a firmware, for this product, with
 * something for this board. Asked for more, it reads all of the file, see check_proof.h.
 *
 * The file may be anybody's: memory has a ceiling, the whole a limit, and a library that breaks on
 * its bytes ends in a result that says so.
 */
#include "worker/check.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "facts/facts.h"
#include "worker/archive.h"
#include "worker/ceiling.h"
#include "worker/check_proof.h"
#include "worker/ipsw.h"
#include "worker/lifeline.h"
#include "worker/manifest.h"
#include "worker/property_list.h"
#include "worker/reply.h"
#include <errno.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <string.h>

enum {
	RESTORE_PLIST_BYTES_MAX = 4 * 1024 * 1024,
	BOARD_BYTES = 32,
	MS_PER_S = 1000,
	LOOK_MS = 55 * MS_PER_S, /* for the lists; a server may be slow */
	MARGIN_MS = MS_PER_S,    /* the result must be there before the service's own limit */
};
/* The largest lists allowed, and what libplist makes of them; below the unit's MemoryMax. */
static const size_t memory_bytes_max = 192UL << 20;
static const char manifest_name[] = "BuildManifest.plist";
static const char restore_name[] = "Restore.plist";

struct fields {
	const char *path, *url, *product, *board, *sha1, *sha256;
	uint64_t level;
	bool vouched;
};

#define FIELD(member)                                                                              \
	{ #member, SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,                          \
	  offsetof(struct fields, member), SD_JSON_REFUSE_NULL }

static const sd_json_dispatch_field check_fields[] = {
	FIELD(path),
	FIELD(url),
	FIELD(product),
	FIELD(board),
	FIELD(sha1),
	FIELD(sha256),
	{ "level", SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,
	  offsetof(struct fields, level), SD_JSON_REFUSE_NULL },
	{ "vouched", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
	  offsetof(struct fields, vouched), SD_JSON_REFUSE_NULL },
	{},
};

struct check {
	struct fields fields;
	struct archive *archive;
	struct manifest *manifest;
	struct ipsw ipsw;  /* what the file is */
	struct ipsw known; /* its hashes as the request has them */
	char manifest_sha256[IPSW_SHA256_BYTES];
	sd_json_variant *products; /* that Restore.plist tells; NULL none */
	sd_json_variant *proof;
	/* what holds while foreign bytes are read */
	struct ceiling ceiling;
	struct lifeline lifeline;
	bool is_limited;
};

static void check_done(struct check *check)
{
	manifest_free(check->manifest);
	archive_free(check->archive);
	sd_json_variant_unref(check->products);
	sd_json_variant_unref(check->proof);
	ceiling_lift(&check->ceiling);
	if (check->is_limited)
		lifeline_release(&check->lifeline);
}

/* --- the request */

static bool board_is_plain(const char *board)
{
	static const char allowed[] =
	    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = strlen(board);

	return n > 0 && n < BOARD_BYTES && strspn(board, allowed) == n;
}

/* Returns what is wrong, or NULL. */
static const char *hashes_check(struct check *check)
{
	const struct fields *fields = &check->fields;

	if (fields->sha1 && (strlen(fields->sha1) != IPSW_SHA1_BYTES - 1 ||
			     ipsw_set_hash(&check->known, fields->sha1) < 0))
		return "Field \"sha1\" is no SHA-1";
	if (fields->sha256 && (strlen(fields->sha256) != IPSW_SHA256_BYTES - 1 ||
			       ipsw_set_hash(&check->known, fields->sha256) < 0))
		return "Field \"sha256\" is no SHA-256";
	if (fields->level == PROOF_HASH && !fields->sha1 && !fields->sha256)
		return "Field \"level\" 1 needs \"sha1\" or \"sha256\" to compare with";
	return NULL;
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
	else if (fields->level > PROOF_DIGESTS)
		what = "Field \"level\" is 0 to 3";
	else if (fields->level > PROOF_STRUCTURE && fields->url)
		what = "Only a file here can be read as a whole: \"level\" needs \"path\"";
	else
		what = hashes_check(check);
	return what ? error_set(err, ERROR_USAGE, "worker", 0, "%s", what) : 0;
}

/* --- limits */

static int error_line(enum error_kind kind, const char *text, char **ret)
{
	struct error error = { .kind = kind, .origin = "worker" };

	text_copy(error.text, sizeof(error.text), text);
	return reply_error_text(&error, NULL, ret);
}

static int limits_set(struct check *check, struct error *err)
{
	unsigned limit_ms = LOOK_MS;
	_cleanup_free_ char *late = NULL;
	_cleanup_free_ char *broken = NULL;
	int r;

	if (check->fields.level > PROOF_STRUCTURE)
		limit_ms = step_fact(STEP_CHECK)->total_s * MS_PER_S - MARGIN_MS;
	r = error_line(ERROR_SILENT,
		       "Looking at the firmware file takes too long: its disk or server is too "
		       "slow. Copy it to another disk",
		       &late);
	if (r == 0)
		r = error_line(ERROR_BAD_FILE,
			       "The lists of this firmware file need more memory than any real "
			       "ones, or break the program that reads them. Do not use it",
			       &broken);
	if (r == 0)
		r = ceiling_set_bytes(&check->ceiling, memory_bytes_max, broken);
	if (r == 0)
		r = lifeline_limit(&check->lifeline, limit_ms, late);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot limit the worker");
	check->is_limited = true;
	return 0;
}

/* --- the lists */

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

/* Names the list that the signing server is asked about: `sign` tells the same of it. */
static int manifest_hash(struct check *check, const char *bytes, size_t n, struct error *err)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned hash_bytes = 0;

	if (EVP_Digest(bytes, n, hash, &hash_bytes, EVP_sha256(), NULL) != 1 ||
	    2 * hash_bytes >= sizeof(check->manifest_sha256))
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "A digest");
	for (unsigned i = 0; i < hash_bytes; i++) {
		check->manifest_sha256[2 * i] = digits[hash[i] >> 4];
		check->manifest_sha256[2 * i + 1] = digits[hash[i] & 0xf];
	}
	return 0;
}

static int manifest_get(struct check *check, struct error *err)
{
	_cleanup_free_ char *bytes = NULL;
	size_t n = 0;
	int r = archive_read(check->archive, manifest_name, MANIFEST_BYTES_MAX, &bytes, &n, err);

	if (r == 0)
		r = manifest_hash(check, bytes, n, err);
	return r < 0 ? r : manifest_parse(bytes, n, &check->manifest, err);
}

static int product_append(sd_json_variant **list, const char *product)
{
	char text[IPSW_TEXT_BYTES];

	text_copy(text, sizeof(text), product);
	return text[0] ? sd_json_variant_append_arrayb(list, SD_JSON_BUILD_STRING(text)) : 0;
}

/* The models as BuildManifest.plist has them, else as Restore.plist (may be NULL): old ones have a
 * single model there. */
static int products_read(struct check *check, plist_t restore, struct error *err)
{
	const char *products[MANIFEST_PRODUCTS_MAX];
	size_t count = manifest_products(check->manifest, products, MANIFEST_PRODUCTS_MAX);
	plist_t more = count == 0 ? property_list_array(restore, "SupportedProductTypes") : NULL;
	const char *one = property_list_text(restore, "ProductType");
	int r = sd_json_variant_new_array(&check->products, NULL, 0);

	for (uint32_t i = 0; more && i < plist_array_get_size(more); i++) {
		plist_t item = plist_array_get_item(more, i);

		if (count < ARRAY_LEN(products) && plist_get_node_type(item) == PLIST_STRING)
			products[count++] = plist_get_string_ptr(item, NULL);
	}
	if (count == 0 && one)
		products[count++] = one;
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = product_append(&check->products, products[i]);
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result") : 0;
}

/* Both lists tell the same build: two halves of two files are no firmware. */
static int build_compare(const struct check *check, plist_t restore, struct error *err)
{
	const char *build = property_list_text(restore, "ProductBuildVersion");

	if (!build || strcmp(build, manifest_build(check->manifest)) == 0)
		return 0;
	return error_set(err, ERROR_BAD_FILE, "worker", 0,
			 "The firmware file contradicts itself: it is build %.40s in one list and "
			 "%.40s in another. Do not use it",
			 manifest_build(check->manifest), build);
}

/* Restore.plist, if it is there: not every firmware has one. */
static int restore_read(struct check *check, struct error *err)
{
	_cleanup_(plist_freep) plist_t list = NULL;
	_cleanup_free_ char *bytes = NULL;
	struct archive_member member;
	size_t n = 0;
	int r;

	if (archive_find(check->archive, restore_name, &member)) {
		r = archive_read(check->archive, restore_name, RESTORE_PLIST_BYTES_MAX, &bytes, &n,
				 err);
		if (r < 0)
			return r;
		list = property_list_parse(bytes, n);
		if (!list)
			return error_set(
			    err, ERROR_BAD_FILE, "libplist", 0,
			    "Restore.plist in the firmware file is damaged. Download it again");
	}
	r = build_compare(check, list, err);
	return r < 0 ? r : products_read(check, list, err);
}

static int product_check(const struct check *check, struct error *err)
{
	const char *first = "none";

	if (!check->fields.product)
		return 0;
	for (size_t i = 0; i < sd_json_variant_elements(check->products); i++) {
		const char *product =
		    sd_json_variant_string(sd_json_variant_by_index(check->products, i));

		if (strcmp(product, check->fields.product) == 0)
			return 0;
		first = i == 0 ? product : first;
	}
	return error_set(err, ERROR_BAD_FILE, "worker", 0,
			 "This firmware (%.40s, build %.40s) is for another model (%.60s), not for "
			 "%s. Choose the one for it",
			 manifest_version(check->manifest), manifest_build(check->manifest), first,
			 check->fields.product);
}

/* --- the result */

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

static int result_build(const struct check *check, sd_json_variant *variants, sd_json_variant **ret,
			struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *firmware = NULL;
	int r = ipsw_to_json(&check->ipsw, &firmware, err);

	if (r < 0)
		return r;
	r = sd_json_buildo(ret, SD_JSON_BUILD_PAIR_VARIANT("firmware", firmware),
			   SD_JSON_BUILD_PAIR_VARIANT("products", check->products),
			   SD_JSON_BUILD_PAIR_VARIANT("variants", variants),
			   SD_JSON_BUILD_PAIR_UNSIGNED("members", archive_members(check->archive)),
			   SD_JSON_BUILD_PAIR_STRING("manifest_sha256", check->manifest_sha256),
			   SD_JSON_BUILD_PAIR_VARIANT("proof", check->proof));
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result") : 0;
}

static int proof_read(struct check *check, struct error *err)
{
	struct proof_wish wish = {
		.level = (unsigned)check->fields.level,
		.known = &check->known,
		.vouched = check->fields.vouched,
		.board = check->fields.board,
		.manifest = check->manifest,
	};
	int r = proof_make(check->archive, &wish, &check->proof, err);

	if (r < 0 || wish.level == PROOF_STRUCTURE)
		return r;
	text_copy(check->ipsw.sha1, sizeof(check->ipsw.sha1), check->known.sha1);
	text_copy(check->ipsw.sha256, sizeof(check->ipsw.sha256), check->known.sha256);
	check->ipsw.verified = check->known.sha1[0] || check->known.sha256[0];
	return 0;
}

static int lists_read(struct check *check, struct http *http, struct error *err)
{
	int r = archive_open(check->fields.path, http, check->ipsw.url, &check->archive, err);

	if (r == 0)
		r = manifest_get(check, err);
	if (r == 0)
		r = restore_read(check, err);
	if (r < 0)
		return r;
	ipsw_fill(check);
	return product_check(check, err);
}

int check_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *variants = NULL;
	_cleanup_(http_freep) struct http *http = NULL;
	_cleanup_(check_done) struct check check = {};
	int r;

	r = request_fields(request, check_fields, &check.fields, err);
	if (r == 0)
		r = fields_check(&check, err);
	if (r == 0)
		r = limits_set(&check, err);
	if (r == 0 && check.fields.url)
		r = http_new(&http, err);
	if (r == 0)
		r = lists_read(&check, http, err);
	/* first what takes no time */
	if (r == 0)
		r = variants_build(&check, &variants, err);
	if (r == 0)
		r = proof_read(&check, err);
	return r < 0 ? r : result_build(&check, variants, ret_fields, err);
}
