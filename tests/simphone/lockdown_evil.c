/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lockdown_evil.h"

#include <stdlib.h>
#include <string.h>

#include "pair_record.h"
#include "text.h"

enum {
	LONG_BYTES = 70000,
	HUGE_BYTES = 1000000,
	NAME_BYTES_MAX = 1024 * 1024,
	PROMISED_BYTES = 16 * 1024 * 1024 - 1, /* the most that hosts believe is less than 16 MiB */
	DEEP_LEVELS = 20000,
	DRIP_MS = 20,
	NUMBER_FOR_TEXT = 7,
};

/* ---- raw frames ---- */

static void frame_send(struct lockdown *l, uint32_t announced, const void *bytes, size_t len)
{
	struct stream *stream = &l->plist.service.stream;
	uint8_t prefix[4];

	put_be32(prefix, announced);
	stream->send(stream->user, prefix, sizeof(prefix));
	if (len > 0)
		stream->send(stream->user, bytes, len);
}

static void drip(void *user)
{
	struct lockdown *l = user;
	struct stream *stream = &l->plist.service.stream;

	if (l->plist.closing)
		return;
	timer_arm(l->phone->timers, &l->drip, DRIP_MS, drip, l);
	stream->send(stream->user, " ", 1);
}

/* Begins like a property list and never ends; the connection stays open. */
static void endless_send(struct lockdown *l)
{
	static const char head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist>";

	frame_send(l, PROMISED_BYTES, head, sizeof(head) - 1);
	timer_arm(l->phone->timers, &l->drip, DRIP_MS, drip, l);
}

static void deep_send(struct lockdown *l)
{
	BUF_AUTO xml = {};

	buf_add_text(&xml, "<plist>");
	for (unsigned i = 0; i < DEEP_LEVELS; i++)
		buf_add_text(&xml, "<array>");
	for (unsigned i = 0; i < DEEP_LEVELS; i++)
		buf_add_text(&xml, "</array>");
	buf_add_text(&xml, "</plist>");
	frame_send(l, (uint32_t)xml.len, xml.bytes, xml.len);
}

/* ---- property lists of the wrong shape ---- */

static plist_t twisted(plist_t node)
{
	plist_t twin = nullptr, item = nullptr;
	plist_dict_iter at = nullptr;
	char *key = nullptr;

	switch (plist_get_node_type(node)) {
	case PLIST_STRING:
		return plist_new_uint(NUMBER_FOR_TEXT);
	case PLIST_DICT:
		twin = plist_new_dict();
		plist_dict_new_iter(node, &at);
		for (plist_dict_next_item(node, at, &key, &item); item;
		     plist_dict_next_item(node, at, &key, &item)) {
			plist_dict_set_item(twin, key, twisted(item));
			plist_mem_free(key);
		}
		plist_mem_free(at);
		return twin;
	case PLIST_BOOLEAN:
	case PLIST_DATA:
		return plist_new_array();
	default:
		return plist_new_string("text");
	}
}

static void padding_add(plist_t reply)
{
	char *padding = calloc(1, LONG_BYTES);

	if (!padding)
		die("out of memory");
	dict_data(reply, "Padding", padding, LONG_BYTES);
	free(padding);
}

/* Frees @reply. Those that must not go through plist_stream. */
static void raw_send(struct lockdown *l, enum reply_rule rule, plist_t reply)
{
	char *xml = nullptr;
	uint32_t len = 0;

	plist_to_xml(reply, &xml, &len);
	plist_free(reply);
	switch (rule) {
	case REPLY_OVERSIZE:
		frame_send(l, UINT32_MAX, xml, len);
		break;
	case REPLY_PROMISE:
		frame_send(l, PROMISED_BYTES, xml, len);
		break;
	case REPLY_EMPTY:
		frame_send(l, 0, nullptr, 0);
		break;
	case REPLY_TRUNCATED:
		frame_send(l, len / 2, xml, len / 2);
		break;
	case REPLY_NOT_PLIST:
		fault_garbage(&l->phone->faults, xml, len);
		frame_send(l, len, xml, len);
		break;
	case REPLY_ENDLESS:
		endless_send(l);
		break;
	case REPLY_DEEP:
		deep_send(l);
		break;
	case REPLY_NORMAL:
	case REPLY_NONE:
	case REPLY_WRONG_REQUEST:
	case REPLY_BINARY:
	case REPLY_SPLIT:
	case REPLY_LONG:
	case REPLY_ARRAY:
	case REPLY_WRONG_TYPES:
		break;
	}
	plist_mem_free(xml);
}

