/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Open devices: configurations, interfaces, resets. A handle's connection is its file of usbfs. */
#include <errno.h>
#include <stdlib.h>

#include "standin.h"

enum { INTERFACES = 32 };

static int errno_error(void)
{
	return errno == ENOENT || errno == ECONNREFUSED ? LIBUSB_ERROR_NO_DEVICE : LIBUSB_ERROR_IO;
}

static void handle_remove(struct libusb_context *ctx, struct libusb_device_handle *handle)
{
	struct libusb_device_handle **at = &ctx->handles;

	while (*at != handle)
		at = &(*at)->next;
	*at = handle->next;
	link_close(ctx, handle->link);
	libusb_unref_device(handle->device);
	free(handle);
}

int libusb_open(libusb_device *dev, libusb_device_handle **ret_handle)
{
	struct libusb_context *ctx = dev->ctx;
	struct libusb_device_handle *handle;
	struct link *link;
	int r;

	pthread_mutex_lock(&ctx->lock);
	link = link_open(ctx, dev->socket);
	if (!link) {
		r = errno_error();
		pthread_mutex_unlock(&ctx->lock);
		return r;
	}
	handle = memory(sizeof(*handle));
	handle->device = libusb_ref_device(dev);
	handle->link = link;
	handle->next_id = 1;
	link->handle = handle;
	handle->next = ctx->handles;
	ctx->handles = handle;
	r = handle_ask(handle, (struct wire_head){ .word = WIRE_OPEN, .a = dev->address }, nullptr);
	if (r < 0)
		handle_remove(ctx, handle);
	pthread_mutex_unlock(&ctx->lock);
	if (r == 0)
		*ret_handle = handle;
	return r;
}

/* Transfers under way are never reported: their owner was to wait for them. */
void libusb_close(libusb_device_handle *handle)
{
	struct libusb_context *ctx;
	struct transfer **at;

	if (!handle)
		return;
	ctx = handle->device->ctx;
	pthread_mutex_lock(&ctx->lock);
	while (handle->requests) {
		struct request *r = handle->requests;

		handle->requests = r->next;
		if (r->transfer)
			r->transfer->under_way = false;
		r->result = WIRE_GONE;
		r->done = true;
	}
	for (at = &ctx->completed; *at;) {
		struct transfer *t = *at;

		if (t->public->dev_handle != handle) {
			at = &t->queued;
			continue;
		}
		*at = t->queued;
		t->under_way = false;
	}
	handle_remove(ctx, handle);
	pthread_cond_broadcast(&ctx->changed);
	pthread_mutex_unlock(&ctx->lock);
}

libusb_device *libusb_get_device(libusb_device_handle *handle)
{
	return handle->device;
}

libusb_device_handle *libusb_open_device_with_vid_pid(libusb_context *ctx, uint16_t vendor_id,
						      uint16_t product_id)
{
	libusb_device_handle *handle = nullptr;
	libusb_device **list;
	ssize_t count = libusb_get_device_list(ctx, &list);

	for (ssize_t i = 0; i < count; i++)
		if (list[i]->descriptor.idVendor == vendor_id &&
		    list[i]->descriptor.idProduct == product_id) {
			(void)libusb_open(list[i], &handle);
			break;
		}
	libusb_free_device_list(list, 1);
	return handle;
}

int libusb_get_configuration(libusb_device_handle *handle, int *ret_config)
{
	struct libusb_context *ctx = handle->device->ctx;
	bool gone;

	pthread_mutex_lock(&ctx->lock);
	gone = handle->link->fd < 0;
	if (!gone)
		*ret_config = handle->device->config;
	pthread_mutex_unlock(&ctx->lock);
	return gone ? LIBUSB_ERROR_NO_DEVICE : LIBUSB_SUCCESS;
}

/* The answer may be read before the watcher's word of the same change, or before an older one. */
int libusb_set_configuration(libusb_device_handle *handle, int configuration)
{
	struct libusb_device *device = handle->device;
	const uint8_t value = configuration < 0 ? 0 : (uint8_t)configuration;
	uint32_t presence = 0;
	int r;

	if (configuration < -1 || configuration > UINT8_MAX)
		return LIBUSB_ERROR_INVALID_PARAM;
	pthread_mutex_lock(&device->ctx->lock);
	r = handle_ask(handle, (struct wire_head){ .word = WIRE_SET_CONFIG, .a = value },
		       &presence);
	if (r == 0 && (int32_t)(presence - device->presence) > 0) {
		device->presence = presence;
		device->config = value;
	}
	pthread_mutex_unlock(&device->ctx->lock);
	return r;
}

