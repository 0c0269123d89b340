/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The libusb door and bare frames, polite and not. */
#include "bed_libusb.h"

struct frame {
	struct wire_head head;
	uint8_t body[4096];
};

/* False: the phone hung up. */
static bool bytes_read(int fd, void *to, size_t len)
{
	while (len > 0) {
		ssize_t got;

		assert_true(readable(fd, PATIENCE_MS));
		got = recv(fd, to, len, 0);
		if (got <= 0)
			return false;
		to = (uint8_t *)to + got;
		len -= (size_t)got;
	}
	return true;
}

static bool frame_read(int fd, struct frame *f)
{
	if (!bytes_read(fd, &f->head, sizeof(f->head)))
		return false;
	assert_true(f->head.length <= sizeof(f->body));
	return bytes_read(fd, f->body, f->head.length);
}

static void frame_send(int fd, struct wire_head head, const void *body, size_t len)
{
	uint8_t bytes[sizeof(head) + 4096];

	memcpy(bytes, &head, sizeof(head));
	if (len > 0)
		memcpy(bytes + sizeof(head), body, len);
	(void)send(fd, bytes, sizeof(head) + len, MSG_NOSIGNAL);
}

static struct wire_presence presence_read(int fd)
{
	struct wire_presence p;
	struct frame f;

	assert_true(frame_read(fd, &f));
	assert_int_equal(f.head.word, WIRE_PRESENCE);
	assert_true(f.head.length >= sizeof(p));
	memcpy(&p, f.body, sizeof(p));
	return p;
}

/* A handle on the device at @address; -1 if it is not there. */
static int handle_open(const struct bench *b, uint8_t address)
{
	int fd = connect_to(b->bus);
	struct frame f;

	presence_read(fd);
	frame_send(fd, (struct wire_head){ .word = WIRE_OPEN, .id = 1, .a = address }, nullptr, 0);
	assert_true(frame_read(fd, &f));
	assert_int_equal(f.head.word, WIRE_DONE);
	if (f.head.a == WIRE_OK)
		return fd;
	assert_int_equal(f.head.a, WIRE_GONE);
	close(fd);
	return -1;
}

static const uint8_t read_device[] = { 0x80, 0x06, 0, 1, 0, 0, 18, 0 };

/* The phone is well: it tells its device descriptor. */
static void assert_well(const struct bench *b, uint8_t address)
{
	int fd = handle_open(b, address);
	struct frame f;

	assert_true(fd >= 0);
	frame_send(fd, (struct wire_head){ .word = WIRE_CONTROL, .id = 2, .length = 8 },
		   read_device, 8);
	assert_true(frame_read(fd, &f));
	assert_int_equal(f.head.id, 2);
	assert_int_equal(f.head.a, WIRE_OK);
	assert_int_equal(f.head.length, 18);
	close(fd);
}

static void test_presence(void **state)
{
	struct bench *b = BENCH("mode", "normal");
	int watcher = connect_to(b->bus);
	struct wire_presence p = presence_read(watcher);
	int handle = handle_open(b, 2);
	struct frame f;

	assert_int_equal(p.attached, 1);
	assert_int_equal(p.bus, 1);
	assert_int_equal(p.address, 2);
	assert_int_equal(p.high_speed, 1);
	assert_int_equal(p.config, 1); /* as Linux leaves it */
	assert_int_equal(p.config_count, 4);
	assert_int_equal(p.device[0], 18);
	assert_int_equal(handle_open(b, 3), -1);
	bench_do(b, "unplug\n");
	assert_int_equal(presence_read(watcher).attached, 0);
	assert_false(frame_read(handle, &f)); /* hung up */
	close(handle);
	assert_int_equal(handle_open(b, 2), -1);
	bench_do(b, "plug\n");
	assert_int_equal(presence_read(watcher).address, 3);
	assert_well(b, 3);
	close(watcher);
	bench_free(b);
}

