/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "restore/img4.h"

#include <string.h>

static const char *im4p_read(struct span whole, struct img4 *image)
{
	struct der reader = { whole };
	struct span content, type, description;

	if (!der_take(&reader, DER_SEQUENCE, &content))
		return "the payload's container is no sequence";
	reader.rest = content;
	if (!der_take_text(&reader, "IM4P"))
		return "the payload's container does not begin with IM4P";
	if (!der_take(&reader, DER_IA5, &type) || type.len != 4)
		return "the payload has no type of four characters";
	if (!der_take(&reader, DER_IA5, &description) ||
	    !der_take(&reader, DER_OCTETS, &image->payload))
		return "the container has no payload";
	/* keys, compression and properties: whole items, whatever they say */
	for (struct der_item item; reader.rest.len > 0;)
		if (!der_next(&reader, &item))
			return "the payload's container ends in the middle";
	image->im4p = whole;
	memcpy(image->type, type.bytes, 4);
	image->type[4] = '\0';
	return nullptr;
}

/* The single item inside [0] or [1]. */
static bool wrapped_take(struct der *from, uint8_t identifier, struct span *ret_whole)
{
	struct der inner;
	struct der_item item;

	if (!der_take(from, identifier, &inner.rest) || !der_next(&inner, &item) ||
	    item.identifier != DER_SEQUENCE || inner.rest.len != 0)
		return false;
	*ret_whole = item.whole;
	return true;
}

const char *img4_read(const uint8_t *bytes, size_t len, struct img4 *ret_image)
{
	struct der reader = { { bytes, len } };
	struct img4 image = {};
	struct der_item item;
	struct span content;
	const char *why;

	if (!der_take(&reader, DER_SEQUENCE, &content))
		return "no whole IMG4 container";
	if (reader.rest.len != 0)
		return "bytes follow the IMG4 container";
	reader.rest = content;
	if (!der_take_text(&reader, "IMG4"))
		return "no IMG4 container";
	if (!der_next(&reader, &item))
		return "the IMG4 container has no payload";
	why = im4p_read(item.whole, &image);
	if (why)
		return why;
	if (reader.rest.len != 0 && !wrapped_take(&reader, DER_CONTEXT_0, &image.im4m))
		return "the place of the ticket holds something else";
	if (reader.rest.len != 0 && !wrapped_take(&reader, DER_CONTEXT_1, &image.im4r))
		return "the place of the restore info holds something else";
	if (reader.rest.len != 0)
		return "something follows the container's last part";
	*ret_image = image;
	return nullptr;
}
