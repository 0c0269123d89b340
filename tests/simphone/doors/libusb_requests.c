/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What handles of the libusb door ask: transfers, and what Linux does for them. */
#include <string.h>

#include "doors/libusb_inner.h"

/* ---- transfers ---- */

static uint64_t door_id(const struct client *c, uint32_t id)
{
	return (uint64_t)c->serial << 32 | id;
}

static bool waiting_remove(struct client *c, uint32_t id)
{
	for (unsigned i = 0; i < c->waiting_count; i++) {
		if (c->waiting[i].id != id)
			continue;
		c->waiting[i] = c->waiting[--c->waiting_count];
		return true;
	}
	return false;
}

/* The connection that waits for @id; it does not any more. */
static struct client *waiting_take(struct door_libusb *d, uint64_t id)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &d->clients[i];

		if (c->fd >= 0 && c->serial == id >> 32 && waiting_remove(c, (uint32_t)id))
			return c;
	}
	return nullptr;
}

/* False: a handle does not ask twice with one id, nor for so much at once. */
static bool waiting_add(struct client *c, uint32_t id, uint64_t pipe)
{
	for (unsigned i = 0; i < c->waiting_count; i++)
		if (c->waiting[i].id == id)
			return false;
	if (c->waiting_count == WAITING_MAX)
		return false;
	c->waiting[c->waiting_count].id = id;
	c->waiting[c->waiting_count++].pipe = pipe;
	return true;
}

void wire_waiting_end(struct client *c, uint64_t pipes)
{
	for (unsigned i = c->waiting_count; i-- > 0;) {
		uint32_t id = c->waiting[i].id;

		if (!(c->waiting[i].pipe & pipes))
			continue;
		waiting_remove(c, id);
		usbdev_cancel(c->door->usb, door_id(c, id));
		wire_done(c, id, WIRE_CANCELLED, 0);
	}
}

/* Ends what a reset or another configuration makes usbdev forget. */
static void waiting_end_all(struct door_libusb *d)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (d->clients[i].fd >= 0)
			wire_waiting_end(&d->clients[i], ALL_PIPES);
}

static void transfer_done(struct door_libusb *d, uint64_t id, enum usb_reply reply, size_t number,
			  const uint8_t *bytes, size_t len)
{
	struct wire_head done = { .word = WIRE_DONE,
				  .id = (uint32_t)id,
				  .a = reply == USB_OK ? WIRE_OK : WIRE_STALLED };
	struct client *c = waiting_take(d, id);

	if (!c)
		return;
	if (reply == USB_OK)
		done.number = (uint32_t)number;
	wire_send(c, done, bytes, reply == USB_OK ? len : 0);
}

void wire_control_done(void *user, uint64_t id, const struct usb_setup *setup, enum usb_reply reply,
		       const uint8_t *bytes, size_t len)
{
	transfer_done(user, id, reply, len, bytes, setup->type & 0x80 ? len : 0);
}

void wire_in_done(void *user, uint64_t id, uint8_t ep, enum usb_reply reply, const uint8_t *bytes,
		  size_t len)
{
	transfer_done(user, id, reply, len, bytes, len);
}

void wire_out_done(void *user, uint64_t id, uint8_t ep, enum usb_reply reply, size_t len)
{
	transfer_done(user, id, reply, len, nullptr, 0);
}

/* Of what is not a transfer. */
static void client_answer(struct client *c, uint32_t id, enum usb_reply reply, size_t number)
{
	if (reply == USB_OK)
		wire_done(c, id, WIRE_OK, (uint32_t)number);
	else if (reply == USB_STALL)
		wire_done(c, id, WIRE_STALLED, 0);
}

/* ---- claims ---- */

static bool claimed_by_others(const struct client *c, uint32_t interfaces)
{
	const struct door_libusb *d = c->door;

	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (&d->clients[i] != c && d->clients[i].fd >= 0 &&
		    (d->clients[i].claimed & interfaces))
			return true;
	return false;
}

static bool interface_exists(const struct door_libusb *d, uint8_t interface)
{
	const uint8_t *found[USB_INTERFACES];
	unsigned count = usbdev_interfaces(d->usb, found);

	for (unsigned i = 0; i < count; i++)
		if (found[i][2] == interface)
			return true;
	return false;
}

