/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mux with the frames that usbmuxd was seen to send, and lockdownd behind it. */
#include <plist/plist.h>

#include "bed_mux.h"
#include "lockdown.h"

static void test_handshake(void **state)
{
	bed_free(shake_hands("mode=normal", nullptr));
}

/* The same bytes in transfers of one byte each, and with the end marks that hosts send. */
static void test_split(void **state)
{
	struct bed *b = BED("mode=normal");
	BUF_AUTO all = {};

	usbdev_set_config(&b->phone.usb, 4);
	buf_add(&all, version, sizeof(version));
	buf_add(&all, setup, sizeof(setup));
	buf_add(&all, syn, sizeof(syn));
	for (size_t i = 0; i < all.len; i++) {
		host_sends(b, all.bytes + i, 1);
		host_sends(b, nullptr, 0);
	}
	expect_packet(b, version, sizeof(version));
	expect_packet(b, syn_ack, sizeof(syn_ack));
	bed_free(b);
}

static void test_refused(void **state)
{
	struct bed *b = BED("mode=normal");
	uint8_t other[36];
	BUF_AUTO packet = {};

	usbdev_set_config(&b->phone.usb, 4);
	host_sends(b, syn, sizeof(syn));
	expect_nothing(b); /* before the version packet */
	host_sends(b, version, sizeof(version));
	expect_packet(b, version, sizeof(version));
	memcpy(other, syn, sizeof(syn));
	put_be16(other + 18, 22);
	host_sends(b, other, sizeof(other));
	assert_true(phone_sends(b, &packet));
	assert_int_equal(packet.bytes[29], 0x04);
	assert_int_equal(get_be16(packet.bytes + 16), 22);
	/* a segment of no connection is reset, a reset is not */
	host_segment(b, 0x10, 0, 1, "x", 1);
	assert_true(phone_sends(b, &packet));
	assert_int_equal(packet.bytes[29], 0x04);
	host_segment(b, 0x04, 0, 1, nullptr, 0);
	expect_nothing(b);
	/* a session service does not listen for strangers */
	put_be16(other + 18, PORT_EPHEMERAL_FIRST + 1);
	host_sends(b, other, sizeof(other));
	assert_true(phone_sends(b, &packet));
	assert_int_equal(packet.bytes[29], 0x04);
	bed_free(b);
}

/* usbmuxd restarted without a bus reset: nothing of the old conversation comes through. */
static void test_again(void **state)
{
	struct bed *b = shake_hands("mode=normal", nullptr);

	host_segment(b, 0x10, 0, 1, "\0\0\0", 3);
	host_sends(b, version, sizeof(version));
	expect_packet(b, version, sizeof(version));
	expect_nothing(b);
	assert_null(b->phone.mux.connections);
	host_sends(b, setup, sizeof(setup));
	host_sends(b, syn, sizeof(syn));
	expect_packet(b, syn_ack, sizeof(syn_ack));
	bed_free(b);
}

static void test_garbage(void **state)
{
	struct bed *b = shake_hands("mode=normal", nullptr);

	host_sends(b, "\0\0\0\6\xff\xff\xff\xff", 8);
	assert_true(bed_logged(b, "mux-garbage"));
	host_sends(b, "\0\0\0\6\0\0\0\1", 8);
	expect_nothing(b);
	host_segment(b, 0x04, 0, 1, nullptr, 0);
	bed_wait(b, 1);
	assert_null(b->phone.mux.connections);
	bed_free(b);
}

/* ---- lockdownd ---- */

struct talk {
	struct bed *bed;
	uint32_t sent, received; /* bytes of payload each way */
	size_t piece;            /* at most this many bytes a segment; 0: all at once */
};

static plist_t request_new(const char *name, const char *key, const char *value)
{
	plist_t request = plist_new_dict();

	plist_dict_set_item(request, "Label", plist_new_string("test"));
	plist_dict_set_item(request, "Request", plist_new_string(name));
	if (key)
		plist_dict_set_item(request, key, plist_new_string(value));
	return request;
}

