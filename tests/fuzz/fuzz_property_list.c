/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A foreign property list, as Restore.plist: what is parsed is no deeper and no larger than the
 * look before it promises. */
#include "worker/property_list.h"
#include "worker/property_list_guard.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
	size_t nodes, content;
};

static void walk(plist_t node, int depth, struct sum *sum);

static void walk_dict(plist_t node, int depth, struct sum *sum)
{
	plist_dict_iter iter = NULL;

	plist_dict_new_iter(node, &iter);
	for (;;) {
		plist_t item = NULL;
		char *key = NULL;

		plist_dict_next_item(node, iter, &key, &item);
		sum->content += key ? strlen(key) : 0;
		free(key);
		if (!item)
			break;
		walk(item, depth + 1, sum);
	}
	free(iter);
}

static void walk(plist_t node, int depth, struct sum *sum)
{
	uint64_t n = 0;

	sum->nodes++;
	if (depth > PROPERTY_LIST_DEPTH_MAX || sum->nodes > PROPERTY_LIST_NODES_MAX * 2UL)
		abort();
	switch (plist_get_node_type(node)) {
	case PLIST_DICT:
		walk_dict(node, depth, sum);
		break;
	case PLIST_ARRAY:
		for (uint32_t i = 0; i < plist_array_get_size(node); i++)
			walk(plist_array_get_item(node, i), depth + 1, sum);
		break;
	case PLIST_STRING:
		(void)plist_get_string_ptr(node, &n);
		break;
	case PLIST_DATA:
		(void)plist_get_data_ptr(node, &n);
		break;
	default:
		break;
	}
	sum->content += n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size); /* nothing behind it: a record of usbmuxd has no NUL there */
	struct sum sum = {};
	plist_t list;

	memcpy(text, data, size);
	list = property_list_parse(text, size);
	if (list) {
		walk(list, 0, &sum);
		if (sum.content > size + PROPERTY_LIST_CONTENT_MAX)
			abort();
		(void)property_list_text(list, "ProductBuildVersion");
		(void)property_list_array(list, "SupportedProductTypes");
	}
	plist_free(list);
	free(text);
	return 0;
}
