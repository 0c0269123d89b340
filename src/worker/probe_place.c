/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recovery, DFU and their like: the device at (bus, address), and no other, through libusb. */
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/iboot_strings.h"
#include "worker/library_error.h"
#include "worker/nonce.h"
#include "worker/probe.h"
#include <errno.h>
#include <string.h>

static inline void libusb_exitp(libusb_context **context)
{
	if (*context)
		libusb_exit(*context);
}
DEFINE_CLEANUP(libusb_device *, libusb_unref_device)
DEFINE_CLEANUP(libusb_device_handle *, libusb_close)

/* Enumerates from sysfs, which sends nothing to any device. NULL if nothing is there. */
static libusb_device *device_at(libusb_context *context, unsigned bus, unsigned address)
{
	libusb_device *found = NULL;
	libusb_device **devices = NULL;
	ssize_t count = libusb_get_device_list(context, &devices);

	for (ssize_t i = 0; i < count && !found; i++)
		if (libusb_get_bus_number(devices[i]) == bus &&
		    libusb_get_device_address(devices[i]) == address)
			found = libusb_ref_device(devices[i]);
	if (count >= 0)
		libusb_free_device_list(devices, 1);
	return found;
}

/* The phone may have changed its mode since the service saw it: then this is the wrong question. */
static int device_check(libusb_device *device, enum mode mode, uint8_t *ret_serial_index,
			struct error *err)
{
	struct libusb_device_descriptor descriptor;
	const struct usb_id *id;
	int r = libusb_get_device_descriptor(device, &descriptor);

	if (r < 0)
		return libusb_error_set(err, r);
	id = usb_id_find(descriptor.idVendor, descriptor.idProduct);
	if (!id || !id->phone || id->mode != mode)
		return error_set(err, ERROR_NO_PHONE, "worker", 0,
				 "Another device is at this place on the USB bus now");
	*ret_serial_index = descriptor.iSerialNumber;
	return 0;
}

/* False only if the serial string names another ECID; in WTF mode it names none. */
static bool serial_fits(const char *serial, uint64_t ecid)
{
	static const char tag[] = "ECID:";
	const char *at = strstr(serial, tag);
	uint64_t found;

	if (!at)
		return true;
	at += sizeof(tag) - 1;
	return text_parse_hex(at, strspn(at, "0123456789abcdefABCDEF"), &found) == 0 &&
	       found == ecid;
}

static int strings_check(const struct request *request, const struct iboot_strings *strings,
			 struct error *err)
{
	/* Port DFU shows an ECID of its own */
	if (request->ecid == 0 || request->mode == MODE_PORT_DFU ||
	    serial_fits(strings->serial, request->ecid))
		return 0;
	return error_set(err, ERROR_NO_PHONE, "worker", 0,
			 "Another phone is at this place on the USB bus now");
}

static int strings_to_identity(const struct iboot_strings *strings, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *identity = NULL;
	static const struct {
		const char *tag, *field;
	} nonces[] = { { "NONC", "ap_nonce" }, { "SNON", "sep_nonce" } };
	char hex[NONCE_HEX_BYTES];
	int r;

	r = identity_add_text(&identity, "serial_string", strings->serial);
	if (r >= 0)
		r = identity_add_text(&identity, "nonce_string", strings->nonces);
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(nonces); i++)
		if (nonce_find(strings->nonces, nonces[i].tag, hex) == 0)
			r = identity_add_text(&identity, nonces[i].field, hex);
	if (r < 0)
		return r;
	*ret = TAKE(identity);
	return 0;
}

int probe_place(const struct request *request, sd_json_variant **ret_identity, struct error *err)
{
	/* in this order: closed last, opened first */
	_cleanup_(libusb_exitp) libusb_context *context = NULL;
	_cleanup_(libusb_unref_devicep) libusb_device *device = NULL;
	_cleanup_(libusb_closep) libusb_device_handle *handle = NULL;
	struct iboot_strings strings;
	uint8_t serial_index = 0;
	int r;

	r = libusb_init_context(&context, NULL, 0);
	if (r < 0)
		return libusb_error_set(err, r);
	device = device_at(context, request->bus, request->address);
	if (!device)
		return error_set(err, ERROR_NO_PHONE, "libusb", LIBUSB_ERROR_NO_DEVICE,
				 "Nothing is at this place on the USB bus");
	r = device_check(device, request->mode, &serial_index, err);
	if (r < 0)
		return r;
	r = libusb_open(device, &handle);
	if (r < 0)
		return libusb_error_set(err, r);
	if (request->mode == MODE_DEBUG_USB)
		r = debug_usb_strings_read(handle, &strings, err);
	else
		r = iboot_strings_read(handle, serial_index, &strings, err);
	if (r == 0)
		r = strings_check(request, &strings, err);
	if (r < 0)
		return r;
	r = strings_to_identity(&strings, ret_identity);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the identity");
	return 0;
}
