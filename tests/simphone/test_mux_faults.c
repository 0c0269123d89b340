/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mux's knobs (mux_knobs.h) and faults at its packets (fault.h, conversation "mux"). */
#include "bed_mux.h"

/* QueryType, 297 bytes of answer behind their length. */
static const char query[] = "<plist version=\"1.0\"><dict><key>Request</key>"
			    "<string>QueryType</string></dict></plist>";
enum { ANSWER_BYTES = 297 };

/* Version and setup, nothing else yet. */
static struct bed *greeted(const char *setting)
{
	struct bed *b = BED("mode=normal", setting);

	usbdev_set_config(&b->phone.usb, 4);
	host_sends(b, version, sizeof(version));
	host_sends(b, setup, sizeof(setup));
	return b;
}

static void host_asks(struct bed *b)
{
	uint8_t prefix[4];
	BUF_AUTO all = {};

	put_be32(prefix, sizeof(query) - 1);
	buf_add(&all, prefix, sizeof(prefix));
	buf_add(&all, query, sizeof(query) - 1);
	host_segment(b, MUX_FLAG_ACK, 0, 1, all.bytes, all.len);
}

/* The next packet has these flags and that much payload. */
static void expect_segment(struct bed *b, uint8_t flags, size_t payload)
{
	BUF_AUTO packet = {};

	assert_true(phone_sends(b, &packet));
	assert_int_equal(packet.bytes[29], flags);
	assert_int_equal(packet.len, PACKET_HEADERS + payload);
}

/* ---- knobs ---- */

