/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doors/door_usbredir.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <usbredirparser.h>

#include "text.h"

enum {
	RETRY_MS = 50,
	OUTPUT_HIGH = 4 * 1024 * 1024, /* beyond it a peer that does not read is not read either */
};

struct door_usbredir {
	struct loop *loop;  /* borrowed */
	struct usbdev *usb; /* borrowed */
	struct evlog *log;  /* borrowed */
	struct usbredirparser *parser;
	char path[sizeof(((struct sockaddr_un *)nullptr)->sun_path)];
	int fd; /* -1 while connecting */
	uint64_t give_up_ms;
	struct timer retry;
	bool greeted;      /* the peer's hello came */
	bool attached;     /* the peer was told of the device */
	bool awaiting_ack; /* of its departure */
};

/* ---- bytes ---- */

static void door_ready(void *user, short events);

static bool peer_may_ask(const struct door_usbredir *d)
{
	return usbredirparser_get_bufferered_output_size(d->parser) < OUTPUT_HIGH;
}

static void door_watch(struct door_usbredir *d)
{
	short events = peer_may_ask(d) ? POLLIN : 0;

	if (usbredirparser_has_data_to_write(d->parser))
		events |= POLLOUT;
	loop_watch(d->loop, d->fd, events, door_ready, d);
}

static int peer_read(void *user, uint8_t *bytes, int len)
{
	struct door_usbredir *d = user;
	ssize_t got;

	if (!peer_may_ask(d))
		return 0;
	got = recv(d->fd, bytes, (size_t)len, MSG_DONTWAIT);
	if (got == 0)
		return -1;
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	return (int)got;
}

