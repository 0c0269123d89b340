/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/usb_place.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/library_error.h"
#include <string.h>

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

int usb_place_open(enum mode mode, unsigned bus, unsigned address, struct usb_place *ret,
		   struct error *err)
{
	_cleanup_(usb_place_done) struct usb_place place = { .mode = mode };
	int r = libusb_init_context(&place.context, NULL, 0);

	if (r < 0)
		return libusb_error_set(err, r);
	place.device = device_at(place.context, bus, address);
	if (!place.device)
		return error_set(err, ERROR_NO_PHONE, "libusb", LIBUSB_ERROR_NO_DEVICE,
				 "Nothing is at this place on the USB bus");
	r = device_check(place.device, mode, &place.serial_index, err);
	if (r < 0)
		return r;
	r = libusb_open(place.device, &place.handle);
	if (r < 0)
		return libusb_error_set(err, r);
	*ret = TAKE_STRUCT(place);
	return 0;
}

void usb_place_done(struct usb_place *place)
{
	/* opened last, closed first */
	if (place->handle)
		libusb_close(place->handle);
	if (place->device)
		libusb_unref_device(place->device);
	if (place->context)
		libusb_exit(place->context);
	*place = (struct usb_place){};
}

int usb_place_strings(const struct usb_place *place, uint64_t ecid, struct iboot_strings *ret,
		      struct error *err)
{
	struct iboot_strings strings;
	int r;

	if (place->mode == MODE_DEBUG_USB)
		r = debug_usb_strings_read(place->handle, &strings, err);
	else
		r = iboot_strings_read(place->handle, place->serial_index, &strings, err);
	if (r < 0)
		return r;
	/* Port DFU shows an ECID of its own */
	if (ecid != 0 && place->mode != MODE_PORT_DFU && !serial_fits(strings.serial, ecid))
		return error_set(err, ERROR_NO_PHONE, "worker", 0,
				 "Another phone is at this place on the USB bus now");
	*ret = strings;
	return 0;
}
