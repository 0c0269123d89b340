/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/property_list_guard.h"
#include <stdint.h>
#include <string.h>

/* --- XML */

/* A second's work. */
static const uint64_t MOVED_BYTES_MAX = 4ULL << 30;

struct text {
	const char *at, *end;
};

static size_t left(const struct text *text)
{
	return (size_t)(text->end - text->at);
}

static bool begins(const struct text *text, const char *word)
{
	return left(text) >= strlen(word) && memcmp(text->at, word, strlen(word)) == 0;
}

/* Behind the word; to the end if it does not come, where the parser ends, too. */
static void skip_to(struct text *text, const char *word)
{
	const char *found = memmem(text->at, left(text), word, strlen(word));

	text->at = found ? found + strlen(word) : text->end;
}

/* Behind the next '>'. */
static void skip_tag(struct text *text)
{
	const char *found = memchr(text->at, '>', left(text));

	text->at = found ? found + 1 : text->end;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Declarations of entities are what an inner definition is for; libplist only skips them. A '<'
 * inside would let this reader and that one disagree about where a comment begins. */
static bool declaration_skip(struct text *text)
{
	const char *from = text->at + 1;

	skip_tag(text);
	return !memchr(from, '[', (size_t)(text->at - from)) &&
	       !memchr(from, '<', (size_t)(text->at - from));
}

/* A tag at '<'. Only the list itself and the declarations have attributes. */
static bool tag_skip(struct text *text, int *depth)
{
	const char *from = text->at + 1;
	bool is_plist = begins(text, "<plist"), is_end = begins(text, "</");
	bool is_empty;

	skip_tag(text);
	if (memchr(from, '<', (size_t)(text->at - from)))
		return false;
	if (!is_plist && (memchr(from, '"', (size_t)(text->at - from)) ||
			  memchr(from, '\'', (size_t)(text->at - from))))
		return false;
	is_empty = text->at - from >= 2 && text->at[-2] == '/';
	if (is_end)
		--*depth;
	else if (!is_empty && from < text->end && is_letter(*from))
		++*depth;
	return *depth <= PROPERTY_LIST_DEPTH_MAX;
}

/* libplist moves the rest of a text up for each entity in it; cost: of all texts so far. */
static bool text_is_tame(const char *from, const char *to, uint64_t *cost)
{
	uint64_t entities = 0;

	for (const char *at = from; (at = memchr(at, '&', (size_t)(to - at))); at++)
		entities++;
	*cost += entities * (uint64_t)(to - from);
	return *cost <= MOVED_BYTES_MAX;
}

bool property_list_xml_is_tame(const char *bytes, size_t n)
{
	struct text text = { bytes, bytes + n };
	const char *last = memrchr(bytes, '>', n);
	uint64_t cost = 0;
	int depth = 0;

	/* libplist asserts that keys have no NUL */
	if (last && memchr(bytes, '\0', (size_t)(last - bytes)))
		return false;
	for (size_t tags = 0; tags < 2 * (size_t)PROPERTY_LIST_NODES_MAX; tags++) {
		const char *next = memchr(text.at, '<', left(&text));

		if (!next)
			return true;
		if (!text_is_tame(text.at, next, &cost))
			return false;
		text.at = next;
		if (begins(&text, "<!--"))
			skip_to(&text, "-->");
		else if (begins(&text, "<![CDATA["))
			skip_to(&text, "]]>");
		else if (begins(&text, "<?") || begins(&text, "<!")) {
			if (!declaration_skip(&text))
				return false;
		} else if (!tag_skip(&text, &depth)) {
			return false;
		}
	}
	return false;
}

/* --- binary: a table of objects that name each other by number, so one may stand for many */

enum {
	TRAILER_BYTES = 32,
	KIND_INT = 0x1,
	KIND_DATA = 0x4,
	KIND_TEXT = 0x5,
	KIND_TEXT_16 = 0x6,
	KIND_ARRAY = 0xa,
	KIND_SET = 0xc,
	KIND_DICT = 0xd,
	COUNT_FOLLOWS = 0xf,
};

struct table {
	const uint8_t *bytes;
	size_t n;
	size_t offset_bytes, number_bytes; /* width of a place, of an object's number */
	uint64_t objects, place;           /* how many; where their places stand */
	size_t nodes, content; /* nodes and bytes of texts so far, as often as they are named */
};

static uint64_t number_at(const uint8_t *at, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | at[i];
	return value;
}

/* Where the object stands; false if it is none. */
static bool object_find(const struct table *table, uint64_t object, uint64_t *ret)
{
	if (object >= table->objects)
		return false;
	*ret = number_at(table->bytes + table->place + object * table->offset_bytes,
			 table->offset_bytes);
	return *ret < table->n;
}

/* How many bytes, characters or numbers follow the mark at *at, which is moved to them. */
static bool count_read(const struct table *table, uint64_t *at, uint64_t *ret)
{
	size_t width;

	*ret = table->bytes[(*at)++] & 0xf;
	if (*ret != COUNT_FOLLOWS)
		return true;
	if (*at >= table->n || table->bytes[*at] >> 4 != KIND_INT)
		return false;
	width = (size_t)1 << (table->bytes[(*at)++] & 0xf);
	if (width > sizeof(uint64_t) || table->n - *at < width)
		return false;
	*ret = number_at(table->bytes + *at, width);
	*at += width;
	return *ret <= table->n;
}

/* libplist asserts that keys have no NUL. True for data, which is none. */
static bool text_has_no_nul(const struct table *table, uint8_t kind, uint64_t at, uint64_t count)
{
	size_t width = kind == KIND_TEXT_16 ? 2 : 1;

	if (kind == KIND_DATA)
		return true;
	if ((table->n - at) / width < count)
		return false;
	for (uint64_t i = 0; i < count; i++)
		if (number_at(table->bytes + at + i * width, width) == 0)
			return false;
	return true;
}

static bool object_is_tame(struct table *table, uint64_t object, int depth);

/* NOLINTNEXTLINE(misc-no-recursion) */
static bool members_are_tame(struct table *table, uint64_t at, uint64_t count, int depth)
{
	if ((table->n - at) / table->number_bytes < count)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *number = table->bytes + at + i * table->number_bytes;

		if (!object_is_tame(table, number_at(number, table->number_bytes), depth + 1))
			return false;
	}
	return true;
}

