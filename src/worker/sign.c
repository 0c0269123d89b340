/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Reads the BuildManifest of a firmware, here or in a server's zip, and asks Apple's signing server
 * whether this very phone may have it. Only a "yes" proves anything; what the network does wrong is
 * the verdict `unknown`, with the reason beside it, and no error:
 *
 *   manifest ──▶ identity ──▶ request ──▶ asked, up to three times ──▶ signed, not-signed, unknown
 *      └─ network ─────────────────────────────────────────────────────────────────────▶ unknown
 */
#include "worker/sign.h"
#include "base/cleanup.h"
#include "base/object.h"
#include "base/text.h"
#include "worker/archive.h"
#include "worker/ceiling.h"
#include "worker/digest.h"
#include "worker/ipsw.h"
#include "worker/lifeline.h"
#include "worker/manifest.h"
#include "worker/manifest_identity.h"
#include "worker/reply.h"
#include "worker/tss_request.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { LIMIT_MS = 60000, TRIES = 3, TRY_S = 15, PAUSE_MS = 1000, STATUS_BYTES = 16 };

static const char manifest_name[] = "BuildManifest.plist";
/* Below the unit's MemoryMax. */
static const size_t memory_bytes_max = 192UL << 20;

struct fields {
	const char *product, *board, *ecid, *variant, *path, *url;
	bool current;
};

#define FIELD(member, flags)                                                                       \
	{ #member, SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,                          \
	  offsetof(struct fields, member), SD_JSON_REFUSE_NULL | (flags) }

static const sd_json_dispatch_field sign_fields[] = {
	FIELD(product, SD_JSON_MANDATORY),
	FIELD(board, SD_JSON_MANDATORY),
	FIELD(ecid, SD_JSON_MANDATORY),
	FIELD(variant, SD_JSON_MANDATORY),
	FIELD(path, 0),
	FIELD(url, 0),
	{ "current", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
	  offsetof(struct fields, current), SD_JSON_REFUSE_NULL },
	{},
};

struct sign {
	struct fields fields;
	uint64_t ecid;
	const struct model *model; /* NULL: a board that we do not know */
	struct ipsw ipsw;          /* its url, as it may be asked */
	struct http *http;
	struct archive *archive;
	char *bytes; /* of the manifest */
	size_t n;
	struct manifest *manifest;
	char sha256[IPSW_SHA256_BYTES];
	/* what comes of it */
	enum tss_verdict verdict;
	struct error why; /* unless it is signed */
	struct lifeline lifeline;
	struct ceiling ceiling;
	bool is_limited;
};

static void sign_done(struct sign *sign)
{
	if (sign->is_limited)
		lifeline_release(&sign->lifeline);
	ceiling_lift(&sign->ceiling);
	manifest_free(sign->manifest);
	free(sign->bytes);
	archive_free(sign->archive);
	http_free(sign->http);
}

/* --- the verdict */

const char *sign_word(enum tss_verdict verdict)
{
	switch (verdict) {
	case TSS_SIGNED:
		return "signed";
	case TSS_NOT_SIGNED:
		return "not-signed";
	case TSS_OUR_FAULT:
	case TSS_UNKNOWN:
		break;
	}
	return "unknown";
}

static void why_set(struct error *why, enum error_kind kind, const struct tss_reply *reply,
		    const char *message, const char *version, const char *build)
{
	_cleanup_free_ char *text = NULL;
	char status[STATUS_BYTES];

	snprintf(status, sizeof(status), "%d", reply->status);
	text = message_format(message, "version", version, "build", build, "status", status, NULL);
	(void)error_set(why, kind, "tss", reply->status, "%s", text ? text : message);
}

/* Nobody was asked, or nobody answered. */
static void why_nobody(struct error *why, enum error_kind kind, const char *message,
		       const char *board)
{
	_cleanup_free_ char *text = message_format(message, "board", board, NULL);

	(void)error_set(why, kind, "worker", 0, "%s", text ? text : message);
}

