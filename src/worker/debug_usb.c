/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Debug USB, as libirecovery 1.3.1 speaks it (src/libirecovery.c, irecv_kis_*; reference:
 * device-protocols.md §2.7). Its own code because libirecovery cannot be told which device to open:
 * without an ECID it opens the first that it finds, and here the ECID is what is asked for.
 *
 *   worker                                              phone
 *      ── config portal: index 0x0a = 0x21, 0x14 = 1 ──▶
 *      ◀─ 4 bytes written ─────────────────────────────
 *      ── resource portal: index 0x100 ────────────────▶
 *      ◀─ record of 0x300 bytes: device descriptor, strings
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/iboot_strings.h"
#include "worker/library_error.h"
#include <endian.h>
#include <errno.h>
#include <string.h>

enum {
	INTERFACE = 0,
	TRANSFER_TIMEOUT_MS = 3000,

	PORTAL_CONFIG = 0x01,
	PORTAL_RESOURCE = 0x10,
	ENDPOINT_CONFIG = 1,
	ENDPOINT_RESOURCE = 3,

	INDEX_ENABLE_A = 0x0a,
	INDEX_ENABLE_B = 0x14,
	INDEX_RECORD = 0x100,
	ENABLE_A = 0x21,
	ENABLE_B = 0x01,

	PROTOCOL_VERSION = 0xa0,
	HEADER_BYTES = 12,
	REPLY_END_BYTES = 8, /* size and status after the words of a reply */
	WORD_BYTES = 4,

	RECORD_BYTES = 0x300,
	RECORD_NONCES_AT = 0x18,            /* u32: where the nonce string is, in words */
	RECORD_SERIAL_INDEX_AT = 0x40 + 16, /* iSerialNumber of the device descriptor: words too */
	STRING_DESCRIPTOR = 3,
	STRING_HEAD_BYTES = 2, /* length and type */
};

/* All numbers little endian. */
struct request_header {
	uint16_t sequence;
	uint8_t version;
	uint8_t portal;
	uint8_t argument_count;
	uint8_t index_low;
	uint8_t index_high_words_low; /* 2 bits of the index, 6 of the reply's words */
	uint8_t words_high;
	uint32_t bytes; /* of arguments and payload */
};
static_assert(sizeof(struct request_header) == HEADER_BYTES);

static struct request_header header_make(uint8_t portal, unsigned index, uint8_t arguments,
					 unsigned reply_words)
{
	return (struct request_header){
		.version = PROTOCOL_VERSION,
		.portal = portal,
		.argument_count = arguments,
		.index_low = index & 0xff,
		.index_high_words_low = (uint8_t)((index >> 8 & 0x3) | (reply_words << 2 & 0xfc)),
		.words_high = reply_words >> 6 & 0xff,
		.bytes = htole32((uint32_t)arguments * WORD_BYTES),
	};
}

/* Sends a request and takes its reply; *ret_n is how much came. */
static int exchange(libusb_device_handle *handle, unsigned char endpoint, void *request, size_t n,
		    void *reply, size_t reply_bytes, size_t *ret_n, struct error *err)
{
	int sent = 0, received = 0, r;

	r = libusb_bulk_transfer(handle, endpoint | LIBUSB_ENDPOINT_OUT, request, (int)n, &sent,
				 TRANSFER_TIMEOUT_MS);
	if (r == 0 && (size_t)sent != n)
		r = LIBUSB_ERROR_IO;
	if (r == 0)
		r = libusb_bulk_transfer(handle, endpoint | LIBUSB_ENDPOINT_IN, reply,
					 (int)reply_bytes, &received, TRANSFER_TIMEOUT_MS);
	if (r < 0)
		return libusb_error_set(err, r);
	*ret_n = (size_t)received;
	return 0;
}

static int config_write(libusb_device_handle *handle, unsigned index, uint32_t value,
			struct error *err)
{
	struct {
		struct request_header header;
		uint32_t value;
	} request = { header_make(PORTAL_CONFIG, index, 1, 1), htole32(value) };
	uint8_t reply[HEADER_BYTES + REPLY_END_BYTES];
	size_t n = 0;

	/* libirecovery does not act on the reply's content either */
	return exchange(handle, ENDPOINT_CONFIG, &request, sizeof(request), reply, sizeof(reply),
			&n, err);
}

/*
 * The string descriptor at a word of the record. Its length byte counts the bytes behind the head,
 * as libirecovery reads it; where it counts the head as well, the NUL after the text ends it.
 */
static void record_string(const uint8_t *record, size_t n, size_t word, char *ret, size_t ret_bytes)
{
	char text[UINT8_MAX / 2 + 1] = {};
	size_t at = word * WORD_BYTES, length;

	ret[0] = '\0';
	if (n < STRING_HEAD_BYTES || at > n - STRING_HEAD_BYTES ||
	    record[at + 1] != STRING_DESCRIPTOR)
		return;
	length = record[at];
	at += STRING_HEAD_BYTES;
	if (length % 2 != 0 || length > n - at)
		return;
	for (size_t i = 0; i < length; i += 2)
		text[i / 2] = (char)record[at + i];
	text_copy(ret, ret_bytes, text);
}

int debug_usb_record_parse(const uint8_t *record, size_t n, struct iboot_strings *ret)
{
	struct iboot_strings strings;
	uint32_t nonces_word;

	if (n <= RECORD_SERIAL_INDEX_AT)
		return -EBADMSG;
	memcpy(&nonces_word, record + RECORD_NONCES_AT, sizeof(nonces_word));
	record_string(record, n, record[RECORD_SERIAL_INDEX_AT], strings.serial,
		      sizeof(strings.serial));
	record_string(record, n, le32toh(nonces_word), strings.nonces, sizeof(strings.nonces));
	if (strings.serial[0] == '\0')
		return -EBADMSG;
	*ret = strings;
	return 0;
}

static int record_read(libusb_device_handle *handle, struct iboot_strings *ret, struct error *err)
{
	struct request_header request =
	    header_make(PORTAL_RESOURCE, INDEX_RECORD, 0, RECORD_BYTES / WORD_BYTES);
	uint8_t reply[HEADER_BYTES + RECORD_BYTES + REPLY_END_BYTES];
	size_t n = 0;
	int r;

	r = exchange(handle, ENDPOINT_RESOURCE, &request, sizeof(request), reply, sizeof(reply), &n,
		     err);
	if (r < 0)
		return r;
	if (n < HEADER_BYTES + RECORD_BYTES ||
	    debug_usb_record_parse(reply + HEADER_BYTES, RECORD_BYTES, ret) < 0)
		return error_set(err, ERROR_PROTOCOL, "worker", 0,
				 "The phone's record has no serial string");
	return 0;
}

int debug_usb_strings_read(libusb_device_handle *handle, struct iboot_strings *ret,
			   struct error *err)
{
	int r = libusb_claim_interface(handle, INTERFACE);

	if (r < 0)
		return libusb_error_set(err, r);
	r = config_write(handle, INDEX_ENABLE_A, ENABLE_A, err);
	if (r == 0)
		r = config_write(handle, INDEX_ENABLE_B, ENABLE_B, err);
	if (r == 0)
		r = record_read(handle, ret, err);
	(void)libusb_release_interface(handle, INTERFACE);
	return r;
}
