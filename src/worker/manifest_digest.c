/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/manifest_digest.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <errno.h>
#include <string.h>

enum { SHA1_BYTES = 20, SHA256_BYTES = 32, SHA384_BYTES = 48, TYPE_BYTES = 4 };

/* More than all identities of any real manifest name together. */
static const size_t DIGESTS_MAX = 20000;

struct list {
	struct manifest_digest *items; /* owned */
	size_t count, room;
};

static bool is_true(plist_t dict, const char *key)
{
	plist_t node = dict ? plist_dict_get_item(dict, key) : NULL;
	uint8_t value = 0;

	if (!node || plist_get_node_type(node) != PLIST_BOOLEAN)
		return false;
	plist_get_bool_val(node, &value);
	return value != 0;
}

static bool begins(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0;
}

static bool ends(const char *text, const char *word)
{
	size_t n = strlen(text), m = strlen(word);

	return n >= m && strcmp(text + n - m, word) == 0;
}

/* Names with a comma are of other chips, but those of the phone's own; the Savage's were seen. */
static bool is_foreign(const char *component)
{
	return strchr(component, ',') && !begins(component, "Ap,") && !begins(component, "Savage,");
}

static const uint8_t *digest_of(plist_t entry, size_t *ret_bytes)
{
	plist_t node = plist_dict_get_item(entry, "Digest");
	uint64_t n = 0;
	const char *bytes;

	if (!node || plist_get_node_type(node) != PLIST_DATA)
		return NULL;
	bytes = plist_get_data_ptr(node, &n);
	*ret_bytes = (size_t)n;
	return n == SHA1_BYTES || n == SHA256_BYTES || n == SHA384_BYTES ? (const uint8_t *)bytes
									 : NULL;
}

/* False for an entry without a file. */
static bool entry_read(const char *component, plist_t entry, bool is_img3,
		       struct manifest_digest *ret)
{
	plist_t info = property_list_dict(entry, "Info");
	const char *type = property_list_text(info, "Img4PayloadType");
	struct manifest_digest digest = {
		.path = property_list_text(info, "Path"),
		.type = type,
		.is_foreign = is_foreign(component),
	};

	if (!digest.path || digest.path[0] == '\0' || strlen(digest.path) >= MANIFEST_PATH_BYTES)
		return false;
	text_copy(digest.component, sizeof(digest.component), component);
	digest.digest = digest_of(entry, &digest.bytes);
	if (is_img3 || plist_dict_get_item(info, "HashMethod") || is_true(info, "IsFTAB") ||
	    begins(component, "SE,") || begins(component, "eUICC,") ||
	    (type && strlen(type) != TYPE_BYTES))
		digest.digest = NULL;
	if (!digest.digest) {
		digest.bytes = 0;
		digest.type = NULL;
	}
	*ret = digest;
	return true;
}

/* The files of A6 and before, whose digests cover the part that is signed. */
static bool identity_is_img3(plist_t components)
{
	_cleanup_free_ plist_dict_iter iter = NULL;
	plist_t entry = NULL;
	const char *path;

	plist_dict_new_iter(components, &iter);
	do {
		entry = NULL;
		plist_dict_next_item(components, iter, NULL, &entry);
		path = entry ? property_list_text(property_list_dict(entry, "Info"), "Path") : NULL;
		if (path && ends(path, ".img3"))
			return true;
	} while (entry);
	return false;
}

static int list_add(struct list *list, const struct manifest_digest *item)
{
	if (list->count >= DIGESTS_MAX)
		return -E2BIG;
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 256;
		struct manifest_digest *items;

		items = reallocarray(list->items, room, sizeof(*items));
		if (!items)
			return -ENOMEM;
		list->items = items;
		list->room = room;
	}
	list->items[list->count++] = *item;
	return 0;
}

static int identity_add(plist_t identity, struct list *list)
{
	plist_t components = property_list_dict(identity, "Manifest");
	_cleanup_free_ plist_dict_iter iter = NULL;
	bool is_img3;
	int r = 0;

	if (!components)
		return 0;
	is_img3 = identity_is_img3(components);
	plist_dict_new_iter(components, &iter);
	for (;;) {
		_cleanup_free_ char *name = NULL;
		struct manifest_digest item;
		plist_t entry = NULL;

		plist_dict_next_item(components, iter, &name, &entry);
		if (!entry || r < 0)
			return r;
		if (name && plist_get_node_type(entry) == PLIST_DICT &&
		    entry_read(name, entry, is_img3, &item))
			r = list_add(list, &item);
	}
}

static int text_order(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* By path first; then so that equal ones are neighbours. */
static int digest_order(const void *a, const void *b)
{
	const struct manifest_digest *left = a, *right = b;
	int order = strcmp(left->path, right->path);

	if (order == 0)
		order = text_order(left->type, right->type);
	if (order == 0 && left->bytes != right->bytes)
		order = left->bytes < right->bytes ? -1 : 1;
	if (order == 0 && left->digest)
		order = memcmp(left->digest, right->digest, left->bytes);
	return order ? order : (int)left->is_foreign - (int)right->is_foreign;
}

static size_t unique(struct manifest_digest *items, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (kept == 0 || digest_order(&items[kept - 1], &items[i]) != 0)
			items[kept++] = items[i];
	return kept;
}

int manifest_digests(const struct manifest *manifest, const char *board,
		     struct manifest_digest **ret, size_t *ret_count, struct error *err)
{
	plist_t identities = manifest_identities(manifest);
	struct list list = {};
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < plist_array_get_size(identities); i++) {
		plist_t identity = plist_array_get_item(identities, i);

		if (plist_get_node_type(identity) == PLIST_DICT &&
		    !manifest_is_research(identity) &&
		    (!board || manifest_is_for_board(identity, board)))
			r = identity_add(identity, &list);
	}
	if (r < 0) {
		free(list.items);
		if (r == -ENOMEM)
			return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "A manifest");
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "BuildManifest.plist names more parts than any real one. Do not "
				 "use it");
	}
	if (list.count > 0)
		qsort(list.items, list.count, sizeof(*list.items), digest_order);
	*ret_count = unique(list.items, list.count);
	*ret = list.items;
	return 0;
}
