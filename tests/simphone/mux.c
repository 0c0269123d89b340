/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mux.h"

#include <stdlib.h>
#include <string.h>

#include "lockdown.h"
#include "phone.h"
#include "text.h"

enum {
	WINDOW = 131072,                /* what usbmuxd takes before it must acknowledge */
	PENDING_MAX = 16 * 1024 * 1024, /* a host that asks without end and never reads */
	IN_MAX = 1024 * 1024,           /* the same while packets are held back */

	CONTROL_ERROR = 3,
	SEQ_BEFORE_WRAP = 0xfff0,
};

struct mux_connection {
	struct mux_connection *next;
	struct mux *mux;
	uint16_t host_port, phone_port;
	uint32_t rx_first;       /* acknowledged by SYN-ACK */
	uint32_t tx_seq;         /* next to send */
	uint32_t tx_acked;       /* by the host */
	uint32_t rx_next;        /* next expected */
	struct service *service; /* owned; NULL when closed */
	struct buf pending;      /* beyond the host's window */
	bool opening;            /* nothing goes out before SYN-ACK */
	struct timer turn;       /* armed: pieces are gathered (split_prefix off) */
	bool closing;            /* reset once `pending` is out */
	bool dead;               /* to be freed by the reaper */
};

struct tcp {
	uint16_t from, to;
	uint32_t seq, ack;
	uint8_t flags;
};

static void connection_kill(struct mux_connection *c);

static const struct mux_knobs *knobs_of(const struct mux *m)
{
	return &m->phone->scenario.mux_knobs;
}

/* ---- segments out ---- */

static enum mux_verdict tcp_send(struct mux *m, const struct tcp *t, const void *body, size_t len)
{
	uint64_t window = knobs_of(m)->window >> 8;
	uint8_t head[MUX_TCP_BYTES] = {};
	const struct mux_parts parts = { MUX_TCP, head, body, sizeof(head), len };

	put_be16(head, t->from);
	put_be16(head + 2, t->to);
	put_be32(head + 4, t->seq);
	put_be32(head + 8, t->ack);
	head[12] = (MUX_TCP_BYTES / 4) << 4;
	head[13] = t->flags;
	put_be16(head + 14, window < UINT16_MAX ? (uint16_t)window : UINT16_MAX);
	return mux_packet_send(m, &parts);
}

static void connection_reset(struct mux_connection *c)
{
	const struct tcp t = { .from = c->phone_port,
			       .to = c->host_port,
			       .seq = c->tx_seq,
			       .ack = c->rx_next,
			       .flags = MUX_FLAG_RST };

	if (c->dead)
		return;
	connection_kill(c);
	tcp_send(c->mux, &t, nullptr, 0);
}

static void connection_send(struct mux_connection *c, uint8_t flags, const void *body, size_t len)
{
	const struct mux_knobs *knobs = knobs_of(c->mux);
	struct tcp t = { .from = c->phone_port,
			 .to = c->host_port,
			 .seq = c->tx_seq,
			 .ack = knobs->no_ack ? c->rx_first : c->rx_next,
			 .flags = flags };

	if (len > 0 && knobs->psh_flag)
		t.flags |= MUX_FLAG_PSH;
	c->tx_seq += (uint32_t)len + (flags & MUX_FLAG_SYN ? 1 : 0);
	if (tcp_send(c->mux, &t, body, len) == MUX_RESET)
		connection_reset(c);
}

