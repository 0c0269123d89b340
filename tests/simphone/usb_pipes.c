/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The queues of usbdev.h.
 *
 *   IN   usbdev_bulk_in() ─▶ wanted ─┐
 *        usbdev_send() ────▶ ready ──┴─▶ done()
 *
 *   OUT  usbdev_bulk_out_begin() ─▶ outs: the oldest ──engine──▶ done(), at once or by a timer;
 *        never answered: it stays, and the pipe with it
 */
#include "usb_pipes.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "usb_knobs.h"

/* Ceilings for a host that only asks. A real phone would take no more; here it is lost. */
enum {
	UNDER_WAY_MAX = 4096,
	OUTS_BYTES_MAX = 32 * 1024 * 1024,
	READY_BYTES_MAX = 16 * 1024 * 1024, /* of one IN pipe */
};

struct usb_request_in {
	struct usb_request_in *next;
	uint64_t id;
	size_t len;
};

struct usb_message {
	struct usb_message *next;
	uint64_t due_ms;
	size_t len, sent;
	uint8_t bytes[];
};

/* A control request or a bulk OUT transfer. */
struct usb_transfer {
	struct usb_transfer *next;
	struct usbdev *dev;
	uint64_t id;
	struct usb_setup setup; /* control */
	uint8_t ep;             /* 0: control */
	bool begun;             /* the engine has seen it */
	enum usb_reply reply;
	struct timer timer; /* armed: the answer is on its way */
	struct buf bytes;   /* control: what it reads; OUT: what it brings, until it has begun */
	size_t len;         /* OUT: taken */
	size_t counted;     /* OUT: its part of outs_bytes */
};

static const struct usb_knobs polite;

static const struct usb_knobs *knobs_of(const struct usbdev *dev)
{
	return dev->knobs ? dev->knobs : &polite;
}

void usbdev_later(struct usbdev *dev, uint64_t ms)
{
	if (ms > dev->later_ms)
		dev->later_ms = ms;
}

static void moved(struct usbdev *dev, size_t len)
{
	if (dev->engine.moved && len > 0)
		dev->engine.moved(dev->engine.user, len);
}

/* ---- control and OUT transfers under way ---- */

/* NULL: the host asks for too much at once. */
static struct usb_transfer *transfer_new(struct usbdev *dev, uint64_t id, size_t out_len,
					 struct usb_transfer **tail)
{
	struct usb_transfer *t;

	if (dev->under_way == UNDER_WAY_MAX || out_len > OUTS_BYTES_MAX - dev->outs_bytes)
		return nullptr;
	t = calloc(1, sizeof(*t));
	if (!t)
		die("out of memory");
	dev->under_way++;
	dev->outs_bytes += out_len;
	t->dev = dev;
	t->id = id;
	t->counted = out_len;
	while (*tail)
		tail = &(*tail)->next;
	*tail = t;
	return t;
}

static void transfer_free(struct usb_transfer **head, struct usb_transfer *t)
{
	while (*head != t)
		head = &(*head)->next;
	*head = t->next;
	t->dev->under_way--;
	t->dev->outs_bytes -= t->counted;
	timer_disarm(t->dev->timers, &t->timer);
	buf_done(&t->bytes);
	free(t);
}

static void transfers_drop(struct usb_transfer **head)
{
	while (*head)
		transfer_free(head, *head);
}

static struct usb_transfer *transfer_find(struct usb_transfer *first, uint64_t id)
{
	while (first && first->id != id)
		first = first->next;
	return first;
}

static void control_answer(void *user)
{
	struct usb_transfer *t = user;
	struct usbdev *dev = t->dev;
	struct usb_transfer copy = *t;
	bool reads = t->setup.type & 0x80;

	t->bytes = (struct buf){};
	transfer_free(&dev->controls, t);
	if (copy.reply != USB_OK)
		buf_clear(&copy.bytes);
	if (dev->door.control_done)
		dev->door.control_done(dev->door.user, copy.id, &copy.setup, copy.reply,
				       reads ? copy.bytes.bytes : nullptr,
				       reads ? copy.bytes.len : copy.setup.length);
	buf_done(&copy.bytes);
}

void usbdev_control_begin(struct usbdev *dev, uint64_t id, const struct usb_setup *setup,
			  const uint8_t *out)
{
	struct usb_transfer *t;
	BUF_AUTO in = {};
	enum usb_reply reply = usbdev_control(dev, setup, out, &in);

	if (!dev->shape)
		return; /* the request made it leave */
	t = transfer_new(dev, id, 0, &dev->controls);
	if (!t)
		return;
	t->setup = *setup;
	t->reply = reply;
	t->bytes = in;
	in = (struct buf){};
	if (reply == USB_SILENT)
		return; /* until it is cancelled */
	if (dev->later_ms)
		timer_arm(dev->timers, &t->timer, dev->later_ms, control_answer, t);
	else
		control_answer(t);
}

