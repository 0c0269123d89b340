/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Callbacks for devices that come and go. */
#include <stdlib.h>

#include "standin.h"

void hotplug_tell(struct libusb_context *ctx, struct libusb_device *device,
		  libusb_hotplug_event event)
{
	struct hotplug_message **tail = &ctx->messages;
	struct hotplug_message *m;

	if (!ctx->callbacks)
		return;
	m = memory(sizeof(*m));
	*m = (struct hotplug_message){ .number = ctx->next_message++,
				       .device = libusb_ref_device(device),
				       .event = event };
	while (*tail)
		tail = &(*tail)->next;
	*tail = m;
	context_ring(ctx);
}

static bool callback_wants(const struct hotplug_callback *c, const struct libusb_device *device,
			   libusb_hotplug_event event)
{
	const struct libusb_device_descriptor *d = &device->descriptor;

	return c->events & event &&
	       (c->vendor == LIBUSB_HOTPLUG_MATCH_ANY || c->vendor == d->idVendor) &&
	       (c->product == LIBUSB_HOTPLUG_MATCH_ANY || c->product == d->idProduct) &&
	       (c->class == LIBUSB_HOTPLUG_MATCH_ANY || c->class == d->bDeviceClass);
}

static struct hotplug_callback *callback_find(struct libusb_context *ctx, int id)
{
	struct hotplug_callback *c = ctx->callbacks;

	while (c && c->id != id)
		c = c->next;
	return c;
}

static void callback_remove(struct libusb_context *ctx, int id)
{
	struct hotplug_callback **at = &ctx->callbacks;
	struct hotplug_callback *c;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	c = *at;
	if (!c)
		return;
	*at = c->next;
	free(c);
}

/* Calls callback @id with the context unlocked; it may deregister itself, also by returning 1. */
static void callback_call(struct libusb_context *ctx, int id, struct libusb_device *device,
			  libusb_hotplug_event event)
{
	const struct hotplug_callback *c = callback_find(ctx, id);
	libusb_hotplug_callback_fn fn;
	void *user;
	int done;

	if (!c || !callback_wants(c, device, event))
		return;
	fn = c->fn;
	user = c->user;
	pthread_mutex_unlock(&ctx->lock);
	done = fn(ctx, device, event, user);
	pthread_mutex_lock(&ctx->lock);
	if (done)
		callback_remove(ctx, id);
}

bool hotplug_run(struct libusb_context *ctx)
{
	struct hotplug_message *m = ctx->messages;

	if (!m)
		return false;
	ctx->messages = m->next;
	for (int id = 1; id < ctx->next_callback; id++) {
		const struct hotplug_callback *c = callback_find(ctx, id);

		if (c && m->number >= c->since)
			callback_call(ctx, id, m->device, m->event);
	}
	libusb_unref_device(m->device);
	free(m);
	return true;
}

/* What is on the bus now, each with a reference; NULL-ended. */
static struct libusb_device **devices_now(struct libusb_context *ctx)
{
	struct libusb_device **list;
	size_t count = 0;

	for (const struct link *l = ctx->links; l; l = l->next)
		count++;
	list = memory((count + 1) * sizeof(list[0]));
	count = 0;
	for (const struct link *l = ctx->links; l; l = l->next)
		if (l->device)
			list[count++] = libusb_ref_device(l->device);
	return list;
}

int libusb_hotplug_register_callback(libusb_context *ctx, int events, int flags, int vendor_id,
				     int product_id, int dev_class, libusb_hotplug_callback_fn cb,
				     void *user_data, libusb_hotplug_callback_handle *ret_handle)
{
	const int known = LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT;
	struct libusb_device **devices;
	struct hotplug_callback *c;
	int id;

	if (!events || events & ~known || flags & ~LIBUSB_HOTPLUG_ENUMERATE || !cb)
		return LIBUSB_ERROR_INVALID_PARAM;
	ctx = context_of(ctx);
	c = memory(sizeof(*c));
	*c = (struct hotplug_callback){ .events = events,
					.vendor = vendor_id,
					.product = product_id,
					.class = dev_class,
					.fn = cb,
					.user = user_data };
	pthread_mutex_lock(&ctx->lock);
	id = c->id = ctx->next_callback++;
	c->since = ctx->next_message;
	c->next = ctx->callbacks;
	ctx->callbacks = c;
	if (ret_handle)
		*ret_handle = id;
	devices = devices_now(ctx);
	for (size_t i = 0; devices[i]; i++) {
		if (flags & LIBUSB_HOTPLUG_ENUMERATE)
			callback_call(ctx, id, devices[i], LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED);
		libusb_unref_device(devices[i]);
	}
	pthread_mutex_unlock(&ctx->lock);
	free(devices);
	return LIBUSB_SUCCESS;
}

void libusb_hotplug_deregister_callback(libusb_context *ctx,
					libusb_hotplug_callback_handle callback_handle)
{
	ctx = context_of(ctx);
	pthread_mutex_lock(&ctx->lock);
	callback_remove(ctx, callback_handle);
	pthread_mutex_unlock(&ctx->lock);
}

void *libusb_hotplug_get_user_data(libusb_context *ctx,
				   libusb_hotplug_callback_handle callback_handle)
{
	const struct hotplug_callback *c;
	void *user;

	ctx = context_of(ctx);
	pthread_mutex_lock(&ctx->lock);
	c = callback_find(ctx, callback_handle);
	user = c ? c->user : nullptr;
	pthread_mutex_unlock(&ctx->lock);
	return user;
}
