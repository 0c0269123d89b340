/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doors/libusb_inner.h"
#include "text.h"

enum {
	OUT_CEILING = 8 * 1024 * 1024,
	READ_BYTES = 64 * 1024,
	BUSES = 255,
};

/* ---- bytes ---- */

static void client_ready(void *user, short events);

static void client_watch(struct client *c)
{
	short events = c->out.len > 0 ? POLLIN | POLLOUT : POLLIN;

	/* who is to be closed is looked at in the loop's next round */
	loop_watch(c->door->loop, c->fd, c->closing ? POLLOUT : events, client_ready, c);
}

static void client_cut(struct client *c, const char *why)
{
	if (c->closing)
		return;
	EVLOG(c->door->log, "libusb-cut", LOG_INT("client", c->serial), LOG_TEXT("why", why));
	c->closing = true;
	buf_clear(&c->out);
}

static void client_flush(struct client *c)
{
	ssize_t put;

	while (c->out.len > 0) {
		put = send(c->fd, c->out.bytes, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (put < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (put < 0) {
			c->closing = true;
			buf_clear(&c->out);
			break;
		}
		buf_drop(&c->out, (size_t)put);
	}
	if (c->out.len > OUT_CEILING)
		client_cut(c, "it does not read");
	client_watch(c);
}

void wire_send(struct client *c, struct wire_head head, const void *body, size_t len)
{
	if (c->fd < 0 || c->closing)
		return;
	head.length = (uint32_t)len;
	buf_add(&c->out, &head, sizeof(head));
	buf_add(&c->out, body, len);
	client_flush(c);
}

void wire_done(struct client *c, uint32_t id, enum wire_result result, uint32_t number)
{
	wire_send(c,
		  (struct wire_head){ .word = WIRE_DONE, .id = id, .a = result, .number = number },
		  nullptr, 0);
}

/* ---- presence ---- */

static void presence_add(const struct door_libusb *d, struct buf *to)
{
	struct wire_presence p = { .bus = d->bus };
	const struct usbdev *usb = d->usb;

	if (d->present) {
		p.attached = 1;
		p.address = door_address(d);
		p.high_speed = usb->speed == SPEED_HIGH;
		p.config = usb->config;
		p.config_count = usb->shape->config_count;
		usbdev_device_descriptor(usb, p.device);
	}
	buf_add(to, &p, sizeof(p));
	for (uint8_t i = 0; i < p.config_count; i++) {
		BUF_AUTO config = {};
		uint16_t len;

		usbdev_config_descriptor(usb, i, usb->speed, &config);
		len = (uint16_t)config.len;
		buf_add(to, &len, sizeof(len));
		buf_add(to, config.bytes, len);
	}
}

static void presence_send(struct client *c)
{
	BUF_AUTO body = {};

	presence_add(c->door, &body);
	wire_send(c, (struct wire_head){ .word = WIRE_PRESENCE, .number = c->door->changes },
		  body.bytes, body.len);
}

void wire_presence_changed(struct door_libusb *d)
{
	d->changes++;
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (!d->clients[i].opened)
			presence_send(&d->clients[i]);
}

/* What Linux does with a new device: a reset, and the first configuration. */
static void door_enumerate(void *user)
{
	struct door_libusb *d = user;

	usbdev_reset(d->usb);
	usbdev_set_config(d->usb, d->usb->shape->configs[0].bytes[5]);
	d->present = true;
	d->attaches++;
	wire_presence_changed(d);
}

/* Not below usbdev_attach(): the phone is still busy with it. */
static void door_attach(void *user)
{
	struct door_libusb *d = user;

	timer_arm(&d->loop->timers, &d->enumeration, 0, door_enumerate, d);
}

static void door_detach(void *user)
{
	struct door_libusb *d = user;

	timer_disarm(&d->loop->timers, &d->enumeration);
	if (!d->present)
		return;
	d->present = false;
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &d->clients[i];

		if (c->fd < 0 || !c->opened)
			continue;
		c->closing = true;
		c->waiting_count = 0; /* the phone dropped them */
		client_watch(c);
	}
	wire_presence_changed(d);
}

/* ---- connections ---- */

/* Closes it if that is due; what it wanted ends with it. */
static void client_settle(struct client *c)
{
	if (!c->closing || c->out.len > 0)
		return;
	wire_waiting_end(c, ALL_PIPES); /* nobody is told: it is closing */
	loop_unwatch(c->door->loop, c->fd);
	close(c->fd);
	buf_done(&c->in);
	buf_done(&c->out);
	*c = (struct client){ .door = c->door, .fd = -1 };
}

/* Handles the frames that are complete. */
static void client_frames(struct client *c)
{
	size_t used = 0;

	while (!c->closing && c->in.len - used >= sizeof(struct wire_head)) {
		struct wire_head h;

		memcpy(&h, c->in.bytes + used, sizeof(h));
		if (h.length > WIRE_BODY_MAX) {
			client_cut(c, "a frame too long");
			return;
		}
		if (c->in.len - used - sizeof(h) < h.length)
			break;
		if (!wire_request(c, &h, c->in.bytes + used + sizeof(h)))
			client_cut(c, "not a request");
		used += sizeof(h) + h.length;
	}
	buf_drop(&c->in, used);
}

static void client_ready(void *user, short events)
{
	struct client *c = user;
	uint8_t bytes[READ_BYTES];
	ssize_t got;

	if (events & POLLOUT)
		client_flush(c);
	if (!c->closing && events & (POLLIN | POLLHUP | POLLERR)) {
		got = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (got > 0) {
			buf_add(&c->in, bytes, (size_t)got);
			client_frames(c);
		} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
			c->closing = true;
			buf_clear(&c->out);
		}
	} else if (events & (POLLHUP | POLLERR)) {
		buf_clear(&c->out);
	}
	client_settle(c);
}

