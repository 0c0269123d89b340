/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The usbmuxd door: what clients ask and hear, who is held back, what becomes of them when the
 * phone goes. */
#include "bed_usbmuxd.h"

static void test_presence(void **state)
{
	struct mux_bed *b = bed_new("time_scale_percent=0");
	int fd = client_new(b);

	say_plist(b, fd, KEY_TEXT("MessageType", "Listen"));
	hear_result(fd, 0);
	hear_text(fd, 0, "<integer>4776</integer>");
	assert_silent(fd);
	phone_unplug(&b->phone);
	bed_turn(b);
	hear_text(fd, 0, "Detached");
	phone_plug(&b->phone);
	bed_turn(b);
	hear_text(fd, 0, "<key>DeviceID</key>\n\t<integer>2</integer>");
	/* modes that have no mux are not there for usbmuxd */
	phone_leave(&b->phone, MODE_RECOVERY, 0, "test");
	bed_wait(b, 20000);
	hear_text(fd, 0, "Detached");
	assert_silent(fd);
	phone_leave(&b->phone, MODE_RESTORE, 0, "test");
	bed_wait(b, 20000);
	hear_text(fd, 0, "<key>DeviceID</key>\n\t<integer>3</integer>");
	close(fd);
	bed_free(b);
}

static void test_stranger(void **state)
{
	struct mux_bed *b = bed_new("body=keyboard");
	int fd = client_new(b);

	say_plist(b, fd, KEY_TEXT("MessageType", "ListDevices"));
	hear_text(fd, 7, "<array/>");
	close(fd);
	bed_free(b);
}

static void test_visible_late(void **state)
{
	struct mux_bed *b = bed_new("visible_delay_ms=500");
	int fd = client_new(b);

	say_plist(b, fd, KEY_TEXT("MessageType", "ListDevices"));
	hear_text(fd, 7, "<array/>");
	bed_wait(b, 500);
	say_plist(b, fd, KEY_TEXT("MessageType", "ListDevices"));
	hear_text(fd, 7, "SerialNumber");
	close(fd);
	bed_free(b);
}

static void test_binary(void **state)
{
	static const uint8_t connect_lockdown[8] = { 1, 0, 0, 0, LOCKDOWN >> 8, LOCKDOWN & 0xff };
	struct mux_bed *b = bed_new("");
	int listener = client_new(b), fd = client_new(b);
	BUF_AUTO question = {};
	struct frame f;

	say(b, listener, 0, 3, nullptr, 0);
	f = hear(listener);
	assert_int_equal(f.message, 1);
	assert_int_equal(f.version, 0);
	assert_int_equal(f.tag, 7);
	assert_int_equal(get_le32(f.body), 0);
	f = hear(listener);
	assert_int_equal(f.message, 4);
	assert_int_equal(f.len, 268);
	assert_int_equal(get_le32(f.body), 1);
	assert_int_equal(get_le16(f.body + 4), 0x12a8);
	assert_string_equal((char *)f.body + 6, "00008110-001C20223E29401E");
	say(b, fd, 0, 2, connect_lockdown, sizeof(connect_lockdown));
	assert_int_equal(get_le32(hear(fd).body), 0);
	query_put(&question);
	send(fd, question.bytes, question.len, 0);
	bed_turn(b);
	hear_query_type(fd);
	phone_unplug(&b->phone);
	bed_turn(b);
	f = hear(listener);
	assert_int_equal(f.message, 5);
	assert_int_equal(f.len, 4);
	assert_ended(fd);
	close(listener);
	bed_free(b);
}

static void test_connect(void **state)
{
	struct mux_bed *b = bed_new("mux_connect_delay_ms=100");
	int fd = client_new(b);
	BUF_AUTO question = {};

	say_connect(b, fd, 9, LOCKDOWN);
	hear_result(fd, 2);
	say_connect(b, fd, 1, 1234);
	assert_silent(fd);
	bed_wait(b, 100);
	hear_result(fd, 3);
	/* a host that does not wait for the result: its bytes are the phone's */
	query_put(&question);
	say_connect(b, fd, 1, LOCKDOWN);
	send(fd, question.bytes, question.len, 0);
	bed_wait(b, 100);
	hear_result(fd, 0);
	hear_query_type(fd);
	close(fd);
	/* the cable goes while it is connecting */
	fd = client_new(b);
	say_connect(b, fd, 1, LOCKDOWN);
	phone_unplug(&b->phone);
	bed_turn(b);
	hear_result(fd, 3);
	close(fd);
	bed_free(b);
}

static void test_knobs(void **state)
{
	struct mux_bed *b = bed_new("mux_result=5 mux_save_result=13");
	int fd = client_new(b);

	say_connect(b, fd, 1, LOCKDOWN);
	hear_result(fd, 5);
	say_plist(b, fd, KEY_TEXT("MessageType", "SavePairRecord"));
	hear_result(fd, 13);
	b->phone.scenario.mux_result = 0;
	b->phone.faults.silent = true;
	say_connect(b, fd, 1, LOCKDOWN);
	assert_silent(fd);
	close(fd);
	bed_free(b);
}

