/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "usbdev.h"

#include <string.h>

#include "text.h"
#include "usb_knobs.h"
#include "usb_pipes.h"

enum {
	FULL_SPEED_BULK = 64,
	FULL_SPEED_INTERVAL = 0x40,
	CONFIG1_STALLS = 3,
	CONFIG_POWER = 8, /* offset of bMaxPower */
};

/* ---- descriptors ---- */

/* The descriptor behind @at in a configuration, or NULL at its end. */
static const uint8_t *descriptor_next(const uint8_t *at, const uint8_t *end)
{
	at += at[0];
	return at < end ? at : nullptr;
}

void usbdev_device_descriptor(const struct usbdev *dev, uint8_t ret_bytes[18])
{
	const struct shape *s = dev->shape;

	memset(ret_bytes, 0, 18);
	ret_bytes[0] = 18;
	ret_bytes[1] = USB_DT_DEVICE;
	put_le16(ret_bytes + 2, 0x0200);
	ret_bytes[7] = 64;
	put_le16(ret_bytes + 8, s->vendor);
	put_le16(ret_bytes + 10, dev->product);
	put_le16(ret_bytes + 12, s->bcd_device);
	ret_bytes[14] = s->i_manufacturer;
	ret_bytes[15] = s->i_product;
	ret_bytes[16] = s->i_serial;
	ret_bytes[17] = s->config_count;
}

/* Tables hold high speed; at full speed bulk packets are 64 bytes and interrupt pipes are polled in
 * ms. */
static void config_slow_down(uint8_t *bytes, size_t len)
{
	for (uint8_t *at = bytes; at < bytes + len; at += at[0]) {
		if (at[1] != USB_DT_ENDPOINT)
			continue;
		if ((at[3] & 3) == 2)
			put_le16(at + 4, FULL_SPEED_BULK);
		if ((at[3] & 3) == 3)
			at[6] = FULL_SPEED_INTERVAL;
	}
}

/* bMaxPower counts in 2 mA. */
static uint8_t max_power_units(uint64_t ma)
{
	return ma / 2 > UINT8_MAX ? UINT8_MAX : (uint8_t)(ma / 2);
}

bool usbdev_config_descriptor(const struct usbdev *dev, uint8_t index, enum usb_speed speed,
			      struct buf *to)
{
	size_t start = to->len;

	if (index >= dev->shape->config_count)
		return false;
	buf_add(to, dev->shape->configs[index].bytes, dev->shape->configs[index].len);
	if (dev->knobs && dev->knobs->max_power_ma)
		to->bytes[start + CONFIG_POWER] = max_power_units(dev->knobs->max_power_ma);
	if (speed == SPEED_FULL)
		config_slow_down(to->bytes + start, to->len - start);
	return true;
}

static bool string_descriptor(const struct usbdev *dev, uint8_t index, struct buf *in)
{
	BUF_AUTO text = {};
	uint8_t units[255] = {};
	uint8_t len = 2;

	if (index == 0) {
		buf_add(in, (const uint8_t[]){ 4, USB_DT_STRING, 0x09, 0x04 }, 4);
		return true;
	}
	if (!dev->engine.string || !dev->engine.string(dev->engine.user, index, &text))
		return false;
	for (const char *p = buf_text(&text); *p && len <= 252;) {
		uint32_t rune = text_next_rune(&p);

		/* beyond the first plane: a replacement will do, no phone sends one */
		put_le16(units + len, rune < 0x10000 ? (uint16_t)rune : 0xfffd);
		len += 2;
	}
	units[0] = len;
	units[1] = USB_DT_STRING;
	buf_add(in, units, len);
	return true;
}

static bool qualifier_descriptor(const struct usbdev *dev, struct buf *in)
{
	uint8_t device[18];
	uint8_t qualifier[10] = { 10, USB_DT_QUALIFIER };

	usbdev_device_descriptor(dev, device);
	memcpy(qualifier + 2, device + 2, 6);
	qualifier[8] = device[17];
	buf_add(in, qualifier, sizeof(qualifier));
	return true;
}

static bool other_speed_descriptor(const struct usbdev *dev, uint8_t index, struct buf *in)
{
	enum usb_speed other = dev->speed == SPEED_HIGH ? SPEED_FULL : SPEED_HIGH;

	if (!usbdev_config_descriptor(dev, index, other, in))
		return false;
	in->bytes[1] = USB_DT_OTHER_SPEED;
	return true;
}