static void talk_send(struct talk *t, plist_t request)
{
	char *xml = nullptr;
	uint32_t len = 0;
	uint8_t prefix[4];
	BUF_AUTO all = {};

	plist_to_xml(request, &xml, &len);
	put_be32(prefix, len);
	buf_add(&all, prefix, 4);
	buf_add(&all, xml, len);
	plist_mem_free(xml);
	plist_free(request);
	for (size_t at = 0; at < all.len;) {
		size_t piece = t->piece && t->piece < all.len - at ? t->piece : all.len - at;

		host_segment(t->bed, 0x10, t->sent, 1 + t->received, all.bytes + at, piece);
		t->sent += (uint32_t)piece;
		at += piece;
	}
}

/* Payload of the phone until it falls silent. Each data segment must carry exactly ACK. */
static void talk_take(struct talk *t, struct buf *payload)
{
	BUF_AUTO packet = {};

	buf_clear(payload);
	while (phone_sends(t->bed, &packet)) {
		if (packet.len == PACKET_HEADERS)
			continue;
		assert_int_equal(packet.bytes[29], 0x10);
		assert_int_equal(get_be32(packet.bytes + 20), 1 + t->received);
		buf_add(payload, packet.bytes + PACKET_HEADERS, packet.len - PACKET_HEADERS);
		t->received += (uint32_t)packet.len - PACKET_HEADERS;
	}
}

static plist_t talk(struct talk *t, plist_t request)
{
	BUF_AUTO payload = {};
	plist_t reply = nullptr;

	talk_send(t, request);
	talk_take(t, &payload);
	assert_true(payload.len > 4);
	assert_int_equal(get_be32(payload.bytes), payload.len - 4);
	plist_from_memory((const char *)payload.bytes + 4, (uint32_t)payload.len - 4, &reply,
			  nullptr);
	assert_non_null(reply);
	return reply;
}

static void expect_text(plist_t reply, const char *key, const char *text)
{
	plist_t node = plist_dict_get_item(reply, key);

	assert_non_null(node);
	assert_string_equal(plist_get_string_ptr(node, nullptr), text);
	plist_free(reply);
}

/* 297 bytes: the size of the same reply of a real phone. Whole, and byte by byte. */
static void test_query_type(void **state)
{
	for (size_t piece = 0; piece < 2; piece++) {
		struct talk t = { .bed = shake_hands("mode=normal", nullptr), .piece = piece };
		BUF_AUTO payload = {};

		talk_send(&t, request_new("QueryType", nullptr, nullptr));
		talk_take(&t, &payload);
		assert_int_equal(payload.len, 4 + 297);
		assert_int_equal(get_be32(payload.bytes), 297);
		bed_free(t.bed);
	}
}

static void test_values(void **state)
{
	struct talk t = { .bed = shake_hands("mode=normal", "name=Anna's \\u00fc") };
	plist_t reply, pem;

	expect_text(talk(&t, request_new("GetValue", "Key", "ProductVersion")), "Value", "17.6.1");
	expect_text(talk(&t, request_new("GetValue", "Key", "ProductType")), "Value", "iPhone14,5");
	expect_text(talk(&t, request_new("GetValue", "Key", "HardwareModel")), "Value", "D17AP");
	expect_text(talk(&t, request_new("GetValue", "Key", "UniqueDeviceID")), "Value",
		    "00008110-001C20223E29401E");
	expect_text(talk(&t, request_new("GetValue", "Key", "DeviceName")), "Value",
		    "Anna's \u00fc");
	expect_text(talk(&t, request_new("GetValue", "Key", "SerialNumber")), "Error",
		    "GetProhibited");
	expect_text(talk(&t, request_new("GetValue", "Key", "Nonsense")), "Error", "MissingValue");
	expect_text(talk(&t, request_new("GetValue", "Domain", "com.apple.disk_usage")), "Error",
		    "GetProhibited");
	reply = talk(&t, request_new("GetValue", nullptr, nullptr));
	assert_int_equal(plist_get_node_type(plist_dict_get_item(reply, "Value")), PLIST_DICT);
	plist_free(reply);
	reply = talk(&t, request_new("GetValue", "Key", "DevicePublicKey"));
	pem = plist_dict_get_item(reply, "Value");
	assert_int_equal(plist_get_node_type(pem), PLIST_DATA);
	plist_free(reply);
	bed_free(t.bed);
}

