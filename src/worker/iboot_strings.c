/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/iboot_strings.h"
#include "base/text.h"
#include "worker/library_error.h"

enum {
	NONCE_STRING_INDEX = 1,
	DESCRIPTOR_BYTES_MAX = 255,
};

/* One string as text. Returns 0 or a negative enum libusb_error. */
static int string_read(libusb_device_handle *handle, uint8_t index, char *ret, size_t ret_bytes)
{
	unsigned char text[DESCRIPTOR_BYTES_MAX + 1];
	int n = libusb_get_string_descriptor_ascii(handle, index, text, DESCRIPTOR_BYTES_MAX);

	if (n < 0)
		return n;
	text_to_utf8(ret, ret_bytes, (const char *)text, (size_t)n);
	return 0;
}

int iboot_strings_read(libusb_device_handle *handle, uint8_t index, struct iboot_strings *ret,
		       struct error *err)
{
	struct iboot_strings strings = {};
	int r;

	if (index == 0)
		return error_set(err, ERROR_PROTOCOL, "worker", 0,
				 "The phone has no serial string");
	r = string_read(handle, index, strings.serial, sizeof(strings.serial));
	if (r < 0)
		return libusb_error_set(err, r);
	if (strings.serial[0] == '\0')
		return error_set(err, ERROR_PROTOCOL, "worker", 0,
				 "The phone's serial string is empty");
	r = string_read(handle, NONCE_STRING_INDEX, strings.nonces, sizeof(strings.nonces));
	/* a stall means that there is no such string: old SecureROMs, WTF */
	if (r < 0 && r != LIBUSB_ERROR_PIPE)
		return libusb_error_set(err, r);
	*ret = strings;
	return 0;
}
