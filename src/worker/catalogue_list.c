/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/catalogue_list.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order in which people are told of them. */
static const struct {
	enum catalogue_source source;
	const char *name;
} source_names[] = {
	{ CATALOGUE_IMAGE, "image" },     { CATALOGUE_REFRESHED, "refreshed" },
	{ CATALOGUE_APPLE, "apple" },     { CATALOGUE_IPSWME, "ipsw.me" },
	{ CATALOGUE_APPLEDB, "appledb" }, { CATALOGUE_GDMF, "gdmf" },
};

const char *catalogue_source_name(enum catalogue_source source)
{
	for (size_t i = 0; i < ARRAY_LEN(source_names); i++)
		if (source_names[i].source == source)
			return source_names[i].name;
	return "";
}

enum catalogue_source catalogue_source_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(source_names); i++)
		if (strcmp(source_names[i].name, name) == 0)
			return source_names[i].source;
	return CATALOGUE_SOURCE_MAX;
}

void catalogue_list_done(struct catalogue_list *list)
{
	free(list->entries);
	*list = (struct catalogue_list){};
}

/* "26.6.1": digits and dots. What is no release has words behind it. */
static bool version_is_plain(const char *version)
{
	return version[0] >= '0' && version[0] <= '9' &&
	       version[strspn(version, "0123456789.")] == '\0';
}

static bool is_acceptable(const struct ipsw *ipsw, bool is_test)
{
	if (!ipsw_build_is_final(ipsw->build) || !version_is_plain(ipsw->version) || !ipsw->url[0])
		return false;
	if (ipsw->size != 0 && !ipsw_size_is_sane(ipsw->size, is_test))
		return false;
	return ipsw->sha1[0] || ipsw->sha256[0];
}

static int list_append(struct catalogue_list *list, const struct catalogue_entry *entry)
{
	struct catalogue_entry *longer;

	longer = reallocarray(list->entries, list->count + 1, sizeof(*longer));
	if (!longer)
		return -ENOMEM;
	list->entries = longer;
	list->entries[list->count++] = *entry;
	return 0;
}

int catalogue_list_add_entry(struct catalogue_list *list, const struct catalogue_entry *entry,
			     bool is_test)
{
	if (list->count == CATALOGUE_ENTRIES_MAX || !is_acceptable(&entry->ipsw, is_test)) {
		list->refused++;
		return 0;
	}
	return list_append(list, entry);
}

int catalogue_list_add(struct catalogue_list *list, const struct ipsw *ipsw,
		       enum catalogue_source from, bool is_test)
{
	unsigned bit = 1U << from;
	const struct catalogue_entry entry = {
		.ipsw = *ipsw,
		.told = bit,
		.sha1_from = ipsw->sha1[0] ? bit : 0,
		.sha256_from = ipsw->sha256[0] ? bit : 0,
	};

	return catalogue_list_add_entry(list, &entry, is_test);
}

/* --- merging */

static bool differ(const char *a, const char *b)
{
	return a[0] && b[0] && strcmp(a, b) != 0;
}

static bool disagree(const struct ipsw *a, const struct ipsw *b)
{
	return b->conflict || differ(a->sha1, b->sha1) || differ(a->sha256, b->sha256) ||
	       (a->size && b->size && a->size != b->size);
}

static void fill(char *dst, size_t dst_bytes, const char *src)
{
	if (!dst[0])
		text_copy(dst, dst_bytes, src);
}

static void entry_merge(struct catalogue_entry *into, const struct catalogue_entry *from)
{
	struct ipsw *a = &into->ipsw;
	const struct ipsw *b = &from->ipsw;

	into->told |= from->told;
	fill(a->said_signed, sizeof(a->said_signed), b->said_signed);
	if (!a->released_ms)
		a->released_ms = b->released_ms;
	if (a->conflict || disagree(a, b)) {
		a->conflict = true;
		return;
	}
	fill(a->sha1, sizeof(a->sha1), b->sha1);
	fill(a->sha256, sizeof(a->sha256), b->sha256);
	if (!a->size)
		a->size = b->size;
	into->sha1_from |= from->sha1_from;
	into->sha256_from |= from->sha256_from;
}

static struct catalogue_entry *entry_find(const struct catalogue_list *list,
					  const struct ipsw *like)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->entries[i].ipsw.build, like->build) == 0 &&
		    strcmp(list->entries[i].ipsw.product, like->product) == 0)
			return &list->entries[i];
	return NULL;
}

int catalogue_list_merge(struct catalogue_list *into, const struct catalogue_list *from)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->count; i++) {
		struct catalogue_entry *known = entry_find(into, &from->entries[i].ipsw);

		if (known)
			entry_merge(known, &from->entries[i]);
		else
			r = list_append(into, &from->entries[i]);
	}
	into->refused += from->refused;
	return r;
}

static bool is_two(unsigned voices)
{
	return __builtin_popcount(voices) > 1;
}

static void entry_finish(struct catalogue_entry *entry)
{
	struct ipsw *ipsw = &entry->ipsw;
	size_t used = 0;

	ipsw->confirmed =
	    !ipsw->conflict && (is_two(entry->sha1_from) || is_two(entry->sha256_from));
	ipsw->sources[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(source_names) && used < sizeof(ipsw->sources); i++)
		if (entry->told & (1U << source_names[i].source))
			used += (size_t)snprintf(ipsw->sources + used, sizeof(ipsw->sources) - used,
						 "%s%s", used ? " " : "", source_names[i].name);
}

static int newest_first(const void *a, const void *b)
{
	const struct catalogue_entry *x = a, *y = b;
	int order = ipsw_build_compare(y->ipsw.build, x->ipsw.build);

	return order ? order : strcmp(x->ipsw.product, y->ipsw.product);
}

void catalogue_list_finish(struct catalogue_list *list)
{
	if (list->count)
		qsort(list->entries, list->count, sizeof(*list->entries), newest_first);
	for (size_t i = 0; i < list->count; i++)
		entry_finish(&list->entries[i]);
}

const struct catalogue_entry *catalogue_list_find(const struct catalogue_list *list,
						  const char *build)
{
	for (size_t i = 0; i < list->count; i++)
		if (!build || strcmp(build, list->entries[i].ipsw.build) == 0)
			return &list->entries[i];
	return NULL;
}
