/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/property_list.h"
#include "base/cleanup.h"
#include "worker/property_list_guard.h"
#include <stdint.h>
#include <string.h>

static const char binary_magic[] = "bplist00";

/* What an XML document may begin with: libplist would take JSON and older forms as well. */
static bool is_xml(const char *bytes, size_t n)
{
	while (n > 0 && strchr(" \t\r\n", *bytes)) {
		bytes++;
		n--;
	}
	return n > 5 && (strncmp(bytes, "<?xml", 5) == 0 || strncmp(bytes, "<plis", 5) == 0 ||
			 strncmp(bytes, "<!DOC", 5) == 0);
}

static bool is_binary(const char *bytes, size_t n)
{
	return n > sizeof(binary_magic) &&
	       memcmp(bytes, binary_magic, sizeof(binary_magic) - 1) == 0;
}

bool property_list_is_tame(const char *bytes, size_t n)
{
	return is_binary(bytes, n) ? property_list_binary_is_tame(bytes, n)
				   : property_list_xml_is_tame(bytes, n);
}

plist_t property_list_parse(const char *bytes, size_t n)
{
	_cleanup_(plist_freep) plist_t list = NULL;

	if (n > UINT32_MAX || !property_list_is_tame(bytes, n))
		return NULL;
	if (is_binary(bytes, n))
		(void)plist_from_bin(bytes, (uint32_t)n, &list);
	else if (is_xml(bytes, n))
		(void)plist_from_xml(bytes, (uint32_t)n, &list);
	if (!list || plist_get_node_type(list) != PLIST_DICT)
		return NULL;
	return TAKE(list);
}

static plist_t member(plist_t dict, const char *key, plist_type type)
{
	plist_t node = dict ? plist_dict_get_item(dict, key) : NULL;

	return node && plist_get_node_type(node) == type ? node : NULL;
}

plist_t property_list_dict(plist_t dict, const char *key)
{
	return member(dict, key, PLIST_DICT);
}

plist_t property_list_array(plist_t dict, const char *key)
{
	return member(dict, key, PLIST_ARRAY);
}

const char *property_list_text(plist_t dict, const char *key)
{
	plist_t node = member(dict, key, PLIST_STRING);

	return node ? plist_get_string_ptr(node, NULL) : NULL;
}