static void outs_run(struct usbdev *dev, size_t ep);

static void out_answer(void *user)
{
	struct usb_transfer *t = user;
	struct usbdev *dev = t->dev;
	struct usb_transfer copy = *t;

	transfer_free(&dev->outs[t->ep & 0x0f], t);
	if (dev->door.bulk_out_done)
		dev->door.bulk_out_done(dev->door.user, copy.id, copy.ep, copy.reply, copy.len);
	outs_run(dev, copy.ep & 0x0f);
}

/* Shows the oldest transfer of the pipe to the engine, and the next ones as it is answered. */
static void outs_run(struct usbdev *dev, size_t ep)
{
	struct usb_transfer *t = dev->outs[ep];
	enum usb_reply reply;
	struct buf bytes;
	uint64_t id;

	if (!t || t->begun || dev->silent || knobs_of(dev)->nak_forever)
		return;
	id = t->id;
	t->begun = true;
	t->len = t->bytes.len;
	bytes = t->bytes;
	t->bytes = (struct buf){};
	reply = usbdev_bulk_out(dev, t->ep, bytes.bytes, bytes.len);
	buf_done(&bytes);
	/* silent: until it is cancelled; gone: the bytes made the device leave or reset */
	if (reply == USB_SILENT || transfer_find(dev->outs[ep], id) != t)
		return;
	t->reply = reply;
	if (dev->later_ms)
		timer_arm(dev->timers, &t->timer, dev->later_ms, out_answer, t);
	else
		out_answer(t);
}

void usbdev_bulk_out_begin(struct usbdev *dev, uint64_t id, uint8_t ep, const uint8_t *bytes,
			   size_t len)
{
	struct usb_transfer *t;

	if (!dev->shape)
		return;
	t = transfer_new(dev, id, len, &dev->outs[ep & 0x0f]);
	if (!t)
		return;
	t->ep = ep;
	buf_add(&t->bytes, bytes, len);
	outs_run(dev, ep & 0x0f);
}

enum usb_reply usbdev_bulk_out(struct usbdev *dev, uint8_t ep, const uint8_t *bytes, size_t len)
{
	struct usb_endpoint endpoints[2 * USB_ENDPOINTS];
	enum usb_reply reply = USB_OK;

	dev->later_ms = 0;
	if (!dev->shape || dev->silent || knobs_of(dev)->nak_forever)
		return USB_SILENT;
	usbdev_endpoints(dev, endpoints);
	if (endpoints[usb_slot(ep)].type == 255 || dev->halted[usb_slot(ep)])
		return USB_STALL;
	usbdev_later(dev, knobs_of(dev)->delay_ep_ms);
	if (ep == knobs_of(dev)->stall_ep)
		reply = USB_STALL;
	else if (dev->engine.bulk_out)
		reply = dev->engine.bulk_out(dev->engine.user, ep, bytes, len);
	/* a pipe that has stalled stays so until the host clears it */
	if (reply == USB_STALL)
		dev->halted[usb_slot(ep)] = true;
	else
		moved(dev, len);
	return reply;
}

/* ---- IN pipes ---- */

static void ready_drop(struct usbdev *dev, size_t ep)
{
	while (dev->ready[ep]) {
		struct usb_message *m = dev->ready[ep];

		dev->ready[ep] = m->next;
		free(m);
	}
	dev->ready_bytes[ep] = 0;
}

static void request_remove(struct usbdev *dev, size_t ep)
{
	struct usb_request_in *r = dev->wanted[ep];

	dev->wanted[ep] = r->next;
	dev->under_way--;
	free(r);
}

static void in_match(struct usbdev *dev, size_t ep);

/* A timer that ran out is not armed any more. */
static void in_timer(void *user)
{
	struct usbdev *dev = user;

	for (size_t ep = 0; ep < USB_ENDPOINTS; ep++)
		if (!dev->in_timers[ep].armed)
			in_match(dev, ep);
}

static void in_done(struct usbdev *dev, size_t ep, enum usb_reply reply, const uint8_t *bytes,
		    size_t len)
{
	uint64_t id = dev->wanted[ep]->id;

	request_remove(dev, ep);
	if (dev->door.bulk_in_done)
		dev->door.bulk_in_done(dev->door.user, id, (uint8_t)(0x80 | ep), reply, bytes, len);
}

