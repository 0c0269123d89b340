/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A host's side of the mux for tests: the frames that usbmuxd was seen to send. After cmocka.h. */
#pragma once

#include "bed.h"

static const uint8_t version[20] = { [7] = 0x14, [11] = 2 };
static const uint8_t setup[17] = {
	[3] = 2, [7] = 0x11, 0xfe, 0xed, 0xfa, 0xce, 0, 0, 0xff, 0xff, 7
};
static const uint8_t syn[36] = {
	0, 0, 0,    6,    0, 0, 0, 0x24, 0xfe, 0xed, 0xfa, 0xce, 0,    1,    0xff, 0xff, /* mux */
	0, 1, 0xf2, 0x7e, 0, 0, 0, 0,    0,    0,    0,    0,    0x50, 0x02, 0x02, 0,    /* tcp */
};
static const uint8_t syn_ack[36] = {
	0,    0,    0, 6, 0, 0, 0, 0x24, 0xfe, 0xed, 0xfa, 0xce, 0,    0,    0,    1,
	0xf2, 0x7e, 0, 1, 0, 0, 0, 0,    0,    0,    0,    1,    0x50, 0x12, 0x02, 0,
};
static const uint8_t ack[36] = {
	0, 0, 0,    6,    0, 0, 0, 0x24, 0xfe, 0xed, 0xfa, 0xce, 0,    2,    0,    1,
	0, 1, 0xf2, 0x7e, 0, 0, 0, 1,    0,    0,    0,    1,    0x50, 0x10, 0x02, 0,
};

enum { PACKET_HEADERS = 36 };

static inline void host_sends(struct bed *b, const void *bytes, size_t len)
{
	assert_int_equal(usbdev_bulk_out(&b->phone.usb, MUX_EP_OUT, bytes, len), USB_OK);
}

/* Takes the next packet of the phone off its pipe; false if it has none. */
static inline bool phone_sends(struct bed *b, struct buf *packet)
{
	unsigned before = b->in_count;

	buf_clear(&b->in);
	usbdev_bulk_in(&b->phone.usb, 1, MUX_EP_IN, 65536);
	if (b->in_count == before) {
		assert_true(usbdev_cancel(&b->phone.usb, 1));
		return false;
	}
	buf_clear(packet);
	buf_add(packet, b->in.bytes + 4, b->in.len - 4);
	return true;
}

static inline void expect_packet(struct bed *b, const void *bytes, size_t len)
{
	BUF_AUTO packet = {};

	assert_true(phone_sends(b, &packet));
	assert_int_equal(packet.len, len);
	assert_memory_equal(packet.bytes, bytes, len);
}

static inline void expect_nothing(struct bed *b)
{
	BUF_AUTO packet = {};

	assert_false(phone_sends(b, &packet));
}

/* A segment of the connection that shake_hands() made; @seq counts the bytes sent before. */
static inline void host_segment(struct bed *b, uint8_t flags, uint32_t seq, uint32_t acknowledged,
				const void *body, size_t len)
{
	uint8_t head[PACKET_HEADERS];
	BUF_AUTO packet = {};

	memcpy(head, ack, sizeof(head));
	put_be32(head + 4, (uint32_t)(PACKET_HEADERS + len));
	put_be32(head + 20, 1 + seq);
	put_be32(head + 24, acknowledged);
	head[29] = flags;
	buf_add(&packet, head, sizeof(head));
	buf_add(&packet, body, len);
	host_sends(b, packet.bytes, packet.len);
}

static inline struct bed *shake_hands(const char *mode, const char *more)
{
	struct bed *b = BED(mode, more ? more : "seed=1");

	usbdev_set_config(&b->phone.usb, 4);
	host_sends(b, version, sizeof(version));
	expect_packet(b, version, sizeof(version));
	host_sends(b, setup, sizeof(setup));
	host_sends(b, syn, sizeof(syn));
	expect_packet(b, syn_ack, sizeof(syn_ack));
	host_sends(b, ack, sizeof(ack));
	expect_nothing(b); /* an ACK answered by an ACK would never end */
	return b;
}
