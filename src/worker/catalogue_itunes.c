/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Apple's version list, https://s.mzstatic.com/version (reference: firmware.md §1.2):
 *
 *   MobileDeviceSoftwareVersionsByVersion ─ "17" ─ MobileDeviceSoftwareVersions ─ "iPhone14,5"
 *     ├ "Unknown" ─ "Universal" ─ Restore        for a phone that cannot tell what it runs
 *     ├ "23C71" ─ Restore                        for one that runs this build
 *     └ "23B85" ─ SameAs "23C71"                 followed once
 *
 * URLs are http, hashes SHA-1 in upper case or absent, and no size is told.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/catalogue_list.h"
#include "worker/property_list.h"
#include <errno.h>
#include <string.h>

static int no_answer(struct error *err, const char *what)
{
	(void)error_set(err, ERROR_PROTOCOL, "s.mzstatic.com", 0, "s.mzstatic.com %s", what);
	return -EBADMSG;
}

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

static int builds_read(plist_t builds, const char *product, bool is_test,
		       struct catalogue_list *list)
{
	_cleanup_(iter_freep) plist_dict_iter iter = NULL;

	plist_dict_new_iter(builds, &iter);
	for (;;) {
		_cleanup_(key_freep) char *key = NULL;
		plist_t build = NULL, restore = NULL;
		struct ipsw entry;

		plist_dict_next_item(builds, iter, &key, &build);
		if (!key)
			return 0;
		if (plist_get_node_type(build) == PLIST_DICT)
			restore = restore_of(builds, build);
		if (!restore)
			continue;
		entry = restore_read(restore, product);
		if (catalogue_list_add(list, &entry, is_test) < 0)
			return -ENOMEM;
	}
}

int catalogue_itunes_parse(const char *text, size_t n, const char *product, bool is_test,
			   struct catalogue_list *ret, struct error *err)
{
	_cleanup_(plist_freep) plist_t root = property_list_parse(text, n);
	_cleanup_(catalogue_list_done) struct catalogue_list list = {};
	plist_t lists, builds;

	if (!root)
		return no_answer(err, "sends no version list");
	lists = property_list_dict(root, "MobileDeviceSoftwareVersionsByVersion");
	if (!lists)
		return no_answer(err, "sends a version list without versions");
	builds = product_find(lists, product);
	if (builds && builds_read(builds, product, is_test, &list) < 0)
		return -ENOMEM;
	*ret = TAKE_STRUCT(list);
	return 0;
}
