/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Configuration descriptors as libusb's structures.
 *
 * One parsed configuration owns a copy of its bytes; `extra` of each level points into it: what
 * stands between that descriptor and the next one of a kind with its own structure.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

struct parsed {
	struct libusb_config_descriptor config;
	size_t len;
	uint8_t bytes[];
};

/* What the walk over the bytes is in at the moment. */
struct walk {
	struct libusb_config_descriptor *config;
	struct libusb_interface *interface;
	struct libusb_interface_descriptor *setting;
	struct libusb_endpoint_descriptor *endpoint;
};

static void *grown(const void *array, int count, size_t size)
{
	uint8_t *p = realloc((void *)array, ((size_t)count + 1) * size);

	if (!p)
		abort();
	memset(p + (size_t)count * size, 0, size);
	return p;
}

static struct libusb_interface *interface_find(struct libusb_config_descriptor *config,
					       uint8_t number)
{
	struct libusb_interface *all = (struct libusb_interface *)config->interface;

	for (uint8_t i = 0; i < config->bNumInterfaces; i++)
		if (all[i].altsetting[0].bInterfaceNumber == number)
			return &all[i];
	config->interface = all = grown(all, config->bNumInterfaces, sizeof(*all));
	return &all[config->bNumInterfaces++];
}

static void walk_interface(struct walk *w, const uint8_t *at)
{
	struct libusb_interface_descriptor *settings;

	w->interface = interface_find(w->config, at[2]);
	settings = grown(w->interface->altsetting, w->interface->num_altsetting, sizeof(*settings));
	w->interface->altsetting = settings;
	w->setting = &settings[w->interface->num_altsetting++];
	*w->setting = (struct libusb_interface_descriptor){
		.bLength = at[0],
		.bDescriptorType = at[1],
		.bInterfaceNumber = at[2],
		.bAlternateSetting = at[3],
		.bInterfaceClass = at[5],
		.bInterfaceSubClass = at[6],
		.bInterfaceProtocol = at[7],
		.iInterface = at[8],
	};
	w->endpoint = nullptr;
}

static void walk_endpoint(struct walk *w, const uint8_t *at)
{
	struct libusb_endpoint_descriptor *all;

	all = grown(w->setting->endpoint, w->setting->bNumEndpoints, sizeof(*all));
	w->setting->endpoint = all;
	w->endpoint = &all[w->setting->bNumEndpoints++];
	*w->endpoint = (struct libusb_endpoint_descriptor){
		.bLength = at[0],
		.bDescriptorType = at[1],
		.bEndpointAddress = at[2],
		.bmAttributes = at[3],
		.wMaxPacketSize = (uint16_t)(at[4] | at[5] << 8),
		.bInterval = at[6],
	};
	if (at[0] >= LIBUSB_DT_ENDPOINT_AUDIO_SIZE) {
		w->endpoint->bRefresh = at[7];
		w->endpoint->bSynchAddress = at[8];
	}
}

static void walk_extra(struct walk *w, const uint8_t *at)
{
	const unsigned char **extra = &w->config->extra;
	int *len = &w->config->extra_length;

	if (w->setting) {
		extra = &w->setting->extra;
		len = &w->setting->extra_length;
	}
	if (w->endpoint) {
		extra = &w->endpoint->extra;
		len = &w->endpoint->extra_length;
	}
	if (!*extra)
		*extra = at;
	*len += at[0];
}

/* Lengths are checked; a descriptor that does not fit ends the walk. */
static void config_walk(struct parsed *p)
{
	struct walk w = { .config = &p->config };
	const uint8_t *end = p->bytes + p->len;

	for (const uint8_t *at = p->bytes + p->bytes[0]; end - at >= 2; at += at[0]) {
		if (at[0] < 2 || at[0] > end - at)
			break;
		if (at[1] == LIBUSB_DT_INTERFACE && at[0] >= LIBUSB_DT_INTERFACE_SIZE)
			walk_interface(&w, at);
		else if (at[1] == LIBUSB_DT_ENDPOINT && at[0] >= LIBUSB_DT_ENDPOINT_SIZE &&
			 w.setting)
			walk_endpoint(&w, at);
		else
			walk_extra(&w, at);
	}
}