static void test_version_knobs(void **state)
{
	static const struct {
		const char *setting;
		uint32_t version; /* answered; 0: nothing is */
		size_t header;    /* of the packets from then on; 0: there are none */
	} cases[] = {
		{ "mux_version=2", 2, 16 },
		{ "mux_version=1", 1, 8 },
		{ "mux_version=99", 99, 0 },
		{ "mux_no_version=yes", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed *b = BED("mode=normal", cases[i].setting);
		uint8_t old_syn[28];
		BUF_AUTO packet = {};

		usbdev_set_config(&b->phone.usb, 4);
		host_sends(b, version, sizeof(version));
		assert_int_equal(phone_sends(b, &packet), cases[i].version != 0);
		if (cases[i].version)
			assert_int_equal(get_be32(packet.bytes + 8), cases[i].version);
		memcpy(old_syn, syn, 8);
		memcpy(old_syn + 8, syn + 16, 20);
		put_be32(old_syn + 4, sizeof(old_syn));
		if (cases[i].header == 8)
			host_sends(b, old_syn, sizeof(old_syn));
		else
			host_sends(b, syn, sizeof(syn));
		assert_int_equal(phone_sends(b, &packet), cases[i].header != 0);
		if (cases[i].header)
			assert_int_equal(packet.len, cases[i].header + MUX_TCP_BYTES);
		bed_free(b);
	}
}

static void test_stale(void **state)
{
	struct bed *b = BED("mode=normal", "mux_stale_v2_before_version=yes");
	BUF_AUTO packet = {};

	usbdev_set_config(&b->phone.usb, 4);
	host_sends(b, version, sizeof(version));
	assert_true(phone_sends(b, &packet));
	assert_int_equal(get_be32(packet.bytes), MUX_TCP);
	assert_int_equal(get_be32(packet.bytes + 8), 0xfeedface);
	expect_packet(b, version, sizeof(version));
	bed_free(b);
}

static void test_connect_knobs(void **state)
{
	struct bed *refused = greeted("mux_refuse_port=62078");
	struct bed *ignored = greeted("mux_no_synack=yes");

	expect_packet(refused, version, sizeof(version));
	host_sends(refused, syn, sizeof(syn));
	expect_segment(refused, MUX_FLAG_RST, 0);
	expect_packet(ignored, version, sizeof(version));
	host_sends(ignored, syn, sizeof(syn));
	expect_nothing(ignored);
	bed_free(refused);
	bed_free(ignored);
}

/* As real phones: an ACK, the length, the body. */
static void test_segments(void **state)
{
	struct bed *b = shake_hands("mode=normal", nullptr);

	host_asks(b);
	expect_segment(b, MUX_FLAG_ACK, 0);
	expect_segment(b, MUX_FLAG_ACK, 4);
	expect_segment(b, MUX_FLAG_ACK, ANSWER_BYTES);
	expect_nothing(b);
	bed_free(b);
}

static void test_segment_knobs(void **state)
{
	struct bed *b = shake_hands("mode=normal", "mux_psh_flag=yes");

	host_asks(b);
	expect_segment(b, MUX_FLAG_ACK, 0);
	expect_segment(b, MUX_FLAG_ACK | MUX_FLAG_PSH, 4);
	bed_free(b);

	b = shake_hands("mode=normal", "mux_split_prefix=no");
	host_asks(b);
	expect_segment(b, MUX_FLAG_ACK, 0);
	expect_nothing(b);
	bed_wait(b, 0);
	expect_segment(b, MUX_FLAG_ACK, 4 + ANSWER_BYTES);
	bed_free(b);

	b = shake_hands("mode=normal", "mux_mss=200");
	host_asks(b);
	expect_segment(b, MUX_FLAG_ACK, 0);
	expect_segment(b, MUX_FLAG_ACK, 4);
	expect_segment(b, MUX_FLAG_ACK, 200);
	expect_segment(b, MUX_FLAG_ACK, ANSWER_BYTES - 200);
	bed_free(b);

	b = shake_hands("mode=normal", "mux_rst_after=100");
	host_asks(b);
	expect_segment(b, MUX_FLAG_ACK, 0);
	expect_segment(b, MUX_FLAG_ACK, 4);
	expect_segment(b, MUX_FLAG_ACK, 96);
	expect_segment(b, MUX_FLAG_RST, 0);
	expect_nothing(b);
	bed_free(b);
}

static void test_no_ack(void **state)
{
	struct bed *b = shake_hands("mode=normal", "mux_no_ack=yes");
	BUF_AUTO packet = {};

	host_asks(b);
	assert_true(phone_sends(b, &packet));
	assert_int_equal(packet.len, PACKET_HEADERS + 4);
	assert_int_equal(get_be32(packet.bytes + 24), 1);
	bed_free(b);
}

static void test_window_knob(void **state)
{
	static const struct {
		const char *setting;
		uint16_t window;
	} cases[] = {
		{ "seed=1", 0x200 },
		{ "mux_window=0", 0 },
		{ "mux_window=4096", 0x10 },
		{ "mux_window=99999999", 0xffff },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed *b = greeted(cases[i].setting);
		BUF_AUTO packet = {};

		expect_packet(b, version, sizeof(version));
		host_sends(b, syn, sizeof(syn));
		assert_true(phone_sends(b, &packet));
		assert_int_equal(get_be16(packet.bytes + 30), cases[i].window);
		bed_free(b);
	}
}

static void test_packet_knobs(void **state)
{
	struct bed *b = greeted("mux_truncate_packet=2");
	BUF_AUTO packet = {};

	expect_packet(b, version, sizeof(version));
	host_sends(b, syn, sizeof(syn));
	expect_packet(b, syn_ack, sizeof(syn_ack) / 2);
	bed_free(b);

	b = greeted("mux_oversize=2");
	expect_packet(b, version, sizeof(version));
	host_sends(b, syn, sizeof(syn));
	assert_true(phone_sends(b, &packet));
	assert_int_equal(packet.len, 65536); /* a request's worth; the rest follows */
	assert_true(get_be32(packet.bytes + 4) > MUX_PACKET_MAX);
	assert_true(phone_sends(b, &packet));
	bed_free(b);

	b = greeted("mux_control_text=no room");
	expect_packet(b, version, sizeof(version));
	assert_true(phone_sends(b, &packet));
	assert_int_equal(get_be32(packet.bytes), MUX_CONTROL);
	assert_memory_equal(packet.bytes + 16, "\3no room", 8);
	bed_free(b);

	b = greeted("mux_seq_wrap=yes");
	expect_packet(b, version, sizeof(version));
	for (unsigned i = 0; i < 20; i++) {
		host_sends(b, syn, sizeof(syn)); /* again and again: only the first is new */
		if (phone_sends(b, &packet))
			assert_int_equal(get_be16(packet.bytes + 12), (uint16_t)(0xfff0 + i));
	}
	bed_free(b);
}

/* ---- faults ---- */

static void test_sent(void **state)
{
	struct bed *b = shake_hands("mode=normal", "fault=mux sent data 2 drop");
	BUF_AUTO packet = {};

	host_asks(b);
	expect_segment(b, MUX_FLAG_ACK, 0);
	expect_segment(b, MUX_FLAG_ACK, 4);
	expect_nothing(b);
	bed_free(b);

	b = shake_hands("mode=normal", "fault=mux sent data reset");
	host_asks(b);
	expect_segment(b, MUX_FLAG_ACK, 0);
	expect_segment(b, MUX_FLAG_RST, 0);
	expect_nothing(b);
	bed_free(b);

	b = shake_hands("mode=normal", "fault=mux sent data 2 cut");
	host_asks(b);
	expect_segment(b, MUX_FLAG_ACK, 0);
	expect_segment(b, MUX_FLAG_ACK, 4);
	assert_true(phone_sends(b, &packet));
	assert_int_equal(packet.len, (PACKET_HEADERS + ANSWER_BYTES) / 2);
	assert_int_equal(get_be32(packet.bytes + 4), PACKET_HEADERS + ANSWER_BYTES);
	bed_free(b);

	b = shake_hands("mode=normal", "fault=mux sent ACK delay:400");
	host_asks(b);
	expect_nothing(b);
	bed_wait(b, 399);
	expect_nothing(b);
	bed_wait(b, 1);
	expect_segment(b, MUX_FLAG_ACK, 0);
	expect_segment(b, MUX_FLAG_ACK, 4);
	expect_segment(b, MUX_FLAG_ACK, ANSWER_BYTES);
	bed_free(b);

	b = shake_hands("mode=normal", "fault=mux sent data unplug");
	host_asks(b);
	expect_nothing(b); /* from the fault on; and then it is gone */
	bed_wait(b, 0);
	assert_null(b->phone.usb.shape);
	bed_free(b);
}

static void test_got(void **state)
{
	struct bed *b = BED("mode=normal", "fault=mux got SYN drop");

	usbdev_set_config(&b->phone.usb, 4);
	host_sends(b, version, sizeof(version));
	host_sends(b, setup, sizeof(setup));
	expect_packet(b, version, sizeof(version));
	host_sends(b, syn, sizeof(syn));
	expect_nothing(b);
	host_sends(b, syn, sizeof(syn));
	expect_packet(b, syn_ack, sizeof(syn_ack));
	bed_free(b);

	/* what comes behind a packet that is held back waits with it */
	b = BED("mode=normal", "fault=mux got version delay:400");
	usbdev_set_config(&b->phone.usb, 4);
	host_sends(b, version, sizeof(version));
	host_sends(b, setup, sizeof(setup));
	host_sends(b, syn, sizeof(syn));
	bed_wait(b, 399);
	expect_nothing(b);
	bed_wait(b, 1);
	expect_packet(b, version, sizeof(version));
	expect_packet(b, syn_ack, sizeof(syn_ack));
	bed_free(b);

	/* deaf until the bus is reset */
	b = shake_hands("mode=normal", "fault=mux got data stall");
	host_asks(b);
	host_sends(b, version, sizeof(version));
	expect_nothing(b);
	usbdev_reset(&b->phone.usb);
	usbdev_set_config(&b->phone.usb, 4);
	host_sends(b, version, sizeof(version));
	expect_packet(b, version, sizeof(version));
	bed_free(b);

	/* a packet of no connection: the phone falls off the bus for a moment */
	b = BED("mode=normal", "fault=mux got version reset");
	usbdev_set_config(&b->phone.usb, 4);
	host_sends(b, version, sizeof(version));
	bed_wait(b, 1);
	assert_null(b->phone.usb.shape);
	bed_wait(b, 1000);
	assert_non_null(b->phone.usb.shape);
	assert_int_equal(b->phone.boots, 1);
	bed_free(b);
}

/* All that a host says until its first answer, deaf to what comes back. */
static struct bed *greeted_whatever(const char *setting)
{
	struct bed *b = BED("mode=normal", setting);
	struct usbdev *usb = &b->phone.usb;
	BUF_AUTO all = {};

	usbdev_set_config(usb, 4);
	buf_add(&all, version, sizeof(version));
	buf_add(&all, setup, sizeof(setup));
	buf_add(&all, syn, sizeof(syn));
	buf_add(&all, ack, sizeof(ack));
	for (size_t at = 0; at < all.len; at += 7)
		usbdev_bulk_out(usb, MUX_EP_OUT, all.bytes + at,
				all.len - at < 7 ? all.len - at : 7);
	return b;
}

/* At each byte of what the host says until its first answer, every action: the simulator survives,
 * and the phone answers after a reset of the bus. */
static void test_every_byte(void **state)
{
	static const char *const actions[] = { "garbage", "cut",    "drop",    "stall", "reset",
					       "delay:9", "unplug", "error:x", "reboot" };

	for (unsigned byte = 1; byte < 140; byte += 3) {
		for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
			char rule[64];
			struct bed *b;

			snprintf(rule, sizeof(rule), "fault=mux %s byte %u %s",
				 byte % 2 ? "got" : "sent", byte, actions[i]);
			b = greeted_whatever(rule);
			bed_wait(b, 20000);
			phone_plug(&b->phone);
			b->phone.scenario.faults.count = 0; /* some have not come to it */
			usbdev_reset(&b->phone.usb);
			usbdev_set_config(&b->phone.usb, 4);
			host_sends(b, version, sizeof(version));
			expect_packet(b, version, sizeof(version));
			bed_free(b);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_knobs), cmocka_unit_test(test_stale),
		cmocka_unit_test(test_connect_knobs), cmocka_unit_test(test_segments),
		cmocka_unit_test(test_segment_knobs), cmocka_unit_test(test_no_ack),
		cmocka_unit_test(test_window_knob),   cmocka_unit_test(test_packet_knobs),
		cmocka_unit_test(test_sent),          cmocka_unit_test(test_got),
		cmocka_unit_test(test_every_byte),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
