/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * GET https://api.appledb.dev/ios/OS;BUILD.json (reference: firmware.md §1.4): one build with all
 * files of all products, the best source of SHA-256.
 *
 *   osStr, version, build, released, beta, rc, internal, deviceMap[], signed (bool or products)
 *   sources[] ─ type "ipsw", deviceMap[], size, hashes{sha1, sha2-256}, prerequisiteBuild
 *              └ links[]{url, active, preferred}
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/catalogue_parse.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char host[] = "api.appledb.dev";

void catalogue_appledb_name(const char *product, const char *build,
			    char ret[static APPLEDB_NAME_BYTES])
{
	enum { FIRST_IPADOS = 17 }; /* builds of version 13 */
	bool is_ipados =
	    strncmp(product, "iPad", 4) == 0 && strtoul(build, NULL, 10) >= FIRST_IPADOS;

	snprintf(ret, APPLEDB_NAME_BYTES, "%s;%s", is_ipados ? "iPadOS" : "iOS", build);
}

/* Anything but "no" counts: a text, say what is beta about it. */
static bool is_marked(sd_json_variant *object, const char *key)
{
	sd_json_variant *value = sd_json_variant_by_key(object, key);

	return value && !sd_json_variant_is_null(value) &&
	       (!sd_json_variant_is_boolean(value) || sd_json_variant_boolean(value));
}

static void said_signed(struct ipsw *ipsw, sd_json_variant *root)
{
	sd_json_variant *value = sd_json_variant_by_key(root, "signed");
	bool is_signed;

	if (sd_json_variant_is_boolean(value))
		is_signed = sd_json_variant_boolean(value);
	else if (sd_json_variant_is_array(value))
		is_signed = catalogue_json_has(root, "signed", ipsw->product);
	else
		return;
	text_copy(ipsw->said_signed, sizeof(ipsw->said_signed), is_signed ? "yes" : "no");
}

/* The preferred one of the links that work, else the first of them. */
static int link_take(struct ipsw *ipsw, sd_json_variant *source)
{
	sd_json_variant *links = sd_json_variant_by_key(source, "links");
	int found = -EINVAL;

	for (size_t i = 0; sd_json_variant_is_array(links) && i < sd_json_variant_elements(links);
	     i++) {
		sd_json_variant *link = sd_json_variant_by_index(links, i);
		bool is_preferred = catalogue_json_true(link, "preferred");

		if (!catalogue_json_true(link, "active") || (found == 0 && !is_preferred))
			continue;
		if (ipsw_set_url(ipsw, catalogue_json_text(link, "url")) < 0)
			continue;
		found = 0;
		if (is_preferred)
			break;
	}
	return found;
}

static bool is_for(sd_json_variant *source, const char *product)
{
	return strcmp(catalogue_json_text(source, "type"), "ipsw") == 0 &&
	       catalogue_json_has(source, "deviceMap", product) &&
	       !is_marked(source, "prerequisiteBuild");
}

/* Fills what is right; what is not stays empty, so that the rules refuse the record. */
static struct ipsw source_read(sd_json_variant *root, sd_json_variant *source, const char *product)
{
	sd_json_variant *hashes = sd_json_variant_by_key(source, "hashes");
	struct ipsw ipsw = { .size = catalogue_json_number(source, "size") };

	if (!catalogue_copy(ipsw.product, sizeof(ipsw.product), product) ||
	    !catalogue_copy(ipsw.version, sizeof(ipsw.version),
			    catalogue_json_text(root, "version")) ||
	    !catalogue_copy(ipsw.build, sizeof(ipsw.build), catalogue_json_text(root, "build")) ||
	    !catalogue_take_hash(&ipsw, catalogue_json_text(hashes, "sha1"), IPSW_SHA1_BYTES - 1) ||
	    !catalogue_take_hash(&ipsw, catalogue_json_text(hashes, "sha2-256"),
				 IPSW_SHA256_BYTES - 1) ||
	    link_take(&ipsw, source) < 0)
		return (struct ipsw){};
	ipsw.released_ms = catalogue_time_ms(catalogue_json_text(root, "released"));
	said_signed(&ipsw, root);
	return ipsw;
}

int catalogue_appledb_parse(const char *text, size_t n, const char *product, const char *build,
			    bool is_test, struct catalogue_list *ret, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *root = catalogue_json(text, n);
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	sd_json_variant *sources = sd_json_variant_by_key(root, "sources");

	if (!root)
		return catalogue_no_answer(err, host, "sends no firmware");
	if (strcmp(catalogue_json_text(root, "build"), build) != 0)
		return catalogue_no_answer(err, host,
					   "answers for another build than was asked for");
	/* not for the people: nothing is what it knows */
	if (is_marked(root, "beta") || is_marked(root, "rc") || is_marked(root, "internal"))
		sources = NULL;
	for (size_t i = 0;
	     sd_json_variant_is_array(sources) && i < sd_json_variant_elements(sources); i++) {
		sd_json_variant *source = sd_json_variant_by_index(sources, i);
		struct ipsw ipsw;

		if (!sd_json_variant_is_object(source) || !is_for(source, product))
			continue;
		ipsw = source_read(root, source, product);
		if (catalogue_list_add(&list, &ipsw, CATALOGUE_APPLEDB, is_test) < 0)
			return -ENOMEM;
	}
	*ret = TAKE_STRUCT(list);
	return 0;
}