/* As a phone that was just restored does. */
static bool config_stalls(struct usbdev *dev, uint8_t index)
{
	return dev->knobs && dev->knobs->cfg1_stall && index == 1 &&
	       dev->config1_stalls < CONFIG1_STALLS && ++dev->config1_stalls;
}

static bool descriptor_get(struct usbdev *dev, const struct usb_setup *setup, struct buf *in)
{
	uint8_t index = (uint8_t)setup->value;
	uint8_t device[18];

	switch (setup->value >> 8) {
	case USB_DT_DEVICE:
		usbdev_device_descriptor(dev, device);
		buf_add(in, device, sizeof(device));
		return true;
	case USB_DT_CONFIG:
		return !config_stalls(dev, index) &&
		       usbdev_config_descriptor(dev, index, dev->speed, in);
	case USB_DT_STRING:
		return string_descriptor(dev, index, in);
	case USB_DT_QUALIFIER:
		return qualifier_descriptor(dev, in);
	case USB_DT_OTHER_SPEED:
		return other_speed_descriptor(dev, index, in);
	default:
		return false;
	}
}

/* Bytes of the chosen configuration and where they end; NULL if none is chosen. */
static const uint8_t *config_chosen(const struct usbdev *dev, const uint8_t **ret_end)
{
	for (uint8_t i = 0; dev->shape && dev->config && i < dev->shape->config_count; i++) {
		const uint8_t *bytes = dev->shape->configs[i].bytes;

		if (bytes[5] == dev->config) {
			*ret_end = bytes + dev->shape->configs[i].len;
			return bytes;
		}
	}
	return nullptr;
}

unsigned usbdev_interfaces(const struct usbdev *dev, const uint8_t *ret_interfaces[USB_INTERFACES])
{
	const uint8_t *end = nullptr;
	unsigned count = 0;

	for (const uint8_t *at = config_chosen(dev, &end); at; at = descriptor_next(at, end))
		if (at[1] == USB_DT_INTERFACE && at[3] == dev->alts[at[2]] &&
		    count < USB_INTERFACES)
			ret_interfaces[count++] = at;
	return count;
}

void usbdev_endpoints(const struct usbdev *dev,
		      struct usb_endpoint ret_endpoints[2 * USB_ENDPOINTS])
{
	const uint8_t *end = nullptr, *interface = nullptr;
	const struct usb_endpoint absent = { .type = 255 }, control = { .max_packet = 64 };

	for (size_t i = 0; i < (size_t)2 * USB_ENDPOINTS; i++)
		ret_endpoints[i] = i % USB_ENDPOINTS ? absent : control;
	for (const uint8_t *at = config_chosen(dev, &end); at; at = descriptor_next(at, end)) {
		if (at[1] == USB_DT_INTERFACE)
			interface = at[3] == dev->alts[at[2]] ? at : nullptr;
		if (at[1] != USB_DT_ENDPOINT || !interface)
			continue;
		ret_endpoints[usb_slot(at[2])] = (struct usb_endpoint){
			.type = at[3] & 3,
			.interval = dev->speed == SPEED_FULL && (at[3] & 3) == 3
					? FULL_SPEED_INTERVAL
					: at[6],
			.interface = interface[2],
			.max_packet = dev->speed == SPEED_FULL && (at[3] & 3) == 2
					  ? FULL_SPEED_BULK
					  : get_le16(at + 4),
		};
	}
}

/* ---- control ---- */

static enum usb_reply status_get(const struct usbdev *dev, const struct usb_setup *setup,
				 struct buf *in)
{
	uint8_t status[2] = {};
	const uint8_t *end = nullptr;
	const uint8_t *config = config_chosen(dev, &end);

	if ((setup->type & 0x1f) == 0)
		status[0] = config && config[7] & 0x40 ? 1 : 0; /* self-powered */
	else if ((setup->type & 0x1f) == 2)
		status[0] = dev->halted[usb_slot((uint8_t)setup->index)];
	buf_add(in, status, sizeof(status));
	return USB_OK;
}