#define ID   KEY_TEXT("PairRecordID", "00008110-001C20223E29401E")
#define DATA "<key>PairRecordData</key><data>PHBsaXN0PjxkaWN0PjwvZGljdD48L3BsaXN0Pg==</data>"

static void test_records(void **state)
{
	struct mux_bed *b = bed_new("");
	int fd = client_new(b), listener = client_new(b);

	say_plist(b, listener, KEY_TEXT("MessageType", "Listen"));
	hear_result(listener, 0);
	hear_text(listener, 0, "Attached");
	say_plist(b, fd, KEY_TEXT("MessageType", "ReadPairRecord") ID);
	hear_result(fd, ENOENT);
	say_plist(b, fd, KEY_TEXT("MessageType", "SavePairRecord") ID DATA);
	hear_result(fd, 0);
	assert_silent(listener);
	say_plist(b, fd,
		  KEY_TEXT("MessageType", "SavePairRecord") ID DATA KEY_NUMBER("DeviceID", "1"));
	hear_result(fd, 0);
	hear_text(listener, 0, "Paired");
	say_plist(b, fd, KEY_TEXT("MessageType", "ReadPairRecord") ID);
	hear_text(fd, 7, "PairRecordData");
	say_plist(b, fd,
		  KEY_TEXT("MessageType", "SavePairRecord") KEY_TEXT("PairRecordID", "../x") DATA);
	hear_result(fd, EINVAL);
	say_plist(b, fd, KEY_TEXT("MessageType", "SavePairRecord") ID);
	hear_result(fd, EINVAL);
	say_plist(b, fd, KEY_TEXT("MessageType", "DeletePairRecord") ID);
	hear_result(fd, 0);
	say_plist(b, fd, KEY_TEXT("MessageType", "DeletePairRecord") ID);
	hear_result(fd, ENOENT);
	close(fd);
	close(listener);
	bed_free(b);
}

static void test_buid_stays(void **state)
{
	struct mux_bed *b = bed_new("");
	int fd = client_new(b);
	struct frame one, two;

	say_plist(b, fd, KEY_TEXT("MessageType", "ReadBUID"));
	one = hear(fd);
	say_plist(b, fd, KEY_TEXT("MessageType", "ReadBUID"));
	two = hear(fd);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.body, two.body, one.len);
	close(fd);
	bed_free(b);
}

/* A host that asks and never reads: it is not read either, and nobody else suffers. */
static void test_back_pressure(void **state)
{
	struct mux_bed *b = bed_new("");
	int fd = client_new(b), other;
	size_t put = 0;
	BUF_AUTO question = {};

	query_put(&question);
	say_connect(b, fd, 1, LOCKDOWN);
	hear_result(fd, 0);
	for (ssize_t n; (n = send(fd, question.bytes + put % question.len,
				  question.len - put % question.len, MSG_NOSIGNAL)) > 0;) {
		put += (size_t)n;
		assert_true(put < 4 * 1024 * 1024);
		bed_turn(b);
	}
	assert_int_equal(errno, EAGAIN);
	other = client_new(b);
	say_connect(b, other, 1, LOCKDOWN);
	hear_result(other, 0);
	close(other);
	/* it reads: all answers come */
	for (size_t got = 0, wanted = put / question.len * 301; got < wanted; bed_turn(b)) {
		uint8_t bytes[65536];
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		assert_true(n > 0);
		got += (size_t)n;
	}
	close(fd);
	bed_free(b);
}

static void test_stalled_is_not_read(void **state)
{
	struct mux_bed *b = bed_new("");
	static const uint8_t bytes[65536];
	BUF_AUTO question = {};
	int fd = client_new(b);
	size_t put = 0;

	assert_int_equal(fault_parse(&b->phone.scenario.faults, "lockdown got message 1 stall"), 0);
	query_put(&question);
	say_connect(b, fd, 1, LOCKDOWN);
	hear_result(fd, 0);
	send(fd, question.bytes, question.len, 0);
	bed_turn(b);
	assert_silent(fd);
	for (ssize_t n; (n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL)) > 0; bed_turn(b)) {
		put += (size_t)n;
		assert_true(put < 4 * 1024 * 1024);
	}
	assert_int_equal(errno, EAGAIN);
	close(fd);
	bed_free(b);
}