enum tss_verdict sign_judge(const struct tss_reply *reply, bool current, const char *version,
			    const char *build, struct error *why)
{
	enum tss_verdict verdict = tss_reply_verdict(reply);

	switch (verdict) {
	case TSS_SIGNED:
		return verdict;
	case TSS_NOT_SIGNED:
		why_set(why, ERROR_NOT_SIGNED, reply, current ? "sign-disagree" : "sign-not-signed",
			version, build);
		return current ? TSS_UNKNOWN : TSS_NOT_SIGNED;
	case TSS_OUR_FAULT:
		why_set(why, ERROR_PROTOCOL, reply, "sign-our-fault", version, build);
		break;
	case TSS_UNKNOWN:
		why_set(why, ERROR_PROTOCOL, reply,
			reply->status == TSS_STATUS_OK ? "sign-no-ticket" : "sign-server-error",
			version, build);
		break;
	}
	return verdict;
}

/* --- the request */

static int fields_check(struct sign *sign, struct error *err)
{
	const struct fields *fields = &sign->fields;
	const char *what = NULL;
	int r = request_check_ecid(fields->ecid, &sign->ecid, err);

	if (r < 0)
		return r;
	sign->model = model_by_board(fields->board);
	if (!fields->path == !fields->url)
		what = "One of the fields \"path\" and \"url\" is needed";
	else if (fields->path && fields->path[0] != '/')
		what = "Field \"path\" is no absolute path";
	else if (fields->url && ipsw_set_url(&sign->ipsw, fields->url) < 0)
		what = "Field \"url\" is no address of Apple's firmware";
	else if (!ipsw_product_is_plain(fields->product))
		what = "Field \"product\" is no product";
	else if (sign->model && strcmp(sign->model->product, fields->product) != 0)
		what = "Fields \"product\" and \"board\" do not go together";
	else if (fields->variant[0] == '\0' || strlen(fields->variant) >= MANIFEST_NAME_BYTES)
		what = "Field \"variant\" is no variant";
	return what ? error_set(err, ERROR_USAGE, "worker", 0, "%s", what) : 0;
}

/* --- the manifest */

static int manifest_read(struct sign *sign, struct error *err)
{
	int r = archive_open(sign->fields.path, sign->http, sign->ipsw.url, &sign->archive, err);

	if (r == 0)
		r = archive_read(sign->archive, manifest_name, MANIFEST_BYTES_MAX, &sign->bytes,
				 &sign->n, err);
	return r;
}

static int manifest_take(struct sign *sign, struct error *err)
{
	_cleanup_(digest_freep) struct digest *digest = NULL;
	int r = digest_new(&digest);

	if (r == 0)
		r = digest_add(digest, sign->bytes, sign->n);
	if (r == 0)
		r = digest_sha256(digest, sign->sha256);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot hash the manifest");
	return manifest_parse(sign->bytes, sign->n, &sign->manifest, err);
}

/* Research variants, and those whose behaviour is at odds with their names, are none. */
static int variant_check(const struct sign *sign, struct error *err)
{
	struct manifest_variant variants[MANIFEST_VARIANTS_MAX];
	int count = manifest_variants(sign->manifest, sign->fields.board, variants, err);

	for (int i = 0; i < count; i++)
		if (strcmp(variants[i].name, sign->fields.variant) == 0)
			return 0;
	if (count < 0)
		return count;
	return error_set(err, ERROR_BAD_FILE, "worker", 0,
			 "This firmware (%s, build %s) has no \"%.60s\" that can be used on board "
			 "%s. Choose another one",
			 manifest_version(sign->manifest), manifest_build(sign->manifest),
			 sign->fields.variant, sign->fields.board);
}

/* --- asking */

/* Asks until there is an answer that has a status, or it is of no use to ask again. */
static int ask(struct sign *sign, const char *body, size_t n, struct error *why)
{
	struct http_reply http_reply = {};
	struct tss_reply reply;
	int r = -EIO;

	for (int i = 0; i < TRIES; i++) {
		if (i > 0)
			http_wait(sign->http, PAUSE_MS);
		r = tss_ask(sign->http, body, n, TRY_S, &http_reply, &reply, why);
		if (r == 0 || tss_error_is_certificate(why))
			break;
	}
	if (r < 0)
		return r;
	sign->verdict = sign_judge(&reply, sign->fields.current, manifest_version(sign->manifest),
				   manifest_build(sign->manifest), &sign->why);
	http_reply_done(&http_reply);
	return 0;
}

