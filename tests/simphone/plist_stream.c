/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plist_stream.h"

#include <stdlib.h>

const char *plist_text(plist_t dict, const char *key)
{
	plist_t node = plist_dict_get_item(dict, key);

	return node && plist_get_node_type(node) == PLIST_STRING
		   ? plist_get_string_ptr(node, nullptr)
		   : nullptr;
}

static void message_take(struct plist_stream *s, const uint8_t *bytes, uint32_t len)
{
	plist_t message = nullptr;

	plist_from_memory((const char *)bytes, len, &message, nullptr);
	if (message && plist_get_node_type(message) == PLIST_DICT)
		s->take(s, message);
	else
		plist_stream_close(s);
	plist_free(message);
}

void plist_stream_feed(struct service *service, const uint8_t *bytes, size_t len)
{
	struct plist_stream *s = (struct plist_stream *)service;

	buf_add(&s->in, bytes, len);
	while (s->in.len >= 4 && !s->closing) {
		uint32_t message = get_be32(s->in.bytes);

		if (message > PLIST_MESSAGE_MAX) {
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

void plist_stream_send(struct plist_stream *s, plist_t message)
{
	char *xml = nullptr;
	uint32_t len = 0;
	uint8_t prefix[4];

	plist_sort(message);
	plist_to_xml(message, &xml, &len);
	put_be32(prefix, len);
	s->service.stream.send(s->service.stream.user, prefix, sizeof(prefix));
	s->service.stream.send(s->service.stream.user, xml, len);
	plist_mem_free(xml);
	plist_free(message);
}

void plist_stream_close(struct plist_stream *s)
{
	if (s->closing)
		return;
	s->closing = true;
	s->service.stream.close(s->service.stream.user);
}