static void door_ready(void *user, short events)
{
	struct door_libusb *d = user;
	int fd = accept4(d->fd, nullptr, nullptr, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &d->clients[i];

		if (c->fd >= 0)
			continue;
		if (!loop_watch(d->loop, fd, POLLIN, client_ready, c))
			break;
		*c = (struct client){ .door = d, .fd = fd, .serial = ++d->serials };
		presence_send(c);
		return;
	}
	EVLOG(d->log, "libusb-cut", LOG_INT("client", 0), LOG_TEXT("why", "too many connections"));
	close(fd);
}

/* ---- life ---- */

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	text_copy(address.sun_path, sizeof(address.sun_path), path);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, CLIENTS_MAX) < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

/* Whether a phone listens there; the socket of one that was killed stays behind. */
static bool bus_taken(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool taken;

	text_copy(address.sun_path, sizeof(address.sun_path), path);
	taken = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
	if (fd >= 0)
		close(fd);
	return taken;
}

/*
 * Takes the first free bus number; one phone chooses at a time. The socket gets its name when it
 * listens already, so that who sees it can connect.
 */
static void bus_choose(struct door_libusb *d, const char *folder)
{
	char fresh[sizeof(d->path)];
	int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		die("%s: %s", folder, strerror(errno));
	if ((size_t)snprintf(fresh, sizeof(fresh), "%s/bus-new", folder) + 8 > sizeof(fresh))
		die("the path of the folder is too long: %s", folder);
	unlink(fresh);
	do {
		if (++d->bus == 0)
			die("%s: all %d buses are taken", folder, BUSES);
		snprintf(d->path, sizeof(d->path), "%s/bus-%03u.sock", folder, d->bus);
	} while (bus_taken(d->path));
	d->fd = listen_at(fresh);
	if (rename(fresh, d->path) < 0)
		die("%s: %s", d->path, strerror(errno));
	close(lock);
}

struct door_libusb *door_libusb_new(struct loop *loop, struct usbdev *usb, const struct evlog *log,
				    const char *folder)
{
	struct door_libusb *d = calloc(1, sizeof(*d));

	if (!d)
		die("out of memory");
	*d = (struct door_libusb){ .loop = loop, .usb = usb, .log = log };
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		d->clients[i] = (struct client){ .door = d, .fd = -1 };
	bus_choose(d, folder);
	usb->door = (struct usb_door){ .attach = door_attach,
				       .detach = door_detach,
				       .bulk_in_done = wire_in_done,
				       .bulk_out_done = wire_out_done,
				       .control_done = wire_control_done,
				       .user = d };
	if (usb->shape)
		door_enumerate(d);
	loop_watch(loop, d->fd, POLLIN, door_ready, d);
	return d;
}

uint32_t door_libusb_location(const struct door_libusb *d)
{
	/* not enumerated yet: who heard of it first hears the address that comes */
	uint32_t attach = d->attaches - (d->present ? 1 : 0);

	return (uint32_t)d->bus << 16 | (uint8_t)(ADDRESS_FIRST + attach % ADDRESSES);
}

struct door_libusb *door_libusb_free(struct door_libusb *d)
{
	if (!d)
		return nullptr;
	d->usb->door = (struct usb_door){};
	timer_disarm(&d->loop->timers, &d->enumeration);
	unlink(d->path);
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		if (d->clients[i].fd < 0)
			continue;
		d->clients[i].closing = true;
		buf_clear(&d->clients[i].out);
		client_settle(&d->clients[i]);
	}
	loop_unwatch(d->loop, d->fd);
	close(d->fd);
	free(d);
	return nullptr;
}