static int request_ask(struct sign *sign, struct error *err)
{
	struct tss_chance chance;
	plist_t identity = NULL;
	char *xml = NULL;
	uint32_t n = 0;
	int r = variant_check(sign, err);

	if (r == 0)
		r = manifest_identity_find(manifest_identities(sign->manifest), sign->model,
					   sign->fields.variant, &identity, err);
	if (r < 0)
		return r;
	if (tss_chance_make(&chance) < 0)
		return error_set(err, ERROR_BUG, "kernel", 0, "The kernel has no random numbers");
	r = tss_request_build(identity, sign->ecid, &chance, &xml, &n, err);
	if (r < 0)
		return r;
	/* whatever goes wrong now says nothing about the firmware */
	(void)ask(sign, xml, n, &sign->why);
	plist_mem_free(xml);
	return 0;
}

/* --- the result */

static void text_field(struct object *object, const char *name, const char *text)
{
	char clean[IPSW_TEXT_BYTES];

	text_copy(clean, sizeof(clean), text);
	object_text(object, name, clean);
}

static int result_build(const struct sign *sign, sd_json_variant **ret)
{
	_cleanup_(object_done) struct object object = {};
	struct remote_cost cost =
	    sign->archive ? archive_cost(sign->archive) : (struct remote_cost){};

	object_text(&object, "verdict", sign_word(sign->verdict));
	if (sign->manifest) {
		object_text(&object, "manifest_sha256", sign->sha256);
		text_field(&object, "version", manifest_version(sign->manifest));
		text_field(&object, "build", manifest_build(sign->manifest));
	}
	if (sign->verdict != TSS_SIGNED)
		object_error(&object, "reason", &sign->why);
	object_number(&object, "requests", cost.requests);
	object_number(&object, "bytes", cost.bytes);
	return object_end(&object, ret);
}

/* The answer if the network takes longer than anybody waits, and if a library breaks on the file.
 */
static int limits_set(struct sign *sign, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	_cleanup_free_ char *line = NULL, *broken = NULL;
	struct error trap = {};
	int r;

	(void)error_set(&trap, ERROR_BAD_FILE, "worker", 0,
			"The lists of this firmware file need more memory than any real ones, or "
			"break the program that reads them. Do not use it");
	why_nobody(&sign->why, ERROR_NETWORK, "sign-silent", sign->fields.board);
	r = result_build(sign, &fields);
	if (r == 0)
		r = reply_error_text(NULL, fields, &line);
	if (r == 0)
		r = reply_error_text(&trap, NULL, &broken);
	if (r == 0)
		r = ceiling_set_bytes(&sign->ceiling, memory_bytes_max, broken);
	if (r == 0)
		r = lifeline_limit(&sign->lifeline, LIMIT_MS, line);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot limit the worker");
	sign->is_limited = true;
	lifeline_is_answer(&sign->lifeline);
	return 0;
}

/* What the network did wrong, as against a file that is none. */
static bool is_of_network(const struct sign *sign, const struct error *err)
{
	return sign->fields.url && (err->kind == ERROR_NETWORK || err->kind == ERROR_PROTOCOL ||
				    err->kind == ERROR_SILENT);
}

static int work(struct sign *sign, struct error *err)
{
	int r = http_new(&sign->http, err);

	if (r == 0)
		r = limits_set(sign, err);
	if (r < 0)
		return r;
	r = manifest_read(sign, err);
	if (r < 0 && is_of_network(sign, err)) {
		sign->why = *err;
		return 0;
	}
	if (r == 0)
		r = manifest_take(sign, err);
	return r < 0 ? r : request_ask(sign, err);
}

int sign_run(const struct request *request, sd_json_variant **ret_fields, struct error *err)
{
	_cleanup_(sign_done) struct sign sign = { .verdict = TSS_UNKNOWN };
	struct error why = {};
	int r = request_fields(request, sign_fields, &sign.fields, &why);

	if (r == 0)
		r = fields_check(&sign, &why);
	if (r == 0 && sign.model)
		r = work(&sign, &why);
	else if (r == 0)
		why_nobody(&sign.why, ERROR_UNSUPPORTED, "sign-board", sign.fields.board);
	if (r < 0) {
		*err = why;
		return r;
	}
	r = result_build(&sign, ret_fields);
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the result") : 0;
}
