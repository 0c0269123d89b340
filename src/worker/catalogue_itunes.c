/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Apple's version list, https://s.mzstatic.com/version (reference: firmware.md §1.2):
 *
 *   MobileDeviceSoftwareVersionsByVersion ─ "17" ─ MobileDeviceSoftwareVersions ─ "iPhone14,5"
 *     ├ "Unknown" ─ "Universal" ─ Restore        for a phone that cannot tell what it runs
 *     ├ "23C71" ─ Restore                        for one that runs this build
 *     └ "23B85" ─ SameAs "23C71"                 followed once
 *
 * URLs are http or, for what must be paid for, protected (passed over); hashes SHA-1 in upper case
 * or absent, and no size is told.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/catalogue_parse.h"
#include "worker/property_list.h"
#include <errno.h>
#include <string.h>

static const char host[] = "s.mzstatic.com";

static void iter_freep(plist_dict_iter *iter)
{
	free(*iter);
}

static void key_freep(char **key)
{
	plist_mem_free(*key);
}

/* The products of the list with the highest number that has this one; NULL: none has it. */
static plist_t product_find(plist_t lists, const char *product)
{
	_cleanup_(iter_freep) plist_dict_iter iter = NULL;
	plist_t best = NULL;
	unsigned long best_number = 0;

	plist_dict_new_iter(lists, &iter);
	for (;;) {
		_cleanup_(key_freep) char *key = NULL;
		plist_t list = NULL, found;
		unsigned long number;

		plist_dict_next_item(lists, iter, &key, &list);
		if (!key)
			return best;
		if (plist_get_node_type(list) != PLIST_DICT)
			continue;
		number = strtoul(key, NULL, 10);
		found = property_list_dict(property_list_dict(list, "MobileDeviceSoftwareVersions"),
					   product);
		if (found && (!best || number > best_number)) {
			best = found;
			best_number = number;
		}
	}
}

/* What is offered to a phone that runs this build; NULL: nothing. */
static plist_t restore_of(plist_t builds, plist_t build)
{
	const char *same_as = property_list_text(build, "SameAs");
	plist_t universal = property_list_dict(build, "Universal");

	if (same_as)
		build = property_list_dict(builds, same_as);
	else if (universal)
		build = universal;
	return property_list_dict(build, "Restore");
}

static struct ipsw restore_read(plist_t restore, const char *product)
{
	const char *version = property_list_text(restore, "ProductVersion");
	const char *build = property_list_text(restore, "BuildVersion");
	const char *url = property_list_text(restore, "FirmwareURL");
	const char *sha1 = property_list_text(restore, "FirmwareSHA1");
	struct ipsw entry = {};

	if (!version || !build || !url || strlen(version) >= sizeof(entry.version) ||
	    strlen(build) >= sizeof(entry.build) || ipsw_set_url(&entry, url) < 0)
		return (struct ipsw){};
	if (sha1 && (strlen(sha1) != IPSW_SHA1_BYTES - 1 || ipsw_set_hash(&entry, sha1) < 0))
		return (struct ipsw){};
	text_copy(entry.product, sizeof(entry.product), product);
	text_copy(entry.version, sizeof(entry.version), version);
	text_copy(entry.build, sizeof(entry.build), build);
	return entry;
}

/* What must be paid for has no address that anybody can use: it is not there. */
static bool is_protected(plist_t restore)
{
	const char *url = property_list_text(restore, "FirmwareURL");

	return url && strncmp(url, "protected:", sizeof("protected:") - 1) == 0;
}

static int restore_add(plist_t restore, const char *product, bool is_test,
		       struct catalogue_list *list)
{
	struct ipsw ipsw;

	if (!restore || is_protected(restore))
		return 0;
	ipsw = restore_read(restore, product);
	return catalogue_list_add(list, &ipsw, CATALOGUE_APPLE, is_test);
}

static int builds_read(plist_t builds, const char *product, bool is_test,
		       struct catalogue_list *list)
{
	_cleanup_(iter_freep) plist_dict_iter iter = NULL;

	plist_dict_new_iter(builds, &iter);
	for (;;) {
		_cleanup_(key_freep) char *key = NULL;
		plist_t build = NULL;

		plist_dict_next_item(builds, iter, &key, &build);
		if (!key)
			return 0;
		if (plist_get_node_type(build) == PLIST_DICT &&
		    restore_add(restore_of(builds, build), product, is_test, list) < 0)
			return -ENOMEM;
	}
}

/* What each product of one numbered list is offered if it cannot tell what it runs. */
static int products_read(plist_t products, bool is_test, struct catalogue_list *list)
{
	_cleanup_(iter_freep) plist_dict_iter iter = NULL;

	plist_dict_new_iter(products, &iter);
	for (;;) {
		_cleanup_(key_freep) char *key = NULL;
		plist_t builds = NULL, unknown;

		plist_dict_next_item(products, iter, &key, &builds);
		if (!key)
			return 0;
		if (plist_get_node_type(builds) != PLIST_DICT || !ipsw_product_is_plain(key))
			continue;
		unknown = property_list_dict(builds, "Unknown");
		if (unknown && restore_add(restore_of(builds, unknown), key, is_test, list) < 0)
			return -ENOMEM;
	}
}

static int lists_read(plist_t lists, bool is_test, struct catalogue_list *list)
{
	_cleanup_(iter_freep) plist_dict_iter iter = NULL;

	plist_dict_new_iter(lists, &iter);
	for (;;) {
		_cleanup_(key_freep) char *key = NULL;
		plist_t one = NULL, products = NULL;

		plist_dict_next_item(lists, iter, &key, &one);
		if (!key)
			return 0;
		if (plist_get_node_type(one) == PLIST_DICT)
			products = property_list_dict(one, "MobileDeviceSoftwareVersions");
		if (products && products_read(products, is_test, list) < 0)
			return -ENOMEM;
	}
}

int catalogue_itunes_parse(const char *text, size_t n, const char *product, bool is_test,
			   struct catalogue_list *ret, struct error *err)
{
	_cleanup_(plist_freep) plist_t root = property_list_parse(text, n);
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	plist_t lists, builds;
	int r = 0;

	if (!root)
		return catalogue_no_answer(err, host, "sends no version list");
	lists = property_list_dict(root, "MobileDeviceSoftwareVersionsByVersion");
	if (!lists)
		return catalogue_no_answer(err, host, "sends a version list without versions");
	builds = product ? product_find(lists, product) : NULL;
	if (!product)
		r = lists_read(lists, is_test, &list);
	else if (builds)
		r = builds_read(builds, product, is_test, &list);
	if (r < 0)
		return r;
	*ret = TAKE_STRUCT(list);
	return 0;
}
