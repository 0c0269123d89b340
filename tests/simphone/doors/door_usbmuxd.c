/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the listening socket, the clients and the phone's services that they are connected to. The
 * drawing and the invariants of a client stand in usbmuxd.h.
 */
#include "doors/usbmuxd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "text.h"

enum {
	READ_BYTES = 65536,
	SOCKET_BUFFER_BYTES = 0x20000, /* as usbmuxd sets it */
	BACKLOG = 16,
};

static void client_process(struct mux_client *c);
static void client_ready(void *user, short events);
static void door_ready(void *user, short events);

/* ---- who listens to what ---- */

static bool client_reads(const struct mux_client *c)
{
	switch (c->state) {
	case CLIENT_COMMAND:
	case CLIENT_LISTENING:
		return c->out.len < OUTPUT_HIGH;
	case CLIENT_CONNECTED:
		return !c->closing && c->out.len < OUTPUT_HIGH && ports_taking(c->service);
	case CLIENT_CONNECTING:
	case CLIENT_FREE:
	case CLIENT_DEAD:
		return false;
	}
	return false;
}

static bool client_open(const struct mux_client *c)
{
	return c->state != CLIENT_FREE && c->state != CLIENT_DEAD;
}

static void client_watch(struct mux_client *c)
{
	short events = 0;

	if (!client_open(c))
		return;
	if (client_reads(c))
		events |= POLLIN;
	if (c->hung_up && !events) { /* its end would be told again and again */
		loop_unwatch(c->door->loop, c->fd);
		return;
	}
	if (c->out.len > 0)
		events |= POLLOUT;
	loop_watch(c->door->loop, c->fd, events, client_ready, c);
}

static struct mux_client *slot_find(struct door_usbmuxd *d)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (d->clients[i].state == CLIENT_FREE)
			return &d->clients[i];
	return nullptr;
}

/* Without a free slot whoever wants in waits in the backlog. */
static void door_watch(struct door_usbmuxd *d)
{
	loop_watch(d->loop, d->fd, slot_find(d) ? POLLIN : 0, door_ready, d);
}

/* ---- clients ---- */

static void client_free(struct mux_client *c)
{
	if (c->service)
		c->service->class->free(c->service);
	plist_free(c->about);
	buf_done(&c->in);
	buf_done(&c->out);
	buf_done(&c->early);
	*c = (struct mux_client){ .door = c->door, .fd = -1 };
}

static void reap(void *user)
{
	struct door_usbmuxd *d = user;

	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (d->clients[i].state == CLIENT_DEAD)
			client_free(&d->clients[i]);
	door_watch(d);
}

void mux_client_kill(struct mux_client *c, const char *why)
{
	struct door_usbmuxd *d = c->door;

	if (!client_open(c))
		return;
	EVLOG(&d->phone->log, "usbmuxd-closed", LOG_INT("client", c->number),
	      LOG_INT("port", c->port), LOG_TEXT("why", why));
	/* the last words, if the socket takes them */
	if (c->out.len > 0)
		send(c->fd, c->out.bytes, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	timer_disarm(d->phone->timers, &c->connect);
	loop_unwatch(d->loop, c->fd);
	close(c->fd);
	c->fd = -1;
	c->state = CLIENT_DEAD;
	timer_arm(d->phone->timers, &d->reaper, 0, reap, d);
}

void mux_client_send(struct mux_client *c, const void *bytes, size_t len)
{
	if (!client_open(c) || len == 0)
		return;
	if (c->out.len + len > OUTPUT_MAX) {
		mux_client_kill(c, "it does not read");
		return;
	}
	buf_add(&c->out, bytes, len);
	client_watch(c);
}

static void client_flush(struct mux_client *c)
{
	ssize_t put = send(c->fd, c->out.bytes, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put < 0 && errno != EAGAIN && errno != EINTR) {
		mux_client_kill(c, "it does not listen");
		return;
	}
	if (put > 0)
		buf_drop(&c->out, (size_t)put);
	if (c->closing && c->out.len == 0)
		mux_client_kill(c, "the phone closed the connection");
}

static void client_read(struct mux_client *c)
{
	uint8_t bytes[READ_BYTES];
	ssize_t got = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		mux_client_kill(c, "the host hung up");
		return;
	}
	if (c->state == CLIENT_CONNECTED) {
		c->service->class->feed(c->service, bytes, (size_t)got);
		return;
	}
	buf_add(&c->in, bytes, (size_t)got);
	client_process(c);
}