static enum usb_reply standard_request(struct usbdev *dev, const struct usb_setup *setup,
				       struct buf *in)
{
	switch (usb_request(setup)) {
	case 0x8000 | USB_GET_DESCRIPTOR:
		return descriptor_get(dev, setup, in) ? USB_OK : USB_STALL;
	case 0x8000 | USB_GET_STATUS:
	case 0x8100 | USB_GET_STATUS:
	case 0x8200 | USB_GET_STATUS:
		return status_get(dev, setup, in);
	case 0x0200 | USB_CLEAR_FEATURE:
	case 0x0200 | USB_SET_FEATURE:
		if (setup->value != 0) /* ENDPOINT_HALT */
			return USB_STALL;
		dev->halted[usb_slot((uint8_t)setup->index)] = setup->request == USB_SET_FEATURE;
		return USB_OK;
	default:
		return USB_STALL;
	}
}

static bool request_stalls(const struct usbdev *dev, const struct usb_setup *setup)
{
	return dev->knobs && dev->knobs->stall_ep0 && usb_request(setup) == dev->knobs->stall_ep0;
}

enum usb_reply usbdev_control(struct usbdev *dev, const struct usb_setup *setup, const uint8_t *out,
			      struct buf *in)
{
	bool standard = (setup->type & 0x60) == 0;
	enum usb_reply reply = USB_STALL;

	dev->later_ms = 0;
	if (!dev->shape || dev->silent)
		return USB_SILENT;
	if (request_stalls(dev, setup))
		return USB_STALL;
	/* descriptors of an interface (a HID report) are the engine's */
	if (standard && usb_request(setup) != (0x8100 | USB_GET_DESCRIPTOR))
		reply = standard_request(dev, setup, in);
	else if (dev->engine.control)
		reply = dev->engine.control(dev->engine.user, setup, out, in);
	if (in->len > setup->length)
		in->len = setup->length;
	if (!standard && dev->engine.moved)
		dev->engine.moved(dev->engine.user, setup->type & 0x80 ? in->len : setup->length);
	return reply;
}

enum usb_reply usbdev_set_config(struct usbdev *dev, uint8_t value)
{
	const uint8_t *end = nullptr;
	uint8_t before = dev->config;

	if (!dev->shape || dev->silent)
		return USB_SILENT;
	dev->config = value;
	if (value && !config_chosen(dev, &end)) {
		dev->config = before;
		return USB_STALL;
	}
	memset(dev->alts, 0, sizeof(dev->alts));
	memset(dev->halted, 0, sizeof(dev->halted));
	usb_pipes_drop(dev);
	if (dev->engine.configured)
		dev->engine.configured(dev->engine.user, value);
	return USB_OK;
}

enum usb_reply usbdev_set_alt(struct usbdev *dev, uint8_t interface, uint8_t alt)
{
	const uint8_t *end = nullptr;

	if (dev->silent)
		return USB_SILENT;
	for (const uint8_t *at = config_chosen(dev, &end); at; at = descriptor_next(at, end)) {
		if (at[1] != USB_DT_INTERFACE || at[2] != interface || at[3] != alt)
			continue;
		dev->alts[interface] = alt;
		return USB_OK;
	}
	return USB_STALL;
}

void usbdev_reset(struct usbdev *dev)
{
	if (!dev->shape)
		return;
	dev->config = 0;
	memset(dev->alts, 0, sizeof(dev->alts));
	memset(dev->halted, 0, sizeof(dev->halted));
	usb_pipes_drop(dev);
	if (dev->engine.reset)
		dev->engine.reset(dev->engine.user);
}

void usbdev_attach(struct usbdev *dev, const struct shape *shape, uint16_t product,
		   enum usb_speed speed, const struct usb_engine *engine)
{
	dev->shape = shape;
	dev->product = product;
	dev->speed = speed;
	dev->engine = *engine;
	dev->config1_stalls = 0;
	if (dev->door.attach)
		dev->door.attach(dev->door.user);
}

void usbdev_detach(struct usbdev *dev)
{
	if (!dev->shape)
		return;
	dev->shape = nullptr;
	dev->config = 0;
	memset(dev->alts, 0, sizeof(dev->alts));
	memset(dev->halted, 0, sizeof(dev->halted));
	usb_pipes_drop(dev);
	if (dev->door.detach)
		dev->door.detach(dev->door.user);
}