static void test_many_clients(void **state)
{
	struct mux_bed *b = bed_new("");
	int fds[CLIENTS + 1];

	for (unsigned i = 0; i <= CLIENTS; i++) {
		fds[i] = client_new(b);
		say_plist(b, fds[i], KEY_TEXT("MessageType", "ReadBUID"));
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		hear_text(fds[i], 7, "BUID");
	assert_silent(fds[CLIENTS]);
	close(fds[0]);
	bed_turn(b);
	hear_text(fds[CLIENTS], 7, "BUID");
	for (unsigned i = 1; i <= CLIENTS; i++)
		close(fds[i]);
	bed_free(b);
}

static void test_manners(void **state)
{
	struct mux_bed *b = bed_new("");
	int fd = client_new(b);

	say(b, fd, 2, 8, nullptr, 0);
	assert_int_equal(get_le32(hear(fd).body), 6);
	say(b, fd, 0, 99, nullptr, 0);
	assert_int_equal(get_le32(hear(fd).body), 1);
	say(b, fd, 0, 2, "xy", 2);
	assert_int_equal(get_le32(hear(fd).body), 1);
	say(b, fd, 1, 8, "no property list", 16);
	assert_silent(fd);
	say_plist(b, fd, KEY_TEXT("MessageType", "Dance"));
	hear_result(fd, 1);
	say_plist(b, fd, KEY_TEXT("MessageType", "Listen"));
	hear_result(fd, 0);
	hear_text(fd, 0, "Attached");
	say_plist(b, fd, KEY_TEXT("MessageType", "ReadBUID"));
	assert_ended(fd);
	fd = client_new(b);
	send(fd, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", HEADER, 0);
	bed_turn(b);
	assert_ended(fd);
	bed_free(b);
}

/* Random bytes, half of them behind a header that fits, on connections of every state. */
static void test_garbage(void **state)
{
	struct mux_bed *b = bed_new("");
	unsigned seed = 1;
	int fd;

	for (unsigned round = 0; round < 300; round++) {
		uint8_t bytes[256];

		fd = client_new(b);
		if (round % 3 == 1)
			say_plist(b, fd, KEY_TEXT("MessageType", "Listen"));
		if (round % 3 == 2)
			say_connect(b, fd, 1, LOCKDOWN);
		for (unsigned i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)rand_r(&seed);
		if (round % 2) {
			put_le32(bytes, HEADER + (uint32_t)rand_r(&seed) % 240);
			put_le32(bytes + 4, (uint32_t)rand_r(&seed) % 3);
			put_le32(bytes + 8, (uint32_t)rand_r(&seed) % 10);
		}
		send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
		bed_turn(b);
		close(fd);
	}
	bed_turn(b);
	fd = client_new(b);
	say_plist(b, fd, KEY_TEXT("MessageType", "ListDevices"));
	hear_text(fd, 7, "SerialNumber");
	close(fd);
	bed_free(b);
}

/* A phone whose mux does not answer a SYN: Connect is not answered either, until the phone goes. */
static void test_connect_unanswered(void **state)
{
	struct mux_bed *b = bed_new("mux_no_synack=yes");
	int fd = client_new(b);

	say_connect(b, fd, 1, LOCKDOWN);
	bed_wait(b, 60000);
	assert_silent(fd);
	phone_unplug(&b->phone);
	bed_turn(b);
	hear_result(fd, 3);
	close(fd);
	bed_free(b);
}

/* What has no mux is not listed. */
static void test_camera(void **state)
{
	struct mux_bed *b = bed_new("one_config=yes");
	int fd = client_new(b);

	say_plist(b, fd, KEY_TEXT("MessageType", "ListDevices"));
	hear_text(fd, 7, "<array/>");
	close(fd);
	bed_free(b);
}

/* A host that sends and hangs up while a delay is on: all of it arrives. */
static void test_hang_up_during_delay(void **state)
{
	struct mux_bed *b = bed_new("seed=1");
	static uint8_t bytes[1500000];
	int fd = client_new(b);
	size_t sent = 0;
	uint64_t got = 0;

	assert_int_equal(fault_parse(&b->phone.scenario.faults, "lockdown got byte 5 delay:5000"),
			 0);
	say_connect(b, fd, 1, LOCKDOWN);
	hear_result(fd, 0);
	put_be32(bytes, sizeof(bytes)); /* one long message that never ends */
	for (unsigned i = 0; i < 1000 && sent < sizeof(bytes); i++) {
		ssize_t put = send(fd, bytes + sent, sizeof(bytes) - sent, MSG_NOSIGNAL);

		sent += put > 0 ? (size_t)put : 0;
		bed_turn(b);
	}
	assert_true(sent > 1024 * 1024);
	close(fd);
	bed_turn(b);
	bed_wait(b, 6000);
	for (unsigned i = 0; i < b->phone.faults.count; i++)
		if (!strcmp(b->phone.faults.counts[i].conversation, "lockdown"))
			got = b->phone.faults.counts[i].bytes[FAULT_GOT];
	assert_int_equal(got, sent);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect_unanswered),
		cmocka_unit_test(test_hang_up_during_delay),
		cmocka_unit_test(test_camera),
		cmocka_unit_test(test_presence),
		cmocka_unit_test(test_stranger),
		cmocka_unit_test(test_visible_late),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_knobs),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_buid_stays),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_stalled_is_not_read),
		cmocka_unit_test(test_many_clients),
		cmocka_unit_test(test_manners),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