static void client_ready(void *user, short events)
{
	struct mux_client *c = user;

	if (events & POLLOUT && c->out.len > 0)
		client_flush(c);
	if (client_reads(c) && events & (POLLIN | POLLHUP | POLLERR))
		client_read(c);
	else if (c->state == CLIENT_CONNECTED && events & POLLHUP && ports_holding(c->service))
		c->hung_up = true;
	else if (client_open(c) && events & (POLLHUP | POLLERR))
		mux_client_kill(c, "the host hung up");
	client_watch(c);
}

/* Whole messages, as long as the client has the state for them; then what is left goes to the
 * service. */
static void client_process(struct mux_client *c)
{
	while ((c->state == CLIENT_COMMAND || c->state == CLIENT_LISTENING) &&
	       c->in.len >= HEADER_BYTES) {
		uint32_t message = get_le32(c->in.bytes);

		if (message < HEADER_BYTES || message > MESSAGE_MAX) {
			mux_client_kill(c, "a message of no possible length");
			return;
		}
		if (c->in.len < message)
			return;
		mux_request_take(c, c->in.bytes, message);
		buf_drop(&c->in, message);
	}
	if (c->state == CLIENT_CONNECTED && c->in.len > 0) {
		struct buf rest = c->in;

		c->in = (struct buf){};
		c->service->class->feed(c->service, rest.bytes, rest.len);
		buf_done(&rest);
	}
}

/* ---- connections to the phone ---- */

static void stream_send(void *user, const void *bytes, size_t len)
{
	struct mux_client *c = user;

	if (c->closing)
		return;
	if (c->opening)
		buf_add(&c->early, bytes, len);
	else
		mux_client_send(c, bytes, len);
}

static void stream_close(void *user)
{
	struct mux_client *c = user;

	c->closing = true;
	if (!c->opening && c->out.len == 0)
		mux_client_kill(c, "the phone closed the connection");
}

static void stream_taking(void *user)
{
	client_watch(user);
}

static void connect_end(struct mux_client *c, unsigned number)
{
	c->state = number == RESULT_OK ? CLIENT_CONNECTED : CLIENT_COMMAND;
	mux_result_send(c, c->connect_tag, number);
	mux_client_send(c, c->early.bytes, c->early.len);
	buf_clear(&c->early);
	client_process(c);
	client_watch(c);
}

static void connect_now(void *user)
{
	struct mux_client *c = user;
	struct phone *phone = c->door->phone;
	const struct stream stream = { stream_send, stream_close, c, nullptr };

	if (phone->scenario.mux_result) {
		connect_end(c, (unsigned)phone->scenario.mux_result);
		return;
	}
	c->closing = false;
	c->opening = true;
	c->service = ports_open(&phone->ports, c->port, &stream);
	c->opening = false;
	if (c->service)
		ports_on_taking(c->service, stream_taking);
	connect_end(c, c->service ? RESULT_OK : RESULT_REFUSED);
}

void mux_client_connect(struct mux_client *c, uint32_t tag, uint32_t device_id, uint16_t port)
{
	struct door_usbmuxd *d = c->door;

	if (!d->attached || device_id != d->device_id) {
		mux_result_send(c, tag, RESULT_BAD_DEVICE);
		return;
	}
	c->connect_tag = tag;
	c->port = port;
	c->state = CLIENT_CONNECTING;
	/* a phone that says nothing does not refuse either: the host waits */
	if (!d->phone->faults.silent && !d->phone->scenario.mux_knobs.no_synack)
		timer_arm(d->phone->timers, &c->connect, d->phone->scenario.mux_connect_delay_ms,
			  connect_now, c);
}

/* ---- presence ---- */

void mux_door_tell(struct door_usbmuxd *d, enum mux_event event)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (d->clients[i].state == CLIENT_LISTENING)
			mux_event_send(&d->clients[i], event);
}

/* The USB serial string; a UDID of the new kind gets its hyphen. */
void mux_door_serial(const struct door_usbmuxd *d, char ret_serial[SERIAL_BYTES])
{
	BUF_AUTO serial = {};
	const char *text;
	size_t len = 0;

	phone_usb_serial(d->phone, &serial);
	text = buf_text(&serial);
	while (*text && len < USB_STRING_UNITS_MAX) {
		uint32_t rune = text_next_rune(&text);

		ret_serial[len++] = rune < 0x80 ? (char)rune : '?';
		if (rune > 0xffff) /* two units */
			ret_serial[len++] = '?';
	}
	if (len == 24) {
		memmove(ret_serial + 9, ret_serial + 8, 16);
		ret_serial[8] = '-';
		len++;
	}
	ret_serial[len] = '\0';
}

