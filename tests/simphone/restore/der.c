/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "restore/der.h"

#include <string.h>

bool span_is(struct span s, const void *bytes, size_t len)
{
	return s.len == len && (len == 0 || memcmp(s.bytes, bytes, len) == 0);
}

/* One byte off the front. */
static bool byte_take(struct span *from, uint8_t *ret_byte)
{
	if (from->len == 0)
		return false;
	*ret_byte = *from->bytes++;
	from->len--;
	return true;
}

/* The number of a private tag: base 128, no leading zeros, none that would fit the short form. */
static bool number_take(struct span *from, uint32_t *ret_number)
{
	uint32_t number = 0;
	uint8_t digit;

	do {
		if (!byte_take(from, &digit) || number >> 25 || (number == 0 && digit == 0x80))
			return false;
		number = number << 7 | (digit & 0x7f);
	} while (digit & 0x80);
	*ret_number = number;
	return number >= 0x1f;
}

static bool length_take(struct span *from, size_t *ret_len)
{
	uint8_t first, digit;
	size_t len = 0;

	if (!byte_take(from, &first))
		return false;
	if (first < 0x80) {
		*ret_len = first;
		return true;
	}
	if (first == 0x80 || first > 0x84)
		return false;
	for (unsigned i = 0; i < (first & 0x7fu); i++) {
		if (!byte_take(from, &digit) || (i == 0 && digit == 0))
			return false;
		len = len << 8 | digit;
	}
	*ret_len = len;
	return len >= 0x80;
}

bool der_next(struct der *from, struct der_item *ret_item)
{
	struct span rest = from->rest;
	struct der_item item = {};
	size_t len;

	if (!byte_take(&rest, &item.identifier))
		return false;
	if ((item.identifier & 0x1f) == 0x1f &&
	    (item.identifier != DER_PRIVATE || !number_take(&rest, &item.number)))
		return false;
	if (!length_take(&rest, &len) || len > rest.len)
		return false;
	item.content = (struct span){ rest.bytes, len };
	item.whole.bytes = from->rest.bytes;
	item.whole.len = (size_t)(rest.bytes - from->rest.bytes) + len;
	from->rest = (struct span){ rest.bytes + len, rest.len - len };
	*ret_item = item;
	return true;
}

bool der_take(struct der *from, uint8_t identifier, struct span *ret_content)
{
	struct der reader = *from;
	struct der_item item;

	if (!der_next(&reader, &item) || item.identifier != identifier)
		return false;
	*from = reader;
	*ret_content = item.content;
	return true;
}

bool der_take_text(struct der *from, const char *text)
{
	struct der reader = *from;
	struct span content;

	if (!der_take(&reader, DER_IA5, &content) || !span_is(content, text, strlen(text)))
		return false;
	*from = reader;
	return true;
}

bool der_take_member(struct der *from, char ret_name[5], struct der_item *ret_value)
{
	struct der reader = *from;
	struct der_item item, value;
	struct der inner;
	struct span name;
	uint32_t number = 0;

	if (!der_next(&reader, &item) || item.identifier != DER_PRIVATE)
		return false;
	inner.rest = item.content;
	if (!der_take(&inner, DER_SEQUENCE, &name) || inner.rest.len != 0)
		return false;
	inner.rest = name;
	if (!der_take(&inner, DER_IA5, &name) || name.len == 0 || name.len > 4)
		return false;
	for (size_t i = 0; i < name.len; i++)
		number = number << 8 | name.bytes[i];
	if (number != item.number || !der_next(&inner, &value) || inner.rest.len != 0)
		return false;
	memset(ret_name, 0, 5);
	memcpy(ret_name, name.bytes, name.len);
	*ret_value = value;
	*from = reader;
	return true;
}

bool der_number(const struct der_item *item, uint64_t *ret_number)
{
	struct span s = item->content;
	uint64_t number = 0;

	if (item->identifier != DER_INTEGER || s.len == 0 || s.bytes[0] & 0x80)
		return false;
	if (s.len > 1 && s.bytes[0] == 0 && !(s.bytes[1] & 0x80))
		return false;
	if (s.len > 9 || (s.len == 9 && s.bytes[0] != 0))
		return false;
	for (size_t i = 0; i < s.len; i++)
		number = number << 8 | s.bytes[i];
	*ret_number = number;
	return true;
}

bool der_truth(const struct der_item *item, bool *ret_truth)
{
	struct span s = item->content;

	if (item->identifier != DER_BOOLEAN || s.len != 1 ||
	    (s.bytes[0] != 0 && s.bytes[0] != 0xff))
		return false;
	*ret_truth = s.bytes[0] != 0;
	return true;
}

bool der_octets(const struct der_item *item, struct span *ret_bytes)
{
	if (item->identifier != DER_OCTETS)
		return false;
	*ret_bytes = item->content;
	return true;
}