static int peer_write(void *user, uint8_t *bytes, int len)
{
	struct door_usbredir *d = user;
	ssize_t put = send(d->fd, bytes, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	return (int)put;
}

static void peer_log(void *user, int level, const char *text)
{
	struct door_usbredir *d = user;

	if (level <= usbredirparser_warning)
		EVLOG(d->log, "usbredir", LOG_TEXT("text", text));
}

static void door_ready(void *user, short events)
{
	struct door_usbredir *d = user;
	int r = 0;

	if (events & (POLLIN | POLLHUP | POLLERR))
		r = usbredirparser_do_read(d->parser);
	if (r != usbredirparser_read_io_error && usbredirparser_has_data_to_write(d->parser) &&
	    usbredirparser_do_write(d->parser) < 0)
		r = usbredirparser_read_io_error;
	if (r == usbredirparser_read_io_error) {
		EVLOG(d->log, "peer-gone");
		d->loop->quit = true;
		return;
	}
	door_watch(d);
}

/* ---- what the device tells the peer ---- */

static void send_endpoints(struct door_usbredir *d)
{
	struct usb_redir_interface_info_header interfaces = {};
	struct usb_redir_ep_info_header eps = {};
	struct usb_endpoint endpoints[2 * USB_ENDPOINTS];
	const uint8_t *found[USB_INTERFACES];
	unsigned count = usbdev_interfaces(d->usb, found);

	usbdev_endpoints(d->usb, endpoints);
	for (unsigned i = 0; i < 2 * USB_ENDPOINTS; i++) {
		eps.type[i] = endpoints[i].type;
		eps.interval[i] = endpoints[i].interval;
		eps.interface[i] = endpoints[i].interface;
		eps.max_packet_size[i] = endpoints[i].max_packet;
	}
	interfaces.interface_count = count;
	for (unsigned i = 0; i < count; i++) {
		interfaces.interface[i] = found[i][2];
		interfaces.interface_class[i] = found[i][5];
		interfaces.interface_subclass[i] = found[i][6];
		interfaces.interface_protocol[i] = found[i][7];
	}
	usbredirparser_send_ep_info(d->parser, &eps);
	usbredirparser_send_interface_info(d->parser, &interfaces);
}

/* Tells the peer of the device as soon as it has greeted and has let go of the one before. */
static void door_attach(void *user)
{
	struct door_usbredir *d = user;
	struct usb_redir_device_connect_header connect = {};
	uint8_t device[18];

	if (!d->greeted || d->awaiting_ack || d->attached || !d->usb->shape)
		return;
	usbdev_device_descriptor(d->usb, device);
	connect.speed = d->usb->speed == SPEED_HIGH ? usb_redir_speed_high : usb_redir_speed_full;
	connect.vendor_id = get_le16(device + 8);
	connect.product_id = get_le16(device + 10);
	connect.device_version_bcd = get_le16(device + 12);
	send_endpoints(d);
	usbredirparser_send_device_connect(d->parser, &connect);
	d->attached = true;
	door_watch(d);
}

static void door_detach(void *user)
{
	struct door_usbredir *d = user;

	if (!d->attached)
		return;
	d->attached = false;
	usbredirparser_send_device_disconnect(d->parser);
	d->awaiting_ack =
	    usbredirparser_peer_has_cap(d->parser, usb_redir_cap_device_disconnect_ack);
	door_watch(d);
}

static uint8_t redir_status(enum usb_reply reply)
{
	return reply == USB_OK ? usb_redir_success : usb_redir_stall;
}

static void door_bulk_in_done(void *user, uint64_t id, uint8_t ep, enum usb_reply reply,
			      const uint8_t *bytes, size_t len)
{
	struct door_usbredir *d = user;
	struct usb_redir_bulk_packet_header header = { .endpoint = ep,
						       .status = redir_status(reply) };

	header.length = (uint16_t)len;
	header.length_high = (uint16_t)(len >> 16);
	usbredirparser_send_bulk_packet(d->parser, id, &header, (uint8_t *)bytes, (int)len);
	door_watch(d);
}

static void door_control_done(void *user, uint64_t id, const struct usb_setup *setup,
			      enum usb_reply reply, const uint8_t *bytes, size_t len)
{
	struct door_usbredir *d = user;
	struct usb_redir_control_packet_header header = {
		.endpoint = setup->type & 0x80,
		.request = setup->request,
		.requesttype = setup->type,
		.status = redir_status(reply),
		.value = setup->value,
		.index = setup->index,
		.length = (uint16_t)(reply == USB_OK || !(setup->type & 0x80) ? len : 0),
	};
	bool reads = setup->type & 0x80 && header.length > 0;

	usbredirparser_send_control_packet(
	    d->parser, id, &header, reads ? (uint8_t *)bytes : nullptr, reads ? header.length : 0);
	door_watch(d);
}

static void door_bulk_out_done(void *user, uint64_t id, uint8_t ep, enum usb_reply reply,
			       size_t len)
{
	struct door_usbredir *d = user;
	struct usb_redir_bulk_packet_header header = { .endpoint = ep,
						       .status = redir_status(reply) };

	header.length = (uint16_t)len;
	header.length_high = (uint16_t)(len >> 16);
	usbredirparser_send_bulk_packet(d->parser, id, &header, nullptr, 0);
	door_watch(d);
}

/* ---- what the peer asks ---- */

static void on_hello(void *user, struct usb_redir_hello_header *hello)
{
	struct door_usbredir *d = user;

	EVLOG(d->log, "peer", LOG_TEXT("version", hello->version));
	d->greeted = true;
	door_attach(d);
}

static void on_disconnect_ack(void *user)
{
	struct door_usbredir *d = user;

	d->awaiting_ack = false;
	door_attach(d);
}

static void on_reset(void *user)
{
	struct door_usbredir *d = user;

	if (d->attached)
		usbdev_reset(d->usb);
}

static void send_config(struct door_usbredir *d, uint64_t id, enum usb_reply reply)
{
	struct usb_redir_configuration_status_header status = { redir_status(reply),
								d->usb->config };

	usbredirparser_send_configuration_status(d->parser, id, &status);
}

static void on_set_configuration(void *user, uint64_t id,
				 struct usb_redir_set_configuration_header *h)
{
	struct door_usbredir *d = user;
	enum usb_reply reply;

	if (!d->attached)
		return;
	reply = usbdev_set_config(d->usb, h->configuration);
	if (reply == USB_SILENT)
		return;
	send_endpoints(d);
	send_config(d, id, reply);
}

static void on_get_configuration(void *user, uint64_t id)
{
	struct door_usbredir *d = user;

	if (d->attached)
		send_config(d, id, USB_OK);
}

static void send_alt(struct door_usbredir *d, uint64_t id, uint8_t interface, enum usb_reply reply)
{
	struct usb_redir_alt_setting_status_header status = { redir_status(reply), interface, 0 };

	if (interface < USB_INTERFACES)
		status.alt = d->usb->alts[interface];
	usbredirparser_send_alt_setting_status(d->parser, id, &status);
}

static void on_set_alt_setting(void *user, uint64_t id, struct usb_redir_set_alt_setting_header *h)
{
	struct door_usbredir *d = user;
	enum usb_reply reply;

	if (!d->attached)
		return;
	reply = usbdev_set_alt(d->usb, h->interface, h->alt);
	if (reply == USB_SILENT)
		return;
	send_endpoints(d);
	send_alt(d, id, h->interface, reply);
}

static void on_get_alt_setting(void *user, uint64_t id, struct usb_redir_get_alt_setting_header *h)
{
	struct door_usbredir *d = user;

	if (d->attached)
		send_alt(d, id, h->interface, USB_OK);
}

static void on_control(void *user, uint64_t id, struct usb_redir_control_packet_header *h,
		       uint8_t *bytes, int len)
{
	struct door_usbredir *d = user;
	struct usb_setup setup = { h->requesttype, h->request, h->value, h->index, h->length };

	if (d->attached) {
		if (!(setup.type & 0x80)) /* what came, not what was promised */
			setup.length = (uint16_t)len;
		usbdev_control_begin(d->usb, id, &setup, bytes);
	}
	usbredirparser_free_packet_data(d->parser, bytes);
}

static void on_bulk(void *user, uint64_t id, struct usb_redir_bulk_packet_header *h, uint8_t *bytes,
		    int len)
{
	struct door_usbredir *d = user;
	size_t wanted = h->length | (size_t)h->length_high << 16;

	if (d->attached && h->endpoint & 0x80)
		usbdev_bulk_in(d->usb, id, h->endpoint, wanted);
	else if (d->attached)
		usbdev_bulk_out_begin(d->usb, id, h->endpoint, bytes, (size_t)len);
	usbredirparser_free_packet_data(d->parser, bytes);
}

static void on_cancel(void *user, uint64_t id)
{
	struct door_usbredir *d = user;
	struct usb_redir_bulk_packet_header cancelled = { .status = usb_redir_cancelled };

	if (usbdev_cancel(d->usb, id))
		usbredirparser_send_bulk_packet(d->parser, id, &cancelled, nullptr, 0);
}

/* Interrupt pipes are polled for ever and never say anything. */
static void on_start_interrupt(void *user, uint64_t id,
			       struct usb_redir_start_interrupt_receiving_header *h)
{
	struct door_usbredir *d = user;
	struct usb_redir_interrupt_receiving_status_header status = { usb_redir_success,
								      h->endpoint };

	usbredirparser_send_interrupt_receiving_status(d->parser, id, &status);
}

static void on_stop_interrupt(void *user, uint64_t id,
			      struct usb_redir_stop_interrupt_receiving_header *h)
{
	struct door_usbredir *d = user;
	struct usb_redir_interrupt_receiving_status_header status = { usb_redir_success,
								      h->endpoint };

	usbredirparser_send_interrupt_receiving_status(d->parser, id, &status);
}

/* What is left was not offered by our hello; the parser calls without looking, so each needs a
 * taker. */
static void on_start_iso(void *user, uint64_t id, struct usb_redir_start_iso_stream_header *h)
{
}
static void on_stop_iso(void *user, uint64_t id, struct usb_redir_stop_iso_stream_header *h)
{
}
static void on_alloc_streams(void *user, uint64_t id, struct usb_redir_alloc_bulk_streams_header *h)
{
}
static void on_free_streams(void *user, uint64_t id, struct usb_redir_free_bulk_streams_header *h)
{
}
static void on_start_bulk(void *user, uint64_t id, struct usb_redir_start_bulk_receiving_header *h)
{
}
static void on_stop_bulk(void *user, uint64_t id, struct usb_redir_stop_bulk_receiving_header *h)
{
}
static void on_filter_reject(void *user)
{
}

static void on_filter(void *user, struct usbredirfilter_rule *rules, int count)
{
	free(rules);
}

static void on_iso(void *user, uint64_t id, struct usb_redir_iso_packet_header *h, uint8_t *bytes,
		   int len)
{
	struct door_usbredir *d = user;

	usbredirparser_free_packet_data(d->parser, bytes);
}

static void on_interrupt(void *user, uint64_t id, struct usb_redir_interrupt_packet_header *h,
			 uint8_t *bytes, int len)
{
	struct door_usbredir *d = user;

	usbredirparser_free_packet_data(d->parser, bytes);
}

/* ---- life ---- */

static void parser_begin(struct door_usbredir *d)
{
	static const int caps_offered[] = {
		usb_redir_cap_connect_device_version,
		usb_redir_cap_filter,
		usb_redir_cap_device_disconnect_ack,
		usb_redir_cap_ep_info_max_packet_size,
		usb_redir_cap_64bits_ids,
		usb_redir_cap_32bits_bulk_length,
	};
	uint32_t caps[USB_REDIR_CAPS_SIZE] = {};
	struct usbredirparser *p = usbredirparser_create();

	if (!p)
		die("out of memory");
	d->parser = p;
	p->priv = d;
	p->log_func = peer_log;
	p->read_func = peer_read;
	p->write_func = peer_write;
	p->hello_func = on_hello;
	p->reset_func = on_reset;
	p->set_configuration_func = on_set_configuration;
	p->get_configuration_func = on_get_configuration;
	p->set_alt_setting_func = on_set_alt_setting;
	p->get_alt_setting_func = on_get_alt_setting;
	p->start_iso_stream_func = on_start_iso;
	p->stop_iso_stream_func = on_stop_iso;
	p->start_interrupt_receiving_func = on_start_interrupt;
	p->stop_interrupt_receiving_func = on_stop_interrupt;
	p->alloc_bulk_streams_func = on_alloc_streams;
	p->free_bulk_streams_func = on_free_streams;
	p->cancel_data_packet_func = on_cancel;
	p->filter_reject_func = on_filter_reject;
	p->filter_filter_func = on_filter;
	p->device_disconnect_ack_func = on_disconnect_ack;
	p->start_bulk_receiving_func = on_start_bulk;
	p->stop_bulk_receiving_func = on_stop_bulk;
	p->control_packet_func = on_control;
	p->bulk_packet_func = on_bulk;
	p->iso_packet_func = on_iso;
	p->interrupt_packet_func = on_interrupt;
	for (size_t i = 0; i < sizeof(caps_offered) / sizeof(caps_offered[0]); i++)
		usbredirparser_caps_set_cap(caps, caps_offered[i]);
	usbredirparser_init(p, "simphone", caps, USB_REDIR_CAPS_SIZE, usbredirparser_fl_usb_host);
}

static void door_connect(void *user)
{
	struct door_usbredir *d = user;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket: %s", strerror(errno));
	text_copy(address.sun_path, sizeof(address.sun_path), d->path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		if (d->loop->timers.now_ms >= d->give_up_ms)
			die("nobody listens on %s", d->path);
		timer_arm(&d->loop->timers, &d->retry, RETRY_MS, door_connect, d);
		return;
	}
	d->fd = fd;
	parser_begin(d);
	door_watch(d);
}

struct door_usbredir *door_usbredir_new(struct loop *loop, struct usbdev *usb, struct evlog *log,
					const char *path, uint64_t patience_ms)
{
	struct door_usbredir *d = calloc(1, sizeof(*d));

	if (!d)
		die("out of memory");
	if (strlen(path) >= sizeof(d->path))
		die("the path of the socket is too long: %s", path);
	*d = (struct door_usbredir){ .loop = loop, .usb = usb, .log = log, .fd = -1 };
	text_copy(d->path, sizeof(d->path), path);
	d->give_up_ms = loop->timers.now_ms + patience_ms;
	usb->door = (struct usb_door){ door_attach, door_detach,       door_bulk_in_done,
				       d,           door_control_done, door_bulk_out_done };
	door_connect(d);
	return d;
}

struct door_usbredir *door_usbredir_free(struct door_usbredir *d)
{
	if (!d)
		return nullptr;
	d->usb->door = (struct usb_door){};
	timer_disarm(&d->loop->timers, &d->retry);
	if (d->fd >= 0) {
		loop_unwatch(d->loop, d->fd);
		close(d->fd);
		usbredirparser_destroy(d->parser);
	}
	free(d);
	return nullptr;
}
