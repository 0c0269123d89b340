/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/value.h"

bool value_is_dict(plist_t node)
{
	return node && plist_get_node_type(node) == PLIST_DICT;
}

const char *value_text(plist_t dict, const char *key)
{
	plist_t node = plist_dict_get_item(dict, key);

	if (!node || plist_get_node_type(node) != PLIST_STRING)
		return NULL;
	return plist_get_string_ptr(node, NULL);
}

bool value_whole(plist_t dict, const char *key, uint64_t *ret)
{
	plist_t node = plist_dict_get_item(dict, key);

	if (!node || plist_get_node_type(node) != PLIST_INT || plist_int_val_is_negative(node))
		return false;
	plist_get_uint_val(node, ret);
	return true;
}

uint64_t value_number(plist_t dict, const char *key)
{
	uint64_t value = 0;

	return value_whole(dict, key, &value) ? value : 0;
}

bool value_bool(plist_t dict, const char *key, bool *ret)
{
	plist_t node = plist_dict_get_item(dict, key);
	uint8_t value = 0;

	if (!node || plist_get_node_type(node) != PLIST_BOOLEAN)
		return false;
	plist_get_bool_val(node, &value);
	*ret = value != 0;
	return true;
}
