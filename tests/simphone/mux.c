/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mux.h"

#include <stdlib.h>
#include <string.h>

#include "lockdown.h"
#include "phone.h"
#include "text.h"

enum {
	PROTOCOL_VERSION = 0,
	PROTOCOL_CONTROL = 1,
	PROTOCOL_SETUP = 2,
	PROTOCOL_TCP = 6,

	HEADER_V1_BYTES = 8,
	HEADER_V2_BYTES = 16,
	TCP_BYTES = 20,
	PACKET_MAX = 65536,
	WINDOW = 131072, /* ours, and what usbmuxd takes before it must acknowledge */

	FLAG_SYN = 0x02,
	FLAG_RST = 0x04,
	FLAG_ACK = 0x10,
};

static const uint32_t magic = 0xfeedface;

struct mux_connection {
	struct mux_connection *next;
	struct mux *mux;
	uint16_t host_port, phone_port;
	uint32_t tx_seq;         /* next to send */
	uint32_t tx_acked;       /* by the host */
	uint32_t rx_next;        /* next expected */
	struct service *service; /* owned; NULL when closed */
	struct buf pending;      /* beyond the host's window */
	bool closing;            /* reset once `pending` is out */
	bool dead;               /* to be freed by the reaper */
};

struct tcp {
	uint16_t from, to;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window;
};

/* ---- packets out ---- */

static size_t header_bytes(const struct mux *m)
{
	return m->version >= 2 ? HEADER_V2_BYTES : HEADER_V1_BYTES;
}

static void packet_send(struct mux *m, uint32_t protocol, const void *head, size_t head_len,
			const void *body, size_t body_len)
{
	uint8_t header[HEADER_V2_BYTES];
	size_t header_len = header_bytes(m);
	BUF_AUTO packet = {};

	put_be32(header, protocol);
	put_be32(header + 4, (uint32_t)(header_len + head_len + body_len));
	put_be32(header + 8, magic);
	put_be16(header + 12, m->tx_seq);
	put_be16(header + 14, m->rx_seq);
	if (m->version >= 2)
		m->tx_seq++;
	buf_add(&packet, header, header_len);
	buf_add(&packet, head, head_len);
	buf_add(&packet, body, body_len);
	usbdev_send(&m->phone->usb, MUX_EP_IN, packet.bytes, packet.len);
}

static void tcp_send(struct mux *m, const struct tcp *t, const void *body, size_t len)
{
	uint8_t head[TCP_BYTES] = {};

	put_be16(head, t->from);
	put_be16(head + 2, t->to);
	put_be32(head + 4, t->seq);
	put_be32(head + 8, t->ack);
	head[12] = (TCP_BYTES / 4) << 4;
	head[13] = t->flags;
	put_be16(head + 14, WINDOW >> 8);
	packet_send(m, PROTOCOL_TCP, head, sizeof(head), body, len);
}

static void connection_send(struct mux_connection *c, uint8_t flags, const void *body, size_t len)
{
	const struct tcp t = { c->phone_port, c->host_port, c->tx_seq, c->rx_next, flags, 0 };

	tcp_send(c->mux, &t, body, len);
	c->tx_seq += (uint32_t)len + (flags & FLAG_SYN ? 1 : 0);
}

/* Refuses a segment that belongs to nothing. */
static void tcp_refuse(struct mux *m, const struct tcp *got)
{
	const struct tcp t = { got->to, got->from, 0, got->seq + 1, FLAG_RST, 0 };

	tcp_send(m, &t, nullptr, 0);
}

/* ---- connections ---- */

static void reap(void *user)
{
	struct mux *m = user;

	for (struct mux_connection **p = &m->connections; *p;) {
		struct mux_connection *c = *p;

		if (!c->dead) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		if (c->service)
			c->service->class->free(c->service);
		buf_done(&c->pending);
		free(c);
	}
}

/* A service may close its own connection while it is being fed: it is freed from the loop, not
 * here. */
static void connection_kill(struct mux_connection *c)
{
	c->dead = true;
	timer_arm(c->mux->phone->timers, &c->mux->reaper, 0, reap, c->mux);
}

static void connection_flush(struct mux_connection *c)
{
	while (c->pending.len > 0) {
		size_t room = WINDOW - (c->tx_seq - c->tx_acked);
		size_t len = c->pending.len;

		if (len > PACKET_MAX - HEADER_V2_BYTES - TCP_BYTES)
			len = PACKET_MAX - HEADER_V2_BYTES - TCP_BYTES;
		if (len > room)
			len = room;
		if (len == 0)
			return;
		connection_send(c, FLAG_ACK, c->pending.bytes, len);
		buf_drop(&c->pending, len);
	}
	if (c->closing && !c->dead) {
		connection_send(c, FLAG_RST, nullptr, 0);
		connection_kill(c);
	}
}

static void stream_send(void *user, const void *bytes, size_t len)
{
	struct mux_connection *c = user;

	if (c->dead || c->closing)
		return;
	buf_add(&c->pending, bytes, len);
	connection_flush(c);
}

static void stream_close(void *user)
{
	struct mux_connection *c = user;

	c->closing = true;
	connection_flush(c);
}

static struct mux_connection *connection_find(struct mux *m, const struct tcp *t)
{
	for (struct mux_connection *c = m->connections; c; c = c->next)
		if (!c->dead && c->host_port == t->from && c->phone_port == t->to)
			return c;
	return nullptr;
}

