/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A look at a foreign property list before libplist parses it. Not parsed is what is nested so deep
 * that freeing it overflows the stack, unpacks to more nodes than memory has, would take the parser
 * minutes, or has a NUL in a text. The largest real list (BuildManifest.plist of 26.2.1) has 9
 * levels and 59000 tags.
 */
#include <stdbool.h>
#include <stddef.h>

enum {
	PROPERTY_LIST_DEPTH_MAX = 48,
	PROPERTY_LIST_NODES_MAX = 400000,
	PROPERTY_LIST_CONTENT_MAX = 32 * 1024 * 1024, /* bytes of texts and data, unpacked */
};

/* False for a list that is nested deeper or has more nodes than any real one, or brings
 * definitions of its own; of a binary one also if it makes no sense. */
bool property_list_xml_is_tame(const char *bytes, size_t n);
bool property_list_binary_is_tame(const char *bytes, size_t n);