/* Opens notification_proxy as usbmuxd's preflight does and sees it stay open until Shutdown. */
static void test_notification_proxy(void **state)
{
	struct talk t = { .bed = shake_hands("mode=normal", nullptr) };
	plist_t reply = talk(&t, request_new("StartService", "Service",
					     "com.apple.mobile.insecure_notification_proxy"));
	struct stream stream = {};
	uint64_t port = 0;

	plist_get_uint_val(plist_dict_get_item(reply, "Port"), &port);
	plist_free(reply);
	assert_uint_in_range(port, PORT_EPHEMERAL_FIRST, 65535);
	assert_null(ports_open(&t.bed->phone.ports, (uint16_t)(port + 1), &stream));
	{
		struct service *s = ports_open(&t.bed->phone.ports, (uint16_t)port, &stream);

		assert_non_null(s);
		s->class->free(s);
	}
	bed_free(t.bed);
}

static void test_enter_recovery(void **state)
{
	struct talk t = { .bed = shake_hands("mode=normal", nullptr) };
	struct talk refused = { .bed = shake_hands("mode=normal", "enter_recovery=session") };

	expect_text(talk(&refused, request_new("EnterRecovery", nullptr, nullptr)), "Error",
		    "SessionInactive");
	expect_text(talk(&t, request_new("EnterRecovery", nullptr, nullptr)), "Request",
		    "EnterRecovery");
	bed_wait(t.bed, 20000);
	bed_wait(refused.bed, 20000);
	assert_int_equal(t.bed->phone.mode, MODE_RECOVERY);
	assert_false(recovery_auto_boot(&t.bed->phone.recovery));
	assert_int_equal(refused.bed->phone.mode, MODE_NORMAL);
	bed_free(t.bed);
	bed_free(refused.bed);
}

static void test_restored(void **state)
{
	struct talk t = { .bed = shake_hands("mode=restore", nullptr) };

	expect_text(talk(&t, request_new("QueryType", nullptr, nullptr)), "Type",
		    "com.apple.mobile.restored");
	bed_free(t.bed);
}

/* Goodbye, a message that is no property list, and one that is too long: the phone answers with
 * RST. */
static void test_endings(void **state)
{
	static const char *const endings[] = { "\0\0\0\4junk", "\x7f\xff\xff\xff" };
	struct talk t = { .bed = shake_hands("mode=normal", nullptr) };
	BUF_AUTO packet = {};

	talk_send(&t, request_new("Goodbye", nullptr, nullptr));
	while (phone_sends(t.bed, &packet))
		;
	assert_int_equal(packet.bytes[29], 0x04);
	bed_wait(t.bed, 1);
	assert_null(t.bed->phone.mux.connections);
	bed_free(t.bed);
	for (unsigned i = 0; i < 2; i++) {
		struct bed *b = shake_hands("mode=normal", nullptr);

		host_segment(b, 0x10, 0, 1, endings[i], i ? 4 : 8);
		while (phone_sends(b, &packet))
			;
		assert_int_equal(packet.bytes[29], 0x04);
		bed_free(b);
	}
}

/* A host that never acknowledges gets one window and no more. */
static void test_window(void **state)
{
	struct bed *b = shake_hands("mode=normal", nullptr);
	struct talk t = { .bed = b };
	BUF_AUTO packet = {};
	size_t got = 0;

	for (unsigned i = 0; i < 120; i++)
		talk_send(&t, request_new("GetValue", nullptr, nullptr));
	while (phone_sends(b, &packet))
		got += packet.len - PACKET_HEADERS;
	assert_int_equal(got, 131072);
	host_segment(b, 0x10, t.sent, 1 + (uint32_t)got, nullptr, 0);
	assert_true(phone_sends(b, &packet));
	assert_true(packet.len > PACKET_HEADERS);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),      cmocka_unit_test(test_split),
		cmocka_unit_test(test_refused),        cmocka_unit_test(test_again),
		cmocka_unit_test(test_garbage),        cmocka_unit_test(test_query_type),
		cmocka_unit_test(test_values),         cmocka_unit_test(test_notification_proxy),
		cmocka_unit_test(test_enter_recovery), cmocka_unit_test(test_restored),
		cmocka_unit_test(test_endings),        cmocka_unit_test(test_window),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
