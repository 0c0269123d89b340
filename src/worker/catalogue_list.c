/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/catalogue_list.h"
#include "base/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void catalogue_list_done(struct catalogue_list *list)
{
	free(list->entries);
	*list = (struct catalogue_list){};
}

static bool is_acceptable(const struct ipsw *entry, bool is_test)
{
	if (!ipsw_build_is_final(entry->build) || entry->version[0] == '\0' || !entry->url[0])
		return false;
	if (entry->size != 0 && !ipsw_size_is_sane(entry->size, is_test))
		return false;
	return entry->sha1[0] || entry->sha256[0];
}

int catalogue_list_add(struct catalogue_list *list, const struct ipsw *entry, bool is_test)
{
	struct ipsw *longer;

	if (list->count == CATALOGUE_ENTRIES_MAX || !is_acceptable(entry, is_test)) {
		list->refused++;
		return 0;
	}
	longer = reallocarray(list->entries, list->count + 1, sizeof(*longer));
	if (!longer)
		return -ENOMEM;
	list->entries = longer;
	list->entries[list->count++] = *entry;
	return 0;
}

/* The newest entry, or the one of this build. NULL if there is none. */
static const struct ipsw *list_find(const struct catalogue_list *list, const char *build)
{
	const struct ipsw *best = NULL;

	for (size_t i = 0; i < list->count; i++) {
		const struct ipsw *entry = &list->entries[i];

		if (build && strcmp(build, entry->build) != 0)
			continue;
		if (!best || ipsw_build_compare(entry->build, best->build) > 0)
			best = entry;
	}
	return best;
}

static bool differ(const char *a, const char *b)
{
	return a[0] && b[0] && strcmp(a, b) != 0;
}

static bool entries_disagree(const struct ipsw *a, const struct ipsw *b)
{
	return differ(a->sha1, b->sha1) || differ(a->sha256, b->sha256) ||
	       (a->size && b->size && a->size != b->size);
}

/* Every entry of this build in list against entry, whose gaps they fill. */
static int list_compare(const struct catalogue_list *list, struct ipsw *entry, struct error *err)
{
	for (size_t i = 0; list->entries && i < list->count; i++) {
		const struct ipsw *other = &list->entries[i];

		if (strcmp(other->build, entry->build) != 0)
			continue;
		if (entries_disagree(other, entry))
			return error_set(err, ERROR_PROTOCOL, "worker", 0,
					 "The sources disagree about build %s: they tell different "
					 "checksums or sizes of its file. Nothing was downloaded; "
					 "try again later",
					 entry->build);
		if (!entry->sha1[0])
			text_copy(entry->sha1, sizeof(entry->sha1), other->sha1);
		if (!entry->sha256[0])
			text_copy(entry->sha256, sizeof(entry->sha256), other->sha256);
		if (!entry->size)
			entry->size = other->size;
	}
	return 0;
}

int catalogue_choose(const struct catalogue_list *a, const struct catalogue_list *b,
		     const char *build, struct ipsw *ret, struct error *err)
{
	const struct ipsw *x = list_find(a, build), *y = list_find(b, build);
	struct ipsw chosen = {};
	int r;

	if (!x && !y)
		return 0;
	chosen = !x || (y && ipsw_build_compare(y->build, x->build) > 0) ? *y : *x;
	r = list_compare(a, &chosen, err);
	if (r == 0)
		r = list_compare(b, &chosen, err);
	if (r < 0)
		return r;
	*ret = chosen;
	return 1;
}