/* Recurses PROPERTY_LIST_DEPTH_MAX times at most. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static bool object_is_tame(struct table *table, uint64_t object, int depth)
{
	uint64_t at, count;
	uint8_t kind;

	if (depth > PROPERTY_LIST_DEPTH_MAX || ++table->nodes > PROPERTY_LIST_NODES_MAX ||
	    !object_find(table, object, &at))
		return false;
	kind = table->bytes[at] >> 4;
	if (kind < KIND_DATA || (kind > KIND_TEXT_16 && kind < KIND_ARRAY))
		return true; /* of a few bytes */
	if (!count_read(table, &at, &count))
		return false;
	if (kind == KIND_ARRAY || kind == KIND_SET)
		return members_are_tame(table, at, count, depth);
	if (kind == KIND_DICT)
		return members_are_tame(table, at, 2 * count, depth);
	table->content += kind == KIND_TEXT_16 ? 4 * count : count;
	return table->content <= PROPERTY_LIST_CONTENT_MAX &&
	       text_has_no_nul(table, kind, at, count);
}

bool property_list_binary_is_tame(const char *bytes, size_t n)
{
	struct table table = { .bytes = (const uint8_t *)bytes, .n = n };
	const uint8_t *trailer;

	if (n < TRAILER_BYTES)
		return false;
	trailer = table.bytes + n - TRAILER_BYTES;
	table.offset_bytes = trailer[6];
	table.number_bytes = trailer[7];
	table.objects = number_at(trailer + 8, sizeof(uint64_t));
	table.place = number_at(trailer + 24, sizeof(uint64_t));
	if (table.offset_bytes == 0 || table.offset_bytes > sizeof(uint64_t) ||
	    table.number_bytes == 0 || table.number_bytes > sizeof(uint64_t) || table.place > n ||
	    (n - table.place) / table.offset_bytes < table.objects)
		return false;
	return object_is_tame(&table, number_at(trailer + 16, sizeof(uint64_t)), 0);
}