static int config_parse(const uint8_t *bytes, size_t len, struct libusb_config_descriptor **ret)
{
	struct parsed *p;

	if (len < LIBUSB_DT_CONFIG_SIZE || bytes[0] < LIBUSB_DT_CONFIG_SIZE || bytes[0] > len)
		return LIBUSB_ERROR_IO;
	p = memory(sizeof(*p) + len);
	memcpy(p->bytes, bytes, len);
	p->len = len;
	p->config = (struct libusb_config_descriptor){
		.bLength = bytes[0],
		.bDescriptorType = bytes[1],
		.wTotalLength = (uint16_t)(bytes[2] | bytes[3] << 8),
		.bConfigurationValue = bytes[5],
		.iConfiguration = bytes[6],
		.bmAttributes = bytes[7],
		.MaxPower = bytes[8],
	};
	config_walk(p);
	*ret = &p->config;
	return LIBUSB_SUCCESS;
}

void libusb_free_config_descriptor(struct libusb_config_descriptor *config)
{
	if (!config)
		return;
	for (uint8_t i = 0; i < config->bNumInterfaces; i++) {
		const struct libusb_interface *interface = &config->interface[i];

		for (int a = 0; a < interface->num_altsetting; a++)
			free((void *)interface->altsetting[a].endpoint);
		free((void *)interface->altsetting);
	}
	free((void *)config->interface);
	free((char *)config - offsetof(struct parsed, config));
}

int libusb_get_config_descriptor(libusb_device *dev, uint8_t index,
				 struct libusb_config_descriptor **ret)
{
	if (index >= dev->config_count)
		return LIBUSB_ERROR_NOT_FOUND;
	return config_parse(dev->configs[index].bytes, dev->configs[index].len, ret);
}

int libusb_get_config_descriptor_by_value(libusb_device *dev, uint8_t value,
					  struct libusb_config_descriptor **ret)
{
	for (uint8_t i = 0; i < dev->config_count; i++)
		if (dev->configs[i].len > 5 && dev->configs[i].bytes[5] == value)
			return libusb_get_config_descriptor(dev, i, ret);
	return LIBUSB_ERROR_NOT_FOUND;
}

int libusb_get_active_config_descriptor(libusb_device *dev, struct libusb_config_descriptor **ret)
{
	uint8_t value;

	pthread_mutex_lock(&dev->ctx->lock);
	value = dev->config;
	pthread_mutex_unlock(&dev->ctx->lock);
	if (value == 0)
		return LIBUSB_ERROR_NOT_FOUND;
	return libusb_get_config_descriptor_by_value(dev, value, ret);
}

static const struct libusb_endpoint_descriptor *endpoint_find(
    const struct libusb_config_descriptor *config, uint8_t address)
{
	for (uint8_t i = 0; i < config->bNumInterfaces; i++) {
		const struct libusb_interface *interface = &config->interface[i];

		for (int a = 0; a < interface->num_altsetting; a++) {
			const struct libusb_interface_descriptor *s = &interface->altsetting[a];

			for (uint8_t e = 0; e < s->bNumEndpoints; e++)
				if (s->endpoint[e].bEndpointAddress == address)
					return &s->endpoint[e];
		}
	}
	return nullptr;
}

int libusb_get_max_packet_size(libusb_device *dev, unsigned char endpoint)
{
	const struct libusb_endpoint_descriptor *found;
	struct libusb_config_descriptor *config;
	int r = libusb_get_active_config_descriptor(dev, &config);

	if (r < 0)
		return LIBUSB_ERROR_OTHER;
	found = endpoint_find(config, endpoint);
	r = found ? found->wMaxPacketSize : LIBUSB_ERROR_NOT_FOUND;
	libusb_free_config_descriptor(config);
	return r;
}

/* In the device's first language, what is not ASCII as '?'. */
int libusb_get_string_descriptor_ascii(libusb_device_handle *handle, uint8_t index,
				       unsigned char *data, int length)
{
	unsigned char bytes[255];
	uint16_t language;
	int r, put = 0;

	if (index == 0 || length <= 0)
		return LIBUSB_ERROR_INVALID_PARAM;
	r = libusb_get_string_descriptor(handle, 0, 0, bytes, 4);
	if (r < 0)
		return r;
	if (r != 4 || bytes[0] < 4 || bytes[1] != LIBUSB_DT_STRING)
		return LIBUSB_ERROR_IO;
	language = (uint16_t)(bytes[2] | bytes[3] << 8);
	r = libusb_get_string_descriptor(handle, index, language, bytes, sizeof(bytes));
	if (r < 0)
		return r;
	if (r < 2 || bytes[1] != LIBUSB_DT_STRING || bytes[0] > r)
		return LIBUSB_ERROR_IO;
	for (int at = 2; at + 1 < bytes[0] && put + 1 < length; at += 2)
		data[put++] = bytes[at] & 0x80 || bytes[at + 1] ? '?' : bytes[at];
	data[put] = '\0';
	return put;
}
