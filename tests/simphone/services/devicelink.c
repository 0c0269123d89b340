/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "services/devicelink.h"

#include <string.h>

#include "plist_stream.h"
#include "text.h"

enum {
	BLOCK_BYTES = 32768,
	FRAME_MAX = 8 * 1024 * 1024, /* of what hosts send */
	CODE_END = 0x00,
	CODE_DATA = 0x0c,
	CODE_REMOTE_ERROR = 0x0b,
};

void devicelink_done(struct devicelink *d)
{
	buf_done(&d->in);
	buf_done(&d->content);
}

void devicelink_close(struct devicelink *d)
{
	if (d->closing)
		return;
	d->closing = true;
	d->service.stream.close(d->service.stream.user);
}

plist_t devicelink_list(const char *name)
{
	plist_t list = plist_new_array();

	plist_array_append_item(list, plist_new_string(name));
	return list;
}

/* ---- out ---- */

static void put(struct devicelink *d, const void *bytes, size_t len)
{
	d->service.stream.send(d->service.stream.user, bytes, len);
}

static void frame_put(struct devicelink *d, const void *bytes, size_t len)
{
	uint8_t prefix[4];

	put_be32(prefix, (uint32_t)len);
	put(d, prefix, sizeof(prefix));
	if (len > 0)
		put(d, bytes, len);
}

/* The name of an array, or what is inside of it: "DLMessageUploadFiles", "Response", "Backup". */
static const char *name_of(plist_t list)
{
	plist_t first = plist_array_get_item(list, 0), second = plist_array_get_item(list, 1);
	const char *inner = nullptr;

	if (!first || plist_get_node_type(first) != PLIST_STRING)
		return nullptr;
	if (second && plist_get_node_type(second) == PLIST_DICT &&
	    !strcmp(plist_get_string_ptr(first, nullptr), "DLMessageProcessMessage"))
		inner = plist_text(second, "MessageName");
	return inner ? inner : plist_get_string_ptr(first, nullptr);
}

/* How many of @len bytes go out; @garbage: made so. Closes after a cut. */
static bool tap_sent(struct devicelink *d, const char *name, size_t *len, void *garbage)
{
	struct tap *tap = d->service.stream.tap;

	if (d->closing)
		return false;
	switch (tap_message(tap, FAULT_SENT, name)) {
	case TAP_PASS:
	case TAP_ERROR:
		return true;
	case TAP_DROP:
		return false;
	case TAP_GARBAGE:
		fault_garbage(&d->phone->faults, garbage, *len);
		return true;
	case TAP_CUT:
		*len /= 2;
		return true;
	}
	return true;
}

void devicelink_send(struct devicelink *d, plist_t list)
{
	char *bytes = nullptr;
	uint32_t whole = 0;
	uint8_t prefix[4];
	size_t len;

	plist_to_bin(list, &bytes, &whole);
	len = whole;
	if (tap_sent(d, name_of(list), &len, bytes)) {
		put_be32(prefix, whole);
		put(d, prefix, sizeof(prefix));
		put(d, bytes, len);
		if (len < whole)
			devicelink_close(d);
	}
	plist_mem_free(bytes);
	plist_free(list);
}

void devicelink_send_file(struct devicelink *d, const char *name, const char *path,
			  const void *bytes, size_t len, const char *error)
{
	size_t left = len;
	BUF_AUTO copy = {};
	BUF_AUTO frame = {};

	buf_add(&copy, bytes, len);
	if (!tap_sent(d, "file", &left, copy.bytes))
		return;
	frame_put(d, name, strlen(name));
	frame_put(d, path, strlen(path));
	for (size_t at = 0; at < left;) {
		size_t block = left - at < BLOCK_BYTES ? left - at : BLOCK_BYTES;

		buf_clear(&frame);
		buf_add(&frame, (const uint8_t[]){ CODE_DATA }, 1);
		buf_add(&frame, copy.bytes + at, block);
		frame_put(d, frame.bytes, frame.len);
		at += block;
	}
	if (left < len) {
		devicelink_close(d);
		return;
	}
	buf_clear(&frame);
	buf_add(&frame, (const uint8_t[]){ error ? CODE_REMOTE_ERROR : CODE_END }, 1);
	buf_add_text(&frame, error ? error : "");
	frame_put(d, frame.bytes, frame.len);
}

void devicelink_end_files(struct devicelink *d)
{
	if (!d->closing)
		frame_put(d, nullptr, 0);
}

void devicelink_expect_files(struct devicelink *d)
{
	d->state = DEVICELINK_PATH;
}

/* ---- in ---- */

static void list_take(struct devicelink *d, const uint8_t *bytes, uint32_t len)
{
	plist_t list = nullptr;
	const char *name;

	plist_from_memory((const char *)bytes, len, &list, nullptr);
	if (list && plist_get_node_type(list) == PLIST_ARRAY) {
		plist_t clean = plist_washed(list);

		plist_free(list);
		list = clean;
	}
	name = list && plist_get_node_type(list) == PLIST_ARRAY ? name_of(list) : nullptr;
	if (!name) {
		devicelink_close(d);
		plist_free(list);
		return;
	}
	switch (tap_message(d->service.stream.tap, FAULT_GOT, name)) {
	case TAP_PASS:
		d->take(d, plist_get_string_ptr(plist_array_get_item(list, 0), nullptr), list);
		break;
	case TAP_DROP:
		break;
	case TAP_ERROR:
	case TAP_CUT:
	case TAP_GARBAGE:
		devicelink_close(d);
		break;
	}
	plist_free(list);
}

static void path_take(struct devicelink *d, const uint8_t *bytes, uint32_t len)
{
	if (len == 0) {
		d->state = DEVICELINK_LISTS;
		return;
	}
	if (len > DEVICELINK_PATH_MAX) {
		devicelink_close(d);
		return;
	}
	memcpy(d->path, bytes, len);
	d->path[len] = '\0';
	buf_clear(&d->content);
	d->state = DEVICELINK_BLOCKS;
}

static void block_take(struct devicelink *d, const uint8_t *bytes, uint32_t len)
{
	if (len == 0) { /* a stream that ends inside of a file */
		devicelink_close(d);
		return;
	}
	if (bytes[0] == CODE_DATA) {
		if (d->content.len + len > FILES_BYTES_MAX)
			devicelink_close(d);
		else
			buf_add(&d->content, bytes + 1, len - 1);
		return;
	}
	d->state = DEVICELINK_PATH;
	if (tap_message(d->service.stream.tap, FAULT_GOT, "file") == TAP_PASS)
		d->file(d, d->path, &d->content, bytes[0] == CODE_END);
	buf_clear(&d->content);
}

static void frame_take(struct devicelink *d, const uint8_t *bytes, uint32_t len)
{
	switch (d->state) {
	case DEVICELINK_LISTS:
		list_take(d, bytes, len);
		return;
	case DEVICELINK_PATH:
		path_take(d, bytes, len);
		return;
	case DEVICELINK_BLOCKS:
		block_take(d, bytes, len);
		return;
	}
}

void devicelink_feed(struct service *service, const uint8_t *bytes, size_t len)
{
	struct devicelink *d = (struct devicelink *)service;

	if (d->closing)
		return;
	buf_add(&d->in, bytes, len);
	while (d->in.len >= 4 && !d->closing) {
		uint32_t frame = get_be32(d->in.bytes);

		if (frame > FRAME_MAX) {
			devicelink_close(d);
			return;
		}
		if (d->in.len < 4 + (size_t)frame)
			return;
		frame_take(d, d->in.bytes + 4, frame);
		buf_drop(&d->in, 4 + (size_t)frame);
	}
}