static void phone_appear(void *user)
{
	struct door_usbmuxd *d = user;

	d->visible = true;
	EVLOG(&d->phone->log, "usbmuxd-attached", LOG_INT("device", d->device_id));
	mux_door_tell(d, EVENT_ATTACHED);
}

/* usbmuxd takes a phone that shows it the mux, in one configuration or another. */
static bool shows_mux(const struct phone *p)
{
	const struct usb_knobs *k = &p->scenario.usb_knobs;

	return !k->one_config && (!k->mode_switch_needed || p->link.mode != USB_MODE_INITIAL);
}

static void phone_attach(struct door_usbmuxd *d)
{
	const struct phone *p = d->phone;

	if (!shows_mux(p) || p->scenario.body != BODY_PHONE ||
	    (p->mode != MODE_NORMAL && p->mode != MODE_RESTORE))
		return;
	d->attached = true;
	d->device_id++;
	if (p->scenario.visible_delay_ms)
		timer_arm(p->timers, &d->appear, p->scenario.visible_delay_ms, phone_appear, d);
	else
		phone_appear(d);
}

static void phone_detach(struct door_usbmuxd *d)
{
	if (!d->attached)
		return;
	d->attached = false;
	timer_disarm(d->phone->timers, &d->appear);
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct mux_client *c = &d->clients[i];

		if (c->state == CLIENT_CONNECTED) {
			mux_client_kill(c, "the phone left");
		} else if (c->state == CLIENT_CONNECTING) {
			timer_disarm(d->phone->timers, &c->connect);
			connect_end(c, RESULT_REFUSED);
		}
	}
	if (!d->visible)
		return;
	d->visible = false;
	EVLOG(&d->phone->log, "usbmuxd-detached", LOG_INT("device", d->device_id));
	mux_door_tell(d, EVENT_DETACHED);
}

static void phone_changed(void *user, bool attached)
{
	struct door_usbmuxd *d = user;

	if (attached)
		phone_attach(d);
	else
		phone_detach(d);
}

/* ---- the socket ---- */

static void door_ready(void *user, short events)
{
	struct door_usbmuxd *d = user;
	struct mux_client *c = slot_find(d);
	const int room = SOCKET_BUFFER_BYTES;
	int fd;

	if (!c)
		return;
	fd = accept4(d->fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	*c = (struct mux_client){
		.door = d, .state = CLIENT_COMMAND, .fd = fd, .number = d->accepted++
	};
	if (!loop_watch(d->loop, fd, POLLIN, client_ready, c))
		mux_client_kill(c, "no room in the loop");
	door_watch(d);
}

static int socket_listen(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		die("the path of the socket is too long: %s", path);
	text_copy(address.sun_path, sizeof(address.sun_path), path);
	unlink(path);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

struct door_usbmuxd *door_usbmuxd_new(struct loop *loop, struct phone *phone, const char *path,
				      const char *records)
{
	struct door_usbmuxd *d = calloc(1, sizeof(*d));

	if (!d)
		die("out of memory");
	*d = (struct door_usbmuxd){ .loop = loop, .phone = phone };
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		d->clients[i] = (struct mux_client){ .door = d, .fd = -1 };
	text_copy(d->path, sizeof(d->path), path);
	if (snprintf(d->records, sizeof(d->records), "%s%s", records ? records : path,
		     records ? "" : ".records") >= (int)sizeof(d->records))
		die("the path of the records is too long: %s", records ? records : path);
	if (mkdir(d->records, 0700) < 0 && errno != EEXIST)
		die("%s: %s", d->records, strerror(errno));
	d->fd = socket_listen(path);
	door_watch(d);
	d->presence = (struct presence){ .changed = phone_changed, .user = d };
	phone_watch(phone, &d->presence);
	if (phone->usb.shape)
		phone_attach(d);
	return d;
}

void door_usbmuxd_hangs_at(struct door_usbmuxd *d, const struct door_libusb *libusb)
{
	d->libusb = libusb;
}

struct door_usbmuxd *door_usbmuxd_free(struct door_usbmuxd *d)
{
	if (!d)
		return nullptr;
	phone_unwatch(d->phone, &d->presence);
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		mux_client_kill(&d->clients[i], "the end");
		client_free(&d->clients[i]);
	}
	timer_disarm(d->phone->timers, &d->reaper);
	timer_disarm(d->phone->timers, &d->appear);
	loop_unwatch(d->loop, d->fd);
	close(d->fd);
	unlink(d->path);
	free(d);
	return nullptr;
}
