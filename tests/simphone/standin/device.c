/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Devices on the bus: what they are, lists of them, references. */
#include <stdlib.h>
#include <string.h>

#include "standin.h"

/* Descriptors are little endian on the bus, in the machine's order in libusb's structures. */
static uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static void descriptor_read(struct libusb_device_descriptor *d, const uint8_t bytes[18])
{
	*d = (struct libusb_device_descriptor){
		.bLength = bytes[0],
		.bDescriptorType = bytes[1],
		.bcdUSB = le16(bytes + 2),
		.bDeviceClass = bytes[4],
		.bDeviceSubClass = bytes[5],
		.bDeviceProtocol = bytes[6],
		.bMaxPacketSize0 = bytes[7],
		.idVendor = le16(bytes + 8),
		.idProduct = le16(bytes + 10),
		.bcdDevice = le16(bytes + 12),
		.iManufacturer = bytes[14],
		.iProduct = bytes[15],
		.iSerialNumber = bytes[16],
		.bNumConfigurations = bytes[17],
	};
}

struct libusb_device *device_new(struct libusb_context *ctx, const char *socket,
				 const struct wire_presence *presence, const uint8_t *configs,
				 size_t len)
{
	struct libusb_device *d = memory(sizeof(*d));

	d->refs = 1;
	d->ctx = ctx;
	memcpy(d->socket, socket, sizeof(d->socket));
	d->bus = presence->bus;
	d->address = presence->address;
	d->high_speed = presence->high_speed;
	d->config = presence->config;
	descriptor_read(&d->descriptor, presence->device);
	while (d->config_count < presence->config_count && d->config_count < WIRE_CONFIGS_MAX) {
		uint16_t size;

		if (len < sizeof(size))
			break;
		memcpy(&size, configs, sizeof(size));
		if (len < sizeof(size) + size)
			break;
		d->configs[d->config_count].bytes = memory(size);
		memcpy(d->configs[d->config_count].bytes, configs + sizeof(size), size);
		d->configs[d->config_count++].len = size;
		configs += sizeof(size) + size;
		len -= sizeof(size) + size;
	}
	return d;
}

libusb_device *libusb_ref_device(libusb_device *dev)
{
	atomic_fetch_add(&dev->refs, 1);
	return dev;
}

void libusb_unref_device(libusb_device *dev)
{
	if (!dev || atomic_fetch_sub(&dev->refs, 1) > 1)
		return;
	for (uint8_t i = 0; i < dev->config_count; i++)
		free(dev->configs[i].bytes);
	free(dev);
}

ssize_t libusb_get_device_list(libusb_context *ctx, libusb_device ***ret_list)
{
	libusb_device **list;
	size_t count = 0;

	ctx = context_of(ctx);
	pthread_mutex_lock(&ctx->lock);
	for (const struct link *l = ctx->links; l; l = l->next)
		count += l->device != nullptr;
	list = memory((count + 1) * sizeof(list[0]));
	count = 0;
	for (const struct link *l = ctx->links; l; l = l->next)
		if (l->device)
			list[count++] = libusb_ref_device(l->device);
	pthread_mutex_unlock(&ctx->lock);
	*ret_list = list;
	return (ssize_t)count;
}

void libusb_free_device_list(libusb_device **list, int unref_devices)
{
	if (!list)
		return;
	for (size_t i = 0; unref_devices && list[i]; i++)
		libusb_unref_device(list[i]);
	free(list);
}

int libusb_get_device_descriptor(libusb_device *dev, struct libusb_device_descriptor *ret)
{
	*ret = dev->descriptor;
	return LIBUSB_SUCCESS;
}

uint8_t libusb_get_bus_number(libusb_device *dev)
{
	return dev->bus;
}

uint8_t libusb_get_device_address(libusb_device *dev)
{
	return dev->address;
}

/* Every phone has a bus with one port to itself. */
uint8_t libusb_get_port_number(libusb_device *dev)
{
	return 1;
}

int libusb_get_port_numbers(libusb_device *dev, uint8_t *port_numbers, int port_numbers_len)
{
	if (port_numbers_len < 0)
		return LIBUSB_ERROR_INVALID_PARAM;
	if (port_numbers_len == 0)
		return LIBUSB_ERROR_OVERFLOW;
	port_numbers[0] = 1;
	return 1;
}

/* Root hubs are not shown. */
libusb_device *libusb_get_parent(libusb_device *dev)
{
	return nullptr;
}

int libusb_get_device_speed(libusb_device *dev)
{
	return dev->high_speed ? LIBUSB_SPEED_HIGH : LIBUSB_SPEED_FULL;
}
