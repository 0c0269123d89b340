/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The bus side of a USB device: chapter 9 requests, configurations, alternate settings, halted
 * pipes (usbdev.c), and the queues between a mode's engine and whoever carries the transfers, a
 * door (usb_pipes.c).
 *
 *      door ──control, bulk_out, bulk_in (id), cancel──▶ usbdev ──control, bulk_out, reset──▶
 * engine ◀──attach, detach, …_done (id)──────────────        ◀──usbdev_send(ep, bytes)────
 *                                                               ◀──usbdev_later(ms)──────────
 *
 * Invariants: of an IN pipe, either requests wait for bytes or messages wait for requests, never
 * both, but for what a knob holds back. A detached device has configuration 0 and empty queues.
 * Each request is answered by exactly one …_done(), unless it is cancelled (usbdev_cancel() then
 * reports it), is never answered (USB_SILENT), or the device resets or leaves, which drops it
 * silently. An OUT pipe takes its transfers one after the other: while one waits for its answer,
 * those behind it are not looked at. What a host asks without end is not answered either, and
 * messages that it never fetches are lost (ceilings in usb_pipes.c).
 */
#pragma once

#include "buf.h"
#include "shape.h"
#include "timers.h"
#include "usb.h"

/* What a door is told. The door may be absent (a phone that nobody connected to). */
struct usb_door {
	void (*attach)(void *user);
	void (*detach)(void *user);
	void (*bulk_in_done)(void *user, uint64_t id, uint8_t ep, enum usb_reply reply,
			     const uint8_t *bytes, size_t len);
	void *user;
	/* Answers to the …_begin() requests, perhaps before those return. Needed only by doors that
	 * use them. @bytes: what an IN request reads; @len: its bytes, or those taken of an OUT
	 * request. */
	void (*control_done)(void *user, uint64_t id, const struct usb_setup *setup,
			     enum usb_reply reply, const uint8_t *bytes, size_t len);
	void (*bulk_out_done)(void *user, uint64_t id, uint8_t ep, enum usb_reply reply,
			      size_t len);
};

/*
 * What a mode answers beyond chapter 9. Any may be NULL: requests then stall, bytes are swallowed.
 * control() appends to @in for IN transfers; what exceeds setup->length is cut. String descriptors
 * come from string(), as UTF-8; false means there is none.
 */
struct usb_engine {
	enum usb_reply (*control)(void *user, const struct usb_setup *setup, const uint8_t *out,
				  struct buf *in);
	enum usb_reply (*bulk_out)(void *user, uint8_t ep, const uint8_t *bytes, size_t len);
	void (*reset)(void *user);
	void (*configured)(void *user, uint8_t value);
	bool (*string)(void *user, uint8_t index, struct buf *to);
	void *user;
	/* Bytes have passed: of a control request beyond chapter 9, or over a pipe. */
	void (*moved)(void *user, size_t len);
};

struct usb_endpoint {
	uint8_t type; /* 0 control, 1 isochronous, 2 bulk, 3 interrupt, 255 absent */
	uint8_t interval;
	uint8_t interface;
	uint16_t max_packet;
};

struct usb_request_in;
struct usb_message;
struct usb_transfer;
struct usb_knobs;

struct usbdev {
	const struct shape *shape; /* NULL while detached */
	uint16_t product;
	enum usb_speed speed;
	struct usb_engine engine;
	struct usb_door door;
	uint8_t config; /* bConfigurationValue, 0: none */
	uint8_t alts[USB_INTERFACES];
	bool halted[2 * USB_ENDPOINTS];               /* index: OUT n → n, IN n → 16 + n */
	struct usb_request_in *wanted[USB_ENDPOINTS]; /* oldest first */
	struct usb_message *ready[USB_ENDPOINTS];     /* oldest first */
	struct usb_message *ready_last[USB_ENDPOINTS];
	size_t ready_bytes[USB_ENDPOINTS];
	struct usb_transfer *controls;            /* wait for their answer */
	struct usb_transfer *outs[USB_ENDPOINTS]; /* oldest first; only that one was looked at */
	struct timer in_timers[USB_ENDPOINTS];    /* of bytes that are held back */
	unsigned under_way;                       /* requests of all kinds */
	size_t outs_bytes;                        /* of OUT transfers under way */

	/* The owner's to set before the first attach, and to change at any time. */
	struct timers *timers;         /* borrowed */
	const struct usb_knobs *knobs; /* borrowed */
	bool silent;                   /* on the bus, but answers nothing, chapter 9 included */

	uint64_t later_ms;       /* see usbdev_later() */
	unsigned config1_stalls; /* so far, of cfg1_stall */
};

void usbdev_attach(struct usbdev *dev, const struct shape *shape, uint16_t product,
		   enum usb_speed speed, const struct usb_engine *engine);
void usbdev_detach(struct usbdev *dev);

/* Queues one message on the IN pipe @ep (0x81 …); a short transfer ends it. Dropped if detached. */
void usbdev_send(struct usbdev *dev, uint8_t ep, const void *bytes, size_t len);
/* Forgets what waits on the IN pipe. */
void usbdev_drop(struct usbdev *dev, uint8_t ep);

/*
 * For the engine, inside control(), bulk_out() or string(): the answer of this request goes out in
 * @ms, if the door uses …_begin(); else at once.
 */
void usbdev_later(struct usbdev *dev, uint64_t ms);

/*
 * The door's side. @out holds setup->length bytes of an OUT transfer; it is copied if need be. Ids
 * are the door's, unique among the requests under way.
 */
void usbdev_control_begin(struct usbdev *dev, uint64_t id, const struct usb_setup *setup,
			  const uint8_t *out);
void usbdev_bulk_out_begin(struct usbdev *dev, uint64_t id, uint8_t ep, const uint8_t *bytes,
			   size_t len);

/* The same for doors that cannot wait: a late answer comes at once, USB_SILENT stays unanswered. */
enum usb_reply usbdev_control(struct usbdev *dev, const struct usb_setup *setup, const uint8_t *out,
			      struct buf *in);
enum usb_reply usbdev_set_config(struct usbdev *dev, uint8_t value);
enum usb_reply usbdev_set_alt(struct usbdev *dev, uint8_t interface, uint8_t alt);
enum usb_reply usbdev_bulk_out(struct usbdev *dev, uint8_t ep, const uint8_t *bytes, size_t len);
void usbdev_bulk_in(struct usbdev *dev, uint64_t id, uint8_t ep, size_t len);
/* True if @id was waiting; it will not be answered any more. */
bool usbdev_cancel(struct usbdev *dev, uint64_t id);
void usbdev_reset(struct usbdev *dev);

/* Pipes of the chosen configuration and settings; index as in @halted. */
void usbdev_endpoints(const struct usbdev *dev,
		      struct usb_endpoint ret_endpoints[2 * USB_ENDPOINTS]);
/* Interface descriptors (of their chosen setting), at most USB_INTERFACES; returns how many. */
unsigned usbdev_interfaces(const struct usbdev *dev, const uint8_t *ret_interfaces[USB_INTERFACES]);

/* Descriptors as the host reads them. False: there is none. */
void usbdev_device_descriptor(const struct usbdev *dev, uint8_t ret_bytes[18]);
bool usbdev_config_descriptor(const struct usbdev *dev, uint8_t index, enum usb_speed speed,
			      struct buf *to);