/* `lockdown_reply_to`: "Request", or "Request/Key". */
static bool is_meant(const struct phone *p, const char *name, const char *detail)
{
	const char *to = p->scenario.lockdown.reply_to;
	size_t len = name ? strlen(name) : 0;

	if (!*to)
		return true;
	if (!name || strncmp(to, name, len) != 0)
		return false;
	return !to[len] || (to[len] == '/' && detail && !strcmp(to + len + 1, detail));
}

void evil_reply_send(struct lockdown *l, const char *name, const char *detail, plist_t reply)
{
	enum reply_rule rule = l->phone->scenario.lockdown.reply;
	plist_t twin = nullptr;

	if (!is_meant(l->phone, name, detail))
		rule = REPLY_NORMAL;
	l->plist.crumbs = rule == REPLY_SPLIT;
	switch (rule) {
	case REPLY_NONE:
		plist_free(reply);
		return;
	case REPLY_WRONG_REQUEST:
		dict_text(reply, "Request", "Dance");
		break;
	case REPLY_LONG:
		padding_add(reply);
		break;
	case REPLY_BINARY:
		plist_stream_send_binary(&l->plist, reply);
		return;
	case REPLY_ARRAY:
		twin = plist_new_array();
		plist_array_append_item(twin, reply);
		plist_stream_send(&l->plist, twin);
		return;
	case REPLY_WRONG_TYPES:
		twin = twisted(reply);
		plist_free(reply);
		plist_stream_send(&l->plist, twin);
		return;
	case REPLY_OVERSIZE:
	case REPLY_PROMISE:
	case REPLY_EMPTY:
	case REPLY_TRUNCATED:
	case REPLY_NOT_PLIST:
	case REPLY_ENDLESS:
	case REPLY_DEEP:
		raw_send(l, rule, reply);
		return;
	case REPLY_NORMAL:
	case REPLY_SPLIT:
		break;
	}
	plist_stream_send(&l->plist, reply);
}

/* ---- single values ---- */

plist_t evil_name(const struct phone *p)
{
	const char *name = p->scenario.name;
	uint64_t bytes = p->scenario.lockdown.name_bytes;
	BUF_AUTO longer = {};

	if (bytes > NAME_BYTES_MAX)
		bytes = NAME_BYTES_MAX;
	if (bytes <= strlen(name) || !*name)
		return plist_new_string(name);
	while (longer.len < bytes)
		buf_add_text(&longer, name);
	longer.len = bytes;
	return plist_new_string(buf_text(&longer));
}

static plist_t huge_data(void)
{
	char *bytes = malloc(HUGE_BYTES);
	plist_t data;

	if (!bytes)
		die("out of memory");
	memset(bytes, 'A', HUGE_BYTES);
	data = plist_new_data(bytes, HUGE_BYTES);
	free(bytes);
	return data;
}

plist_t evil_public_key(const struct phone *p)
{
	static const char garbage[] = "-----BEGIN RSA PUBLIC KEY-----\n"
				      "bm8ga2V5IGF0IGFsbCwganVzdCBieXRlcw==\n"
				      "-----END RSA PUBLIC KEY-----\n";

	switch (p->scenario.lockdown.device_key) {
	case DEVICE_KEY_NORMAL:
		return pair_public_key();
	case DEVICE_KEY_GARBAGE:
		return plist_new_data(garbage, sizeof(garbage) - 1);
	case DEVICE_KEY_EMPTY:
		return plist_new_data("", 0);
	case DEVICE_KEY_WRONG_TYPE:
		return plist_new_dict();
	case DEVICE_KEY_HUGE:
		return huge_data();
	}
	return nullptr;
}

void evil_escrow_bag(const struct phone *p, const struct host *host, plist_t reply)
{
	switch (p->scenario.lockdown.escrow_bag) {
	case ESCROW_BAG_NORMAL:
		dict_data(reply, "EscrowBag", host->escrow_bag, sizeof(host->escrow_bag));
		return;
	case ESCROW_BAG_MISSING:
		return;
	case ESCROW_BAG_WRONG_TYPE:
		dict_number(reply, "EscrowBag", NUMBER_FOR_TEXT);
		return;
	case ESCROW_BAG_HUGE:
		plist_dict_set_item(reply, "EscrowBag", huge_data());
		return;
	}
}
