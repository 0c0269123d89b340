/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plist_stream.h"

#include "fault.h"
#include "phone.h"

#include <stdlib.h>

const char *plist_text(plist_t dict, const char *key)
{
	plist_t node = plist_dict_get_item(dict, key);

	return node && plist_get_node_type(node) == PLIST_STRING
		   ? plist_get_string_ptr(node, nullptr)
		   : nullptr;
}

/*
 * libplist 2.7 copies (plist_copy(), plist_dict_merge()) only what stands before a NUL inside a
 * text or a key, but keeps the old length, and later reads beyond the copy.
 */
plist_t plist_washed(plist_t node)
{
	plist_t clean = nullptr, item = nullptr;
	plist_dict_iter at = nullptr;
	char *key = nullptr;

	switch (plist_get_node_type(node)) {
	case PLIST_STRING:
		return plist_new_string(plist_get_string_ptr(node, nullptr));
	case PLIST_ARRAY:
		clean = plist_new_array();
		for (uint32_t i = 0; i < plist_array_get_size(node); i++)
			plist_array_append_item(clean, plist_washed(plist_array_get_item(node, i)));
		return clean;
	case PLIST_DICT:
		clean = plist_new_dict();
		plist_dict_new_iter(node, &at);
		for (plist_dict_next_item(node, at, &key, &item); item;
		     plist_dict_next_item(node, at, &key, &item)) {
			plist_dict_set_item(clean, key, plist_washed(item));
			plist_mem_free(key);
		}
		plist_mem_free(at);
		return clean;
	default:
		return plist_copy(node);
	}
}

/* "Request/Key", "MsgType/DataType" …, for faults and the log: first the word that says what the
 * message is, then the one that says what it is about. */
static void message_name(plist_t message, struct buf *to)
{
	static const char *const kinds[] = { "MsgType", "Request", "Command", "MessageName" };
	static const char *const details[] = { "DataType", "Service", "QueryKey",
					       "Key",      "Name",    "CHECKPOINT_NAME" };
	const char *kind = nullptr, *detail = nullptr;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !kind; i++)
		kind = plist_text(message, kinds[i]);
	for (size_t i = 0; i < sizeof(details) / sizeof(details[0]) && !detail; i++)
		detail = plist_text(message, details[i]);
	buf_add_text(to, kind ? kind : "message");
	if (detail)
		buf_addf(to, "/%s", detail);
}

/* A fault may want lockdown's kind of refusal. */
static void error_send(struct plist_stream *s, plist_t request, const char *error)
{
	const char *name = plist_text(request, "Request");
	plist_t reply = plist_new_dict();

	plist_dict_set_item(reply, "Request", plist_new_string(name ? name : ""));
	plist_dict_set_item(reply, "Error", plist_new_string(error));
	plist_stream_send(s, reply);
}

static void dict_take(struct plist_stream *s, plist_t message)
{
	BUF_AUTO name = {};

	message_name(message, &name);
	switch (tap_message(s->service.stream.tap, FAULT_GOT, buf_text(&name))) {
	case TAP_PASS:
		s->take(s, message);
		return;
	case TAP_ERROR:
		error_send(s, message, tap_error(s->service.stream.tap));
		return;
	case TAP_CUT:
	case TAP_GARBAGE: /* what it got makes no sense to it */
		plist_stream_close(s);
		return;
	case TAP_DROP:
		return;
	}
}

static void message_take(struct plist_stream *s, const uint8_t *bytes, uint32_t len)
{
	plist_t message = nullptr;

	plist_from_memory((const char *)bytes, len, &message, nullptr);
	if (message && plist_get_node_type(message) == PLIST_DICT) {
		plist_t clean = plist_washed(message);

		plist_free(message);
		message = clean;
		dict_take(s, message);
	} else {
		plist_stream_close(s);
	}
	plist_free(message);
}

void plist_stream_feed(struct service *service, const uint8_t *bytes, size_t len)
{
	struct plist_stream *s = (struct plist_stream *)service;

	if (s->closing)
		return;
	buf_add(&s->in, bytes, len);
	while (s->in.len >= 4 && !s->closing && !s->pausing) {
		uint32_t message = get_be32(s->in.bytes);

		if (message > (s->ceiling ? s->ceiling : PLIST_MESSAGE_MAX)) {
			plist_stream_close(s);
			return;
		}
		if (s->in.len < 4 + (size_t)message)
			return;
		message_take(s, s->in.bytes + 4, message);
		buf_drop(&s->in, 4 + (size_t)message);
	}
}

void plist_stream_done(struct plist_stream *s)
{
	buf_done(&s->in);
}

static void message_send(struct plist_stream *s, enum tap_verdict verdict, char *xml, uint32_t len)
{
	struct stream *stream = &s->service.stream;
	uint8_t prefix[4];

	if (verdict == TAP_GARBAGE)
		fault_garbage(&stream->tap->phone->faults, xml, len);
	put_be32(prefix, len);
	if (verdict == TAP_CUT)
		len /= 2;
	stream->send(stream->user, prefix, sizeof(prefix));
	for (uint32_t at = 0, piece = s->crumbs ? 1 : len; at < len; at += piece)
		stream->send(stream->user, xml + at, piece);
	if (verdict == TAP_CUT)
		plist_stream_close(s);
}

static void send_as(struct plist_stream *s, plist_t message, bool binary)
{
	enum tap_verdict verdict;
	char *bytes = nullptr;
	uint32_t len = 0;
	BUF_AUTO name = {};

	plist_sort(message);
	message_name(message, &name);
	if (binary)
		plist_to_bin(message, &bytes, &len);
	else
		plist_to_xml(message, &bytes, &len);
	plist_free(message);
	verdict = tap_message(s->service.stream.tap, FAULT_SENT, buf_text(&name));
	if (verdict != TAP_DROP && !s->closing)
		message_send(s, verdict, bytes, len);
	plist_mem_free(bytes);
}

void plist_stream_send(struct plist_stream *s, plist_t message)
{
	send_as(s, message, false);
}

void plist_stream_send_binary(struct plist_stream *s, plist_t message)
{
	send_as(s, message, true);
}

void plist_stream_close(struct plist_stream *s)
{
	if (s->closing)
		return;
	s->closing = true;
	s->service.stream.close(s->service.stream.user);
}