int libusb_claim_interface(libusb_device_handle *handle, int interface_number)
{
	struct libusb_context *ctx = handle->device->ctx;
	int r = 0;

	if (interface_number < 0 || interface_number >= INTERFACES)
		return LIBUSB_ERROR_INVALID_PARAM;
	pthread_mutex_lock(&ctx->lock);
	if (!(handle->claimed & 1U << interface_number))
		r = handle_ask(
		    handle,
		    (struct wire_head){ .word = WIRE_CLAIM, .a = (uint8_t)interface_number },
		    nullptr);
	if (r == 0)
		handle->claimed |= 1U << interface_number;
	pthread_mutex_unlock(&ctx->lock);
	return r;
}

int libusb_release_interface(libusb_device_handle *handle, int interface_number)
{
	struct libusb_context *ctx = handle->device->ctx;
	int r = LIBUSB_ERROR_NOT_FOUND;

	if (interface_number < 0 || interface_number >= INTERFACES)
		return LIBUSB_ERROR_INVALID_PARAM;
	pthread_mutex_lock(&ctx->lock);
	if (handle->claimed & 1U << interface_number)
		r = handle_ask(
		    handle,
		    (struct wire_head){ .word = WIRE_RELEASE, .a = (uint8_t)interface_number },
		    nullptr);
	if (r == 0)
		handle->claimed &= ~(1U << interface_number);
	pthread_mutex_unlock(&ctx->lock);
	return r;
}

int libusb_set_interface_alt_setting(libusb_device_handle *handle, int interface_number,
				     int alternate_setting)
{
	struct libusb_context *ctx = handle->device->ctx;
	int r = LIBUSB_ERROR_NOT_FOUND;

	if (interface_number < 0 || interface_number >= INTERFACES || alternate_setting < 0 ||
	    alternate_setting > UINT8_MAX)
		return LIBUSB_ERROR_INVALID_PARAM;
	pthread_mutex_lock(&ctx->lock);
	if (handle->claimed & 1U << interface_number)
		r = handle_ask(handle,
			       (struct wire_head){ .word = WIRE_SET_ALT,
						   .a = (uint8_t)interface_number,
						   .b = (uint8_t)alternate_setting },
			       nullptr);
	pthread_mutex_unlock(&ctx->lock);
	/* Linux looks the setting up in the descriptors before it asks the device */
	return r == LIBUSB_ERROR_OTHER ? LIBUSB_ERROR_NOT_FOUND : r;
}

int libusb_clear_halt(libusb_device_handle *handle, unsigned char endpoint)
{
	struct libusb_context *ctx = handle->device->ctx;
	int r;

	pthread_mutex_lock(&ctx->lock);
	r = handle_ask(handle, (struct wire_head){ .word = WIRE_CLEAR_HALT, .a = endpoint },
		       nullptr);
	pthread_mutex_unlock(&ctx->lock);
	return r;
}

/* NOT_FOUND means that the handle is of no use any more. */
int libusb_reset_device(libusb_device_handle *handle)
{
	struct libusb_context *ctx = handle->device->ctx;
	int r;

	pthread_mutex_lock(&ctx->lock);
	r = handle_ask(handle, (struct wire_head){ .word = WIRE_RESET }, nullptr);
	pthread_mutex_unlock(&ctx->lock);
	if (r == LIBUSB_ERROR_NO_DEVICE)
		return LIBUSB_ERROR_NOT_FOUND;
	return r == LIBUSB_ERROR_BUSY ? LIBUSB_ERROR_OTHER : r;
}

/* No kernel driver is ever bound to a phone here. */
int libusb_kernel_driver_active(libusb_device_handle *handle, int interface_number)
{
	return 0;
}

int libusb_detach_kernel_driver(libusb_device_handle *handle, int interface_number)
{
	return LIBUSB_ERROR_NOT_FOUND;
}

int libusb_attach_kernel_driver(libusb_device_handle *handle, int interface_number)
{
	return LIBUSB_ERROR_NOT_FOUND;
}

int libusb_set_auto_detach_kernel_driver(libusb_device_handle *handle, int enable)
{
	return LIBUSB_SUCCESS;
}