/* Matches waiting requests with waiting bytes, oldest first. */
static void in_match(struct usbdev *dev, size_t ep)
{
	while (dev->wanted[ep] && dev->ready[ep] && !dev->silent && !knobs_of(dev)->nak_forever) {
		uint64_t most = knobs_of(dev)->bulk_short;
		struct usb_message *m = dev->ready[ep];
		size_t len = m->len - m->sent;
		size_t at = m->sent;
		bool whole;

		if (m->due_ms > dev->timers->now_ms) {
			timer_arm(dev->timers, &dev->in_timers[ep], m->due_ms - dev->timers->now_ms,
				  in_timer, dev);
			return;
		}
		if (len > dev->wanted[ep]->len)
			len = dev->wanted[ep]->len;
		if (most && len > most)
			len = (size_t)most;
		/* before the door hears: it may ask for more */
		m->sent += len;
		whole = m->sent == m->len;
		if (whole) {
			dev->ready[ep] = m->next;
			dev->ready_bytes[ep] -= sizeof(*m) + m->len;
		}
		in_done(dev, ep, USB_OK, m->bytes + at, len);
		moved(dev, len);
		if (whole)
			free(m);
	}
}

void usbdev_send(struct usbdev *dev, uint8_t ep, const void *bytes, size_t len)
{
	size_t pipe = ep & 0x0f;
	struct usb_message *m;

	if (!dev->shape || dev->silent ||
	    dev->ready_bytes[pipe] + sizeof(*m) + len > READY_BYTES_MAX)
		return;
	m = calloc(1, sizeof(*m) + len);
	if (!m)
		die("out of memory");
	m->due_ms = dev->timers->now_ms + knobs_of(dev)->delay_ep_ms;
	m->len = len;
	if (len > 0)
		memcpy(m->bytes, bytes, len);
	if (dev->ready[pipe])
		dev->ready_last[pipe]->next = m;
	else
		dev->ready[pipe] = m;
	dev->ready_last[pipe] = m;
	dev->ready_bytes[pipe] += sizeof(*m) + len;
	in_match(dev, pipe);
}

void usbdev_drop(struct usbdev *dev, uint8_t ep)
{
	ready_drop(dev, ep & 0x0f);
}

static bool in_stalls(const struct usbdev *dev, uint8_t ep)
{
	struct usb_endpoint endpoints[2 * USB_ENDPOINTS];

	usbdev_endpoints(dev, endpoints);
	return endpoints[usb_slot(ep)].type == 255 || dev->halted[usb_slot(ep)] ||
	       ep == knobs_of(dev)->stall_ep;
}

void usbdev_bulk_in(struct usbdev *dev, uint64_t id, uint8_t ep, size_t len)
{
	struct usb_request_in **tail = &dev->wanted[ep & 0x0f];
	struct usb_request_in *r;

	if (!dev->shape)
		return;
	if (in_stalls(dev, ep) && !dev->silent) {
		if (dev->door.bulk_in_done)
			dev->door.bulk_in_done(dev->door.user, id, ep, USB_STALL, nullptr, 0);
		return;
	}
	if (dev->under_way == UNDER_WAY_MAX)
		return;
	dev->under_way++;
	r = calloc(1, sizeof(*r));
	if (!r)
		die("out of memory");
	*r = (struct usb_request_in){ .id = id, .len = len };
	while (*tail)
		tail = &(*tail)->next;
	*tail = r;
	in_match(dev, ep & 0x0f);
}

/* ---- all of them ---- */

static bool in_cancel(struct usbdev *dev, size_t ep, uint64_t id)
{
	for (struct usb_request_in **p = &dev->wanted[ep]; *p; p = &(*p)->next) {
		struct usb_request_in *r = *p;

		if (r->id != id)
			continue;
		*p = r->next;
		dev->under_way--;
		free(r);
		return true;
	}
	return false;
}

bool usbdev_cancel(struct usbdev *dev, uint64_t id)
{
	struct usb_transfer *t = transfer_find(dev->controls, id);

	if (t) {
		transfer_free(&dev->controls, t);
		return true;
	}
	for (size_t ep = 0; ep < USB_ENDPOINTS; ep++) {
		if (in_cancel(dev, ep, id))
			return true;
		t = transfer_find(dev->outs[ep], id);
		if (!t)
			continue;
		transfer_free(&dev->outs[ep], t);
		outs_run(dev, ep);
		return true;
	}
	return false;
}

void usb_pipes_drop(struct usbdev *dev)
{
	for (size_t ep = 0; ep < USB_ENDPOINTS; ep++) {
		ready_drop(dev, ep);
		while (dev->wanted[ep])
			request_remove(dev, ep);
		transfers_drop(&dev->outs[ep]);
		timer_disarm(dev->timers, &dev->in_timers[ep]);
	}
	transfers_drop(&dev->controls);
}