/* Linux lets go of no interface that is in use, and claims what is used without a claim. */
static enum wire_result interface_use(struct client *c, uint8_t interface)
{
	if (interface >= USB_INTERFACES || !interface_exists(c->door, interface))
		return WIRE_UNKNOWN;
	if (claimed_by_others(c, 1U << interface))
		return WIRE_BUSY;
	c->claimed |= 1U << interface;
	return WIRE_OK;
}

static enum wire_result pipe_use(struct client *c, uint8_t ep, uint8_t *ret_interface)
{
	struct usb_endpoint endpoints[2 * USB_ENDPOINTS];
	const struct usb_endpoint *found =
	    &endpoints[(ep & 0x80 ? USB_ENDPOINTS : 0) + (ep & 0x0f)];

	usbdev_endpoints(c->door->usb, endpoints);
	if (ep & 0x70 || (found->type != 2 && found->type != 3))
		return WIRE_UNKNOWN;
	*ret_interface = found->interface;
	return interface_use(c, found->interface);
}

/* ---- requests of a handle; false: no stand-in sends this ---- */

static bool on_control(struct client *c, const struct wire_head *h, const uint8_t *body)
{
	struct usb_setup setup;
	enum wire_result result;
	bool host_reads;

	if (h->length < WIRE_SETUP)
		return false;
	setup = (struct usb_setup){ body[0], body[1], get_le16(body + 2), get_le16(body + 4),
				    get_le16(body + 6) };
	host_reads = setup.type & 0x80;
	if (setup.length > WIRE_CONTROL_MAX ||
	    h->length != (uint32_t)WIRE_SETUP + (host_reads ? 0 : setup.length))
		return false;
	/* of an interface, and no vendor's */
	if ((setup.type & 0x1f) == 1 && (setup.type & 0x60) != 0x40) {
		result = interface_use(c, (uint8_t)setup.index);
		if (result != WIRE_OK) {
			wire_done(c, h->id, result, 0);
			return true;
		}
	}
	if (!waiting_add(c, h->id, CONTROL_PIPE))
		return false;
	usbdev_control_begin(c->door->usb, door_id(c, h->id), &setup, body + WIRE_SETUP);
	return true;
}

static bool on_out(struct client *c, const struct wire_head *h, const uint8_t *body)
{
	uint8_t interface;
	enum wire_result result = pipe_use(c, h->a, &interface);

	if (h->a & 0x80 || h->length > WIRE_TRANSFER_MAX)
		return false;
	if (result != WIRE_OK) {
		wire_done(c, h->id, result, 0);
		return true;
	}
	if (!waiting_add(c, h->id, (uint64_t)1 << interface))
		return false;
	usbdev_bulk_out_begin(c->door->usb, door_id(c, h->id), h->a, body, h->length);
	return true;
}

static bool on_in(struct client *c, const struct wire_head *h, const uint8_t *body)
{
	uint8_t interface;
	enum wire_result result = pipe_use(c, h->a, &interface);

	if (!(h->a & 0x80) || h->length || h->number > WIRE_TRANSFER_MAX)
		return false;
	if (result != WIRE_OK) {
		wire_done(c, h->id, result, 0);
		return true;
	}
	if (!waiting_add(c, h->id, (uint64_t)1 << interface))
		return false;
	usbdev_bulk_in(c->door->usb, door_id(c, h->id), h->a, h->number);
	return true;
}

/* Also answers what was never going to be; what was answered already, again. */
static bool on_cancel(struct client *c, const struct wire_head *h, const uint8_t *body)
{
	if (waiting_remove(c, h->id))
		usbdev_cancel(c->door->usb, door_id(c, h->id));
	wire_done(c, h->id, WIRE_CANCELLED, 0);
	return h->length == 0;
}

static bool config_exists(const struct usbdev *usb, uint8_t value)
{
	for (uint8_t i = 0; i < usb->shape->config_count; i++)
		if (usb->shape->configs[i].bytes[5] == value)
			return true;
	return value == 0;
}