/* Each begins a new connection, and must end it. */
static void test_cut_off(void **state)
{
	static const struct wire_head rude[] = {
		{ .word = WIRE_CONTROL, .length = 8 },       /* before OPEN */
		{ .word = WIRE_OPEN, .length = UINT32_MAX }, /* too long */
		{ .word = WIRE_OPEN, .length = 3 },          /* OPEN has no body */
		{ .word = WIRE_DONE },                       /* the phone's word */
		{ .word = 0 },
		{ .word = 255 },
	};
	struct bench *b = BENCH("mode", "recovery");
	uint8_t body[8] = { 0x80, 6 };
	struct frame f;

	for (size_t i = 0; i < sizeof(rude) / sizeof(rude[0]); i++) {
		int fd = connect_to(b->bus);

		presence_read(fd);
		frame_send(fd, rude[i], body, rude[i].length <= 8 ? rude[i].length : 8);
		while (frame_read(fd, &f))
			assert_int_equal(f.head.word, WIRE_DONE);
		close(fd);
	}
	assert_well(b, 2);
	bench_free(b);
}

/* Of a handle. Those with a body give its length. */
static void test_cut_off_handle(void **state)
{
	static const struct {
		struct wire_head head;
		uint8_t body[12];
	} rude[] = {
		{ .head = { .word = WIRE_CONTROL, .length = 7 } },
		{ .head = { .word = WIRE_CONTROL, .length = 12 }, .body = { 0x80, 6 } },
		{ .head = { .word = WIRE_CONTROL, .length = 8 }, .body = { [6] = 1 } },
		{ .head = { .word = WIRE_CONTROL, .length = 8 }, .body = { 0x80, 6, [7] = 0xff } },
		{ .head = { .word = WIRE_OUT, .a = 0x81 } },
		{ .head = { .word = WIRE_IN, .a = 0x04 } },
		{ .head = { .word = WIRE_IN, .a = 0x81, .number = UINT32_MAX } },
		{ .head = { .word = WIRE_IN, .a = 0x81, .length = 1 } },
		{ .head = { .word = WIRE_SET_ALT, .length = 1 } },
		{ .head = { .word = WIRE_OPEN } },
		{ .head = { .word = WIRE_PRESENCE } },
	};
	struct bench *b = BENCH("mode", "recovery");
	struct frame f;

	for (size_t i = 0; i < sizeof(rude) / sizeof(rude[0]); i++) {
		int fd = handle_open(b, 2);

		assert_true(fd >= 0);
		frame_send(fd, rude[i].head, rude[i].body, rude[i].head.length);
		while (frame_read(fd, &f))
			assert_int_equal(f.head.word, WIRE_DONE);
		close(fd);
	}
	assert_well(b, 2);
	bench_free(b);
}

/* A frame that looks right, with any numbers; every second names a pipe that may exist. */
static void noise_send(int fd, uint32_t *dice, uint32_t id)
{
	struct wire_head h = { .id = id };
	uint8_t body[64];

	for (size_t i = 0; i < sizeof(body); i++) {
		*dice = *dice * 1103515245 + 12345;
		body[i] = (uint8_t)(*dice >> 16);
	}
	h.word = 1 + body[0] % 14;
	h.a = body[1] % 2 ? body[2] & 0x87 : body[2];
	h.b = body[3];
	h.number = body[4] * 257U;
	if (h.word == WIRE_OUT)
		h.length = body[5] % 48;
	if (h.word == WIRE_CONTROL) {
		h.length = WIRE_SETUP;
		body[15] = 0; /* at most 255 bytes, and none to the phone */
		body[14] = body[8] & 0x80 ? body[14] : 0;
	}
	frame_send(fd, h, body + 8, h.length);
}

/* A handle on what is on the bus, or will be in a moment. */
static int handle_open_any(const struct bench *b)
{
	int watcher = connect_to(b->bus);
	uint8_t address = 0;
	int fd = -1;

	while (fd < 0) {
		while (!address)
			address = presence_read(watcher).address;
		fd = handle_open(b, address);
		address = 0;
	}
	close(watcher);
	return fd;
}

/* The phone may cut it off or answer, and lives. */
static void test_noise(void **state)
{
	static const char *const modes[] = { "normal", "recovery", "dfu", "debug-usb" };
	uint32_t dice = 1;

	for (size_t m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
		struct bench *b = BENCH("mode", modes[m], "gap_ms", "1", "boot_ms", "1");
		int fd = handle_open_any(b);
		uint8_t answers[4096];

		for (unsigned i = 0; i < 3000; i++) {
			noise_send(fd, &dice, i);
			if (!readable(fd, 0) ||
			    recv(fd, answers, sizeof(answers), MSG_DONTWAIT) > 0)
				continue;
			close(fd);
			fd = handle_open_any(b);
		}
		close(fd);
		close(handle_open_any(b));
		bench_free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_presence),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_cut_off_handle),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