/* Refuses a segment that belongs to nothing. */
static void tcp_refuse(struct mux *m, const struct tcp *got)
{
	const struct tcp t = {
		.from = got->to, .to = got->from, .ack = got->seq + 1, .flags = MUX_FLAG_RST
	};

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
		timer_disarm(m->phone->timers, &c->turn);
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

/* Bytes that may go into the next segment; 0: none now. */
static size_t segment_room(const struct mux_connection *c)
{
	const struct mux_knobs *knobs = knobs_of(c->mux);
	uint32_t under_way = c->tx_seq - c->tx_acked;
	size_t most = MUX_PACKET_MAX - MUX_HEADER_V2_BYTES - MUX_TCP_BYTES;
	uint64_t sent = c->tx_seq - 1;

	if (under_way >= WINDOW)
		return 0;
	if (most > WINDOW - under_way)
		most = WINDOW - under_way;
	if (knobs->mss && most > knobs->mss)
		most = (size_t)knobs->mss;
	if (knobs->rst_after && most > knobs->rst_after - sent)
		most = (size_t)(knobs->rst_after - sent);
	return most;
}

static bool reset_is_due(const struct mux_connection *c)
{
	uint64_t after = knobs_of(c->mux)->rst_after;

	return after && c->tx_seq - 1 >= after;
}

static void connection_flush(struct mux_connection *c)
{
	if (c->opening || c->turn.armed)
		return;
	while (c->pending.len > 0 && !c->dead && !reset_is_due(c)) {
		size_t len = segment_room(c);

		if (len == 0)
			return;
		if (len > c->pending.len)
			len = c->pending.len;
		connection_send(c, MUX_FLAG_ACK, c->pending.bytes, len);
		buf_drop(&c->pending, len);
	}
	if (c->closing || reset_is_due(c))
		connection_reset(c);
}

static void turn_over(void *user)
{
	connection_flush(user);
}

static void stream_send(void *user, const void *bytes, size_t len)
{
	struct mux_connection *c = user;

	if (c->dead || c->closing)
		return;
	if (c->pending.len + len > PENDING_MAX) {
		connection_reset(c);
		return;
	}
	buf_add(&c->pending, bytes, len);
	if (!knobs_of(c->mux)->split_prefix)
		timer_arm(c->mux->phone->timers, &c->turn, 0, turn_over, c);
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
	const struct mux_knobs *knobs = knobs_of(m);
	struct mux_connection *c;
	struct stream stream;

	if (knobs->no_synack)
		return;
	if (connection_count(m) >= MUX_CONNECTIONS_MAX || t->to == knobs->refuse_port) {
		tcp_refuse(m, t);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		die("out of memory");
	*c = (struct mux_connection){ .mux = m,
				      .host_port = t->from,
				      .phone_port = t->to,
				      .rx_first = t->seq + 1,
				      .rx_next = t->seq + 1 };
	stream = (struct stream){ stream_send, stream_close, c, nullptr };
	c->opening = true;
	c->service = ports_open(&m->phone->ports, t->to, &stream);
	c->opening = false;
	if (!c->service) {
		timer_disarm(m->phone->timers, &c->turn);
		buf_done(&c->pending);
		free(c);
		tcp_refuse(m, t);
		return;
	}
	c->next = m->connections;
	m->connections = c;
	connection_send(c, MUX_FLAG_SYN | MUX_FLAG_ACK, nullptr, 0);
	c->tx_acked = c->tx_seq;
	if (!c->dead)
		connection_flush(c); /* what the service said first */
}

static void tcp_take(struct mux *m, const uint8_t *bytes, size_t len)
{
	struct mux_connection *c;
	struct tcp t;

	if (len < MUX_TCP_BYTES)
		return;
	t = (struct tcp){ get_be16(bytes), get_be16(bytes + 2), get_be32(bytes + 4),
			  get_be32(bytes + 8), bytes[13] };
	c = connection_find(m, &t);
	if (t.flags == MUX_FLAG_SYN && !c) {
		connection_open(m, &t);
		return;
	}
	if (!c) {
		if (!(t.flags & MUX_FLAG_RST))
			tcp_refuse(m, &t);
		return;
	}
	if (t.flags & MUX_FLAG_RST) {
		EVLOG(&m->phone->log, "disconnect", LOG_INT("port", c->phone_port));
		connection_kill(c);
		return;
	}
	/* never backwards, never beyond what was sent */
	if (t.ack - c->tx_acked <= c->tx_seq - c->tx_acked)
		c->tx_acked = t.ack;
	len -= MUX_TCP_BYTES;
	c->rx_next += (uint32_t)len;
	if (len > 0 && !c->closing) {
		/* data is acknowledged, a bare ACK never: usbmuxd would answer in turn */
		if (!knobs_of(m)->no_ack)
			connection_send(c, MUX_FLAG_ACK, nullptr, 0);
		if (!c->dead)
			c->service->class->feed(c->service, bytes + MUX_TCP_BYTES, len);
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

/* A segment of a conversation that the host has forgotten, with the header that it does not expect
 * yet. */
static void stale_send(struct mux *m)
{
	const struct tcp t = {
		.from = LOCKDOWN_PORT, .to = 49191, .seq = 1000, .ack = 1000, .flags = MUX_FLAG_ACK
	};
	unsigned version = m->version;

	m->version = 2;
	tcp_send(m, &t, "stale", 5);
	m->version = version;
}

static void version_take(struct mux *m, const uint8_t *body, size_t len)
{
	const struct mux_knobs *knobs = knobs_of(m);
	uint8_t answer[12] = {};
	const struct mux_parts parts = { MUX_VERSION, answer, nullptr, sizeof(answer), 0 };

	if (len < sizeof(answer))
		return;
	EVLOG(&m->phone->log, "mux-version", LOG_INT("host", get_be32(body)));
	/* a host that starts again without a bus reset: nothing of the old conversation may reach
	 * it */
	connections_drop(m);
	usbdev_drop(&m->phone->usb, MUX_EP_IN);
	mux_packet_reset(m);
	m->version = 0;
	m->packets = 0;
	if (knobs->no_version)
		return;
	if (knobs->stale_v2_before_version)
		stale_send(m);
	put_be32(answer, (uint32_t)knobs->version);
	if (mux_packet_send(m, &parts) == MUX_RESET)
		usb_link_blink(&m->phone->link, 0, "fault");
	m->version = knobs->version == 1 || knobs->version == 2 ? (unsigned)knobs->version : 0;
	m->tx_seq = knobs->seq_wrap ? SEQ_BEFORE_WRAP : 0;
	m->rx_seq = 0xffff;
}

static void setup_take(struct mux *m)
{
	const uint8_t type = CONTROL_ERROR;
	const char *text = knobs_of(m)->control_text;
	const struct mux_parts parts = { MUX_CONTROL, &type, text, sizeof(type), strlen(text) };

	m->tx_seq = knobs_of(m)->seq_wrap ? SEQ_BEFORE_WRAP : 0;
	if (*text && mux_packet_send(m, &parts) == MUX_RESET)
		usb_link_blink(&m->phone->link, 0, "fault");
}

static void packet_take(struct mux *m, const uint8_t *packet, size_t len)
{
	uint32_t protocol = get_be32(packet);
	size_t header = protocol == MUX_VERSION ? MUX_HEADER_V1_BYTES : mux_header_bytes(m);

	if (protocol == MUX_VERSION) {
		version_take(m, packet + header, len - header);
		return;
	}
	if (m->version == 0 || len < header)
		return;
	if (m->version >= 2)
		m->rx_seq = get_be16(packet + 12);
	switch (protocol) {
	case MUX_SETUP:
		setup_take(m);
		return;
	case MUX_TCP:
		tcp_take(m, packet + header, len - header);
		return;
	default:
		EVLOG(&m->phone->log, "mux-unknown", LOG_INT("protocol", protocol));
	}
}

/* A fault resets the connection that the packet belongs to, or, if it is none's, the bus. */
static void packet_reset(struct mux *m, const struct buf *packet)
{
	size_t header = mux_header_bytes(m);
	struct mux_connection *c;
	struct tcp t;

	if (get_be32(packet->bytes) != MUX_TCP || packet->len < header + MUX_TCP_BYTES) {
		usb_link_blink(&m->phone->link, 0, "fault");
		return;
	}
	t = (struct tcp){ .from = get_be16(packet->bytes + header),
			  .to = get_be16(packet->bytes + header + 2),
			  .seq = get_be32(packet->bytes + header + 4) };
	c = connection_find(m, &t);
	if (c)
		connection_reset(c);
	else
		tcp_refuse(m, &t);
}

static void packet_handle(struct mux *m, struct buf *packet)
{
	switch (mux_packet_got(m, packet)) {
	case MUX_PASS:
		if (packet->len >= MUX_HEADER_V1_BYTES)
			packet_take(m, packet->bytes, packet->len);
		return;
	case MUX_WAIT:
		buf_clear(&m->waiting);
		buf_add(&m->waiting, packet->bytes, packet->len);
		return;
	case MUX_RESET:
		packet_reset(m, packet);
		return;
	case MUX_DROP:
		return;
	}
}

/* Handles the packets that are complete. */
static void packets_take(struct mux *m)
{
	while (m->in.len >= MUX_HEADER_V1_BYTES && !m->got_timer.armed) {
		uint32_t len = get_be32(m->in.bytes + 4);
		BUF_AUTO packet = {};

		if (len < MUX_HEADER_V1_BYTES || len > MUX_PACKET_MAX) {
			EVLOG(&m->phone->log, "mux-garbage", LOG_INT("length", len));
			buf_clear(&m->in);
			return;
		}
		if (m->in.len < len)
			return;
		buf_add(&packet, m->in.bytes, len);
		buf_drop(&m->in, len);
		packet_handle(m, &packet);
	}
}

void mux_resume(struct mux *m)
{
	struct buf packet = m->waiting;

	m->waiting = (struct buf){};
	if (packet.len >= MUX_HEADER_V1_BYTES)
		packet_take(m, packet.bytes, packet.len);
	buf_done(&packet);
	packets_take(m);
}

void mux_feed(struct mux *m, const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return; /* the host's end mark of a multiple of 512 */
	if (m->in.len + len > IN_MAX) {
		EVLOG(&m->phone->log, "mux-garbage", LOG_INT("length", m->in.len + len));
		return;
	}
	buf_add(&m->in, bytes, len);
	packets_take(m);
}

void mux_reset(struct mux *m)
{
	connections_drop(m);
	mux_packet_reset(m);
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
	buf_done(&m->held);
	buf_done(&m->waiting);
}