static bool on_set_config(struct client *c, const struct wire_head *h, const uint8_t *body)
{
	struct door_libusb *d = c->door;
	enum usb_reply reply;

	if (c->claimed || claimed_by_others(c, UINT32_MAX)) {
		wire_done(c, h->id, WIRE_BUSY, 0);
	} else if (!config_exists(d->usb, h->a)) {
		wire_done(c, h->id, WIRE_UNKNOWN, 0);
	} else {
		waiting_end_all(d);
		reply = usbdev_set_config(d->usb, h->a);
		if (reply == USB_OK)
			wire_presence_changed(d);
		client_answer(c, h->id, reply, d->changes);
	}
	return h->length == 0;
}

static bool on_set_alt(struct client *c, const struct wire_head *h, const uint8_t *body)
{
	enum wire_result result = interface_use(c, h->a);

	if (result == WIRE_OK)
		client_answer(c, h->id, usbdev_set_alt(c->door->usb, h->a, h->b), 0);
	else
		wire_done(c, h->id, result, 0);
	return h->length == 0;
}

static bool on_claim(struct client *c, const struct wire_head *h, const uint8_t *body)
{
	wire_done(c, h->id, interface_use(c, h->a), 0);
	return h->length == 0;
}

static bool on_release(struct client *c, const struct wire_head *h, const uint8_t *body)
{
	uint32_t bit = h->a < USB_INTERFACES ? 1U << h->a : 0;
	bool held = c->claimed & bit;

	wire_waiting_end(c, bit);
	c->claimed &= ~bit;
	wire_done(c, h->id, held ? WIRE_OK : WIRE_UNKNOWN, 0);
	return h->length == 0;
}

static bool on_clear_halt(struct client *c, const struct wire_head *h, const uint8_t *body)
{
	const struct usb_setup clear = { 0x02, USB_CLEAR_FEATURE, 0, h->a, 0 };
	uint8_t interface;
	enum wire_result result = pipe_use(c, h->a, &interface);
	BUF_AUTO nothing = {};

	if (result == WIRE_OK)
		client_answer(c, h->id, usbdev_control(c->door->usb, &clear, nullptr, &nothing), 0);
	else
		wire_done(c, h->id, result, 0);
	return h->length == 0;
}

/* Linux puts configuration and settings back as they were. */
static bool on_reset(struct client *c, const struct wire_head *h, const uint8_t *body)
{
	struct usbdev *usb = c->door->usb;
	uint8_t config = usb->config, alts[USB_INTERFACES];

	if (claimed_by_others(c, UINT32_MAX)) {
		wire_done(c, h->id, WIRE_BUSY, 0);
		return h->length == 0;
	}
	memcpy(alts, usb->alts, sizeof(alts));
	waiting_end_all(c->door);
	usbdev_reset(usb);
	if (usb->shape && config) {
		usbdev_set_config(usb, config);
		for (uint8_t i = 0; i < USB_INTERFACES; i++)
			if (alts[i])
				usbdev_set_alt(usb, i, alts[i]);
	}
	wire_done(c, h->id, usb->shape ? WIRE_OK : WIRE_GONE, 0);
	return h->length == 0;
}

static bool on_open(struct client *c, const struct wire_head *h, const uint8_t *body)
{
	const struct door_libusb *d = c->door;
	bool here = d->present && h->a == door_address(d);

	c->opened = here;
	EVLOG(d->log, "libusb-open", LOG_INT("client", c->serial), LOG_INT("address", h->a));
	wire_done(c, h->id, here ? WIRE_OK : WIRE_GONE, 0);
	return h->length == 0;
}

bool wire_request(struct client *c, const struct wire_head *h, const uint8_t *body)
{
	static bool (*const requests[])(struct client *, const struct wire_head *,
					const uint8_t *) = {
		[WIRE_CONTROL] = on_control,
		[WIRE_OUT] = on_out,
		[WIRE_IN] = on_in,
		[WIRE_CANCEL] = on_cancel,
		[WIRE_SET_CONFIG] = on_set_config,
		[WIRE_SET_ALT] = on_set_alt,
		[WIRE_CLAIM] = on_claim,
		[WIRE_RELEASE] = on_release,
		[WIRE_CLEAR_HALT] = on_clear_halt,
		[WIRE_RESET] = on_reset,
	};

	if (!c->opened)
		return h->word == WIRE_OPEN && on_open(c, h, body);
	return h->word < sizeof(requests) / sizeof(requests[0]) && requests[h->word] &&
	       requests[h->word](c, h, body);
}