static unsigned connection_count(const struct mux *m)
{
	unsigned count = 0;

	for (const struct mux_connection *c = m->connections; c; c = c->next)
		count += !c->dead;
	return count;
}

static void connection_open(struct mux *m, const struct tcp *t)
{
	struct mux_connection *c;
	struct stream stream;

	if (connection_count(m) >= MUX_CONNECTIONS_MAX) {
		tcp_refuse(m, t);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		die("out of memory");
	*c = (struct mux_connection){
		.mux = m, .host_port = t->from, .phone_port = t->to, .rx_next = t->seq + 1
	};
	stream = (struct stream){ stream_send, stream_close, c };
	c->service = lockdown_service_open(m->phone, t->to, &stream);
	EVLOG(&m->phone->log, "connect", LOG_INT("port", t->to),
	      LOG_INT("taken", c->service != nullptr));
	if (!c->service) {
		free(c);
		tcp_refuse(m, t);
		return;
	}
	c->next = m->connections;
	m->connections = c;
	connection_send(c, FLAG_SYN | FLAG_ACK, nullptr, 0);
	c->tx_acked = c->tx_seq;
}

static void tcp_take(struct mux *m, const uint8_t *bytes, size_t len)
{
	struct mux_connection *c;
	struct tcp t;

	if (len < TCP_BYTES)
		return;
	t = (struct tcp){ get_be16(bytes),     get_be16(bytes + 2), get_be32(bytes + 4),
			  get_be32(bytes + 8), bytes[13],           get_be16(bytes + 14) };
	c = connection_find(m, &t);
	if (t.flags == FLAG_SYN && !c) {
		connection_open(m, &t);
		return;
	}
	if (!c) {
		if (!(t.flags & FLAG_RST))
			tcp_refuse(m, &t);
		return;
	}
	if (t.flags & FLAG_RST) {
		EVLOG(&m->phone->log, "disconnect", LOG_INT("port", c->phone_port));
		connection_kill(c);
		return;
	}
	c->tx_acked = t.ack;
	len -= TCP_BYTES;
	c->rx_next += (uint32_t)len;
	if (len > 0 && !c->closing) {
		/* data is acknowledged, a bare ACK never: usbmuxd would answer in turn */
		connection_send(c, FLAG_ACK, nullptr, 0);
		c->service->class->feed(c->service, bytes + TCP_BYTES, len);
	}
	if (!c->dead)
		connection_flush(c);
}

/* ---- packets in ---- */

static void connections_drop(struct mux *m)
{
	for (struct mux_connection *c = m->connections; c; c = c->next)
		c->dead = true;
	timer_disarm(m->phone->timers, &m->reaper);
	reap(m);
}

static void version_take(struct mux *m, const uint8_t *body, size_t len)
{
	uint8_t answer[12] = {};

	if (len < sizeof(answer))
		return;
	/* a host that starts again without a bus reset: nothing of the old conversation may reach
	 * it */
	connections_drop(m);
	usbdev_drop(&m->phone->usb, MUX_EP_IN);
	m->version = 0;
	put_be32(answer, 2);
	packet_send(m, PROTOCOL_VERSION, answer, sizeof(answer), nullptr, 0);
	m->version = 2;
	m->tx_seq = 0;
	m->rx_seq = 0xffff;
	EVLOG(&m->phone->log, "mux-version", LOG_INT("host", get_be32(body)));
}

static void packet_take(struct mux *m, const uint8_t *packet, size_t len)
{
	uint32_t protocol = get_be32(packet);
	size_t header = protocol == PROTOCOL_VERSION ? HEADER_V1_BYTES : header_bytes(m);

	if (protocol == PROTOCOL_VERSION) {
		version_take(m, packet + header, len - header);
		return;
	}
	if (m->version == 0 || len < header)
		return;
	m->rx_seq = get_be16(packet + 12);
	switch (protocol) {
	case PROTOCOL_SETUP:
		m->tx_seq = 0;
		return;
	case PROTOCOL_TCP:
		tcp_take(m, packet + header, len - header);
		return;
	default:
		EVLOG(&m->phone->log, "mux-unknown", LOG_INT("protocol", protocol));
	}
}

void mux_feed(struct mux *m, const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return; /* the host's end mark of a multiple of 512 */
	buf_add(&m->in, bytes, len);
	while (m->in.len >= HEADER_V1_BYTES) {
		uint32_t packet = get_be32(m->in.bytes + 4);

		if (packet < HEADER_V1_BYTES || packet > PACKET_MAX) {
			EVLOG(&m->phone->log, "mux-garbage", LOG_INT("length", packet));
			buf_clear(&m->in);
			return;
		}
		if (m->in.len < packet)
			return;
		packet_take(m, m->in.bytes, packet);
		if (m->in.len >= packet) /* a reset from inside has emptied it */
			buf_drop(&m->in, packet);
	}
}

void mux_reset(struct mux *m)
{
	connections_drop(m);
	m->version = 0;
	buf_clear(&m->in);
}

void mux_init(struct mux *m, struct phone *phone)
{
	*m = (struct mux){ .phone = phone };
}

void mux_done(struct mux *m)
{
	mux_reset(m);
	buf_done(&m->in);
}
