/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kis.h"

#include <string.h>

#include "phone.h"

enum {
	INDEX_ENABLE_A = 0x0a,
	INDEX_UPLOAD = 0x0d,
	INDEX_ENABLE_B = 0x14,
	INDEX_IDENTITY = 0x100,
	INDEX_BOOT = 0x103,

	UPLOAD_ARGS_BYTES = 12, /* u64 address, u32 size */
	IMAGE_CEILING = 32 * 1024 * 1024,

	/* offsets in the record */
	RECORD_NONCE_WORD = 0x18,
	RECORD_DEVICE = 0x40,
	RECORD_STRINGS = 0x54,
};

void kis_init(struct kis *k, struct phone *phone)
{
	*k = (struct kis){ .phone = phone };
}

void kis_done(struct kis *k)
{
	buf_done(&k->image);
}

void kis_boot(struct kis *k)
{
	buf_clear(&k->image);
}

/*
 * Writes @text as a string descriptor on a word boundary at *@at and moves on; returns its word
 * offset. Zeros follow it: libirecovery reads as many characters as the descriptor's length says,
 * header included.
 */
static uint8_t record_string(uint8_t *record, size_t *at, const char *text)
{
	size_t start = *at;
	size_t len = strlen(text);

	if (start + 2 + 2 * len + 4 > KIS_RECORD_BYTES)
		return 0; /* no string */
	record[start] = (uint8_t)(2 + 2 * len);
	record[start + 1] = USB_DT_STRING;
	for (size_t i = 0; i < len; i++)
		record[start + 2 + 2 * i] = (uint8_t)text[i];
	*at = (start + 2 + 2 * len + 2 + 3) & ~(size_t)3;
	return (uint8_t)(start / 4);
}

void kis_record(const struct phone *phone, uint8_t ret_record[KIS_RECORD_BYTES])
{
	static const uint8_t dfu_device[18] = { 18, USB_DT_DEVICE, 0,    2,    0,    0,       0,
						64, 0xac,          0x05, 0x27, 0x12, [17] = 1 };
	size_t at = RECORD_STRINGS;
	BUF_AUTO serial = {};
	BUF_AUTO nonces = {};

	memset(ret_record, 0, KIS_RECORD_BYTES);
	put_le32(ret_record + 8, 0x4000); /* largest upload chunk */
	memcpy(ret_record + RECORD_DEVICE, dfu_device, sizeof(dfu_device));
	phone_usb_serial(phone, &serial);
	identity_nonce_string(&phone->identity, &nonces);
	ret_record[RECORD_DEVICE + 14] = record_string(ret_record, &at, "Apple Inc.");
	ret_record[RECORD_DEVICE + 15] =
	    record_string(ret_record, &at, "Apple Mobile Device (DFU Mode)");
	ret_record[RECORD_DEVICE + 16] = record_string(ret_record, &at, buf_text(&serial));
	put_le32(ret_record + RECORD_NONCE_WORD, record_string(ret_record, &at, buf_text(&nonces)));
}

/* Answers with the request's header, @payload, and then bytes done and status 0. */
static void kis_reply(struct kis *k, uint8_t ep, const uint8_t *header, const uint8_t *payload,
		      size_t len, uint32_t done)
{
	uint8_t tail[8] = {};
	BUF_AUTO reply = {};

	buf_add(&reply, header, KIS_HEADER_BYTES);
	buf_add(&reply, payload, len);
	put_le32(tail, done);
	buf_add(&reply, tail, sizeof(tail));
	usbdev_send(&k->phone->usb, ep | 0x80, reply.bytes, reply.len);
}

static void kis_upload(struct kis *k, uint8_t ep, const uint8_t *bytes, size_t len)
{
	const uint8_t *args = bytes + KIS_HEADER_BYTES;
	uint32_t size;

	if (len < KIS_HEADER_BYTES + UPLOAD_ARGS_BYTES)
		return;
	size = get_le32(args + 8);
	if (size > len - KIS_HEADER_BYTES - UPLOAD_ARGS_BYTES ||
	    k->image.len + size > IMAGE_CEILING)
		return;
	buf_add(&k->image, args + UPLOAD_ARGS_BYTES, size);
	kis_reply(k, ep, bytes, nullptr, 0, size);
}

enum usb_reply kis_bulk_out(void *user, uint8_t ep, const uint8_t *bytes, size_t len)
{
	struct kis *k = user;
	uint8_t record[KIS_RECORD_BYTES];
	unsigned index;

	if (len < KIS_HEADER_BYTES)
		return USB_OK; /* no request, no answer */
	index = bytes[5] | (unsigned)(bytes[6] & 3) << 8;
	EVLOG(&k->phone->log, "debug-usb", LOG_INT("portal", bytes[3]), LOG_INT("index", index),
	      LOG_INT("bytes", len));
	switch (index) {
	case INDEX_ENABLE_A:
	case INDEX_ENABLE_B:
		kis_reply(k, ep, bytes, nullptr, 0, 4);
		break;
	case INDEX_IDENTITY:
		kis_record(k->phone, record);
		kis_reply(k, ep, bytes, record, sizeof(record), sizeof(record));
		break;
	case INDEX_UPLOAD:
		kis_upload(k, ep, bytes, len);
		break;
	case INDEX_BOOT:
		kis_reply(k, ep, bytes, nullptr, 0, 4);
		dfu_start_image(k->phone, k->image.bytes, k->image.len, PHONE_LINGER_MS);
		break;
	default:
		break;
	}
	return USB_OK;
}
