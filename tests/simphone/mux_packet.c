/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mux_packet.h"

#include <string.h>

#include "phone.h"

/* Packets held back by a fault, for a host that goes on asking: more are lost. */
enum { HELD_MAX = 16 * 1024 * 1024 };

static const char conversation[] = "mux";
static const uint32_t magic = 0xfeedface;

size_t mux_header_bytes(const struct mux *m)
{
	return m->version >= 2 ? MUX_HEADER_V2_BYTES : MUX_HEADER_V1_BYTES;
}

static void wait_over(void *user);

/* ---- names ---- */

static const char *segment_name(uint8_t flags, size_t body_len)
{
	if (flags & MUX_FLAG_RST)
		return "RST";
	if (flags & MUX_FLAG_SYN)
		return flags & MUX_FLAG_ACK ? "SYN-ACK" : "SYN";
	return body_len > 0 ? "data" : "ACK";
}

/* @head: what follows the mux header, @len bytes up to the packet's end. */
static const char *packet_name(uint32_t protocol, const uint8_t *head, size_t len)
{
	switch (protocol) {
	case MUX_VERSION:
		return "version";
	case MUX_CONTROL:
		return "control";
	case MUX_SETUP:
		return "setup";
	case MUX_TCP:
		return len < MUX_TCP_BYTES ? "short" : segment_name(head[13], len - MUX_TCP_BYTES);
	default:
		return "unknown";
	}
}

/* ---- out ---- */

static void pipe_send(struct mux *m, const uint8_t *bytes, size_t len)
{
	uint32_t size = (uint32_t)len;

	if (!m->held_timer.armed) {
		usbdev_send(&m->phone->usb, MUX_EP_IN, bytes, len);
		return;
	}
	if (m->held.len > HELD_MAX)
		return;
	buf_add(&m->held, &size, sizeof(size));
	buf_add(&m->held, bytes, len);
}

static void held_over(void *user)
{
	struct mux *m = user;
	struct buf held = m->held;
	uint32_t len;

	m->held = (struct buf){};
	for (size_t at = 0; at < held.len; at += sizeof(len) + len) {
		memcpy(&len, held.bytes + at, sizeof(len));
		pipe_send(m, held.bytes + at + sizeof(len), len);
	}
	buf_done(&held);
}

static void packet_build(struct mux *m, const struct mux_parts *parts, struct buf *to)
{
	uint8_t header[MUX_HEADER_V2_BYTES];
	size_t header_len = mux_header_bytes(m);

	put_be32(header, parts->protocol);
	put_be32(header + 4, (uint32_t)(header_len + parts->head_len + parts->body_len));
	put_be32(header + 8, magic);
	put_be16(header + 12, m->tx_seq);
	put_be16(header + 14, m->rx_seq);
	if (m->version >= 2)
		m->tx_seq++;
	buf_add(to, header, header_len);
	buf_add(to, parts->head, parts->head_len);
	buf_add(to, parts->body, parts->body_len);
}

/* The knobs that spoil the n-th packet. */
static void packet_spoil(struct mux *m, struct buf *packet)
{
	static const uint8_t zeros[512];
	const struct mux_knobs *knobs = &m->phone->scenario.mux_knobs;

	m->packets++;
	if (m->packets == knobs->truncate_packet)
		packet->len /= 2;
	if (m->packets != knobs->oversize)
		return;
	while (packet->len <= MUX_PACKET_MAX)
		buf_add(packet, zeros, sizeof(zeros));
	put_be32(packet->bytes + 4, (uint32_t)packet->len);
}

/* What a rule does in front of byte @at. */
static enum mux_verdict packet_struck(struct mux *m, const struct fault_rule *rule,
				      struct buf *packet, size_t at)
{
	switch (rule->action) {
	case FAULT_GARBAGE:
		fault_garbage(&m->phone->faults, packet->bytes + at, packet->len - at);
		return MUX_PASS;
	case FAULT_CUT:
		packet->len = rule->place == FAULT_AT_BYTE ? at : packet->len / 2;
		return MUX_PASS;
	case FAULT_DELAY:
		if (rule->way == FAULT_SENT)
			timer_arm(m->phone->timers, &m->held_timer, rule->ms, held_over, m);
		else
			timer_arm(m->phone->timers, &m->got_timer, rule->ms, wait_over, m);
		return MUX_PASS;
	case FAULT_STALL:
		m->stalled = true;
		return MUX_DROP;
	case FAULT_RESET:
		return MUX_RESET;
	case FAULT_UNPLUG:
	case FAULT_REBOOT:
	case FAULT_SILENCE:
	case FAULT_DROP:
	case FAULT_ERROR:
		return MUX_DROP;
	}
	return MUX_PASS;
}

/* As a message, then byte for byte. */
static enum mux_verdict packet_judge(struct mux *m, enum fault_way way, const char *name,
				     struct buf *packet)
{
	struct faults *f = &m->phone->faults;
	const struct fault_rule *rule = fault_message(f, conversation, way, name);
	enum mux_verdict verdict = rule ? packet_struck(m, rule, packet, 0) : MUX_PASS;
	size_t at = 0;

	while (verdict == MUX_PASS && at < packet->len) {
		size_t pass = 0;

		rule = fault_bytes(f, conversation, way, packet->len - at, &pass);
		if (rule)
			verdict = packet_struck(m, rule, packet, at);
		else
			at += pass;
	}
	return verdict;
}

enum mux_verdict mux_packet_send(struct mux *m, const struct mux_parts *parts)
{
	size_t header = mux_header_bytes(m);
	enum mux_verdict verdict;
	BUF_AUTO packet = {};

	if (m->stalled || faults_mute(&m->phone->faults))
		return MUX_DROP;
	packet_build(m, parts, &packet);
	verdict = packet_judge(
	    m, FAULT_SENT, packet_name(parts->protocol, packet.bytes + header, packet.len - header),
	    &packet);
	if (verdict != MUX_PASS)
		return verdict;
	packet_spoil(m, &packet);
	pipe_send(m, packet.bytes, packet.len);
	return MUX_PASS;
}

/* ---- in ---- */

static void wait_over(void *user)
{
	mux_resume(user);
}

enum mux_verdict mux_packet_got(struct mux *m, struct buf *packet)
{
	uint32_t protocol = get_be32(packet->bytes);
	size_t header = protocol == MUX_VERSION ? MUX_HEADER_V1_BYTES : mux_header_bytes(m);
	const char *name = "short";
	enum mux_verdict verdict;

	if (m->stalled || faults_mute(&m->phone->faults))
		return MUX_DROP;
	if (packet->len >= header)
		name = packet_name(protocol, packet->bytes + header, packet->len - header);
	verdict = packet_judge(m, FAULT_GOT, name, packet);
	return verdict == MUX_PASS && m->got_timer.armed ? MUX_WAIT : verdict;
}

void mux_packet_reset(struct mux *m)
{
	timer_disarm(m->phone->timers, &m->held_timer);
	timer_disarm(m->phone->timers, &m->got_timer);
	buf_clear(&m->held);
	buf_clear(&m->waiting);
	m->stalled = false;
}
