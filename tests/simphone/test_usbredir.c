/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The usbredir door with the library's own parser as guest on the other side: what QEMU insists on,
 * in QEMU's order. The phone runs in a child process, as it does in earnest.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <usbredirparser.h>

#include "bed.h"
#include "doors/door_usbredir.h"

enum { PATIENCE_MS = 20000 };

/* What the guest was told last. */
struct guest {
	struct usbredirparser *parser;
	int fd;
	pid_t phone;
	char path[64];
	bool closed;
	unsigned connects, disconnects, endpoint_infos, answers;
	bool info_before_connect;
	struct usb_redir_device_connect_header device;
	struct usb_redir_ep_info_header endpoints;
	struct usb_redir_interface_info_header interfaces;
	uint8_t status;
	uint8_t config;
	uint64_t id; /* of the last answer */
	struct buf bytes;
};

static int guest_read(void *user, uint8_t *bytes, int len)
{
	struct guest *g = user;
	ssize_t got = recv(g->fd, bytes, (size_t)len, MSG_DONTWAIT);

	if (got > 0)
		return (int)got;
	g->closed |= got == 0;
	return got < 0 && errno == EAGAIN ? 0 : -1;
}

static int guest_write(void *user, uint8_t *bytes, int len)
{
	struct guest *g = user;

	return (int)send(g->fd, bytes, (size_t)len, MSG_NOSIGNAL);
}

static void guest_log(void *user, int level, const char *text)
{
	if (level <= usbredirparser_warning)
		fail_msg("usbredir: %s", text);
}

static void on_connect(void *user, struct usb_redir_device_connect_header *device)
{
	struct guest *g = user;

	g->device = *device;
	g->info_before_connect = g->endpoint_infos > 0;
	g->connects++;
}

static void on_disconnect(void *user)
{
	struct guest *g = user;

	g->disconnects++;
	g->endpoint_infos = 0; /* QEMU forgets them, so they must come again */
}

static void on_endpoints(void *user, struct usb_redir_ep_info_header *endpoints)
{
	struct guest *g = user;

	g->endpoints = *endpoints;
	g->endpoint_infos++;
}

static void on_interfaces(void *user, struct usb_redir_interface_info_header *interfaces)
{
	struct guest *g = user;

	g->interfaces = *interfaces;
}

static void guest_answer(struct guest *g, uint64_t id, uint8_t status)
{
	g->answers++;
	g->id = id;
	g->status = status;
}

static void on_config(void *user, uint64_t id, struct usb_redir_configuration_status_header *h)
{
	struct guest *g = user;

	g->config = h->configuration;
	guest_answer(g, id, h->status);
}

static void on_alt(void *user, uint64_t id, struct usb_redir_alt_setting_status_header *h)
{
	guest_answer(user, id, h->status);
}

static void guest_bytes(struct guest *g, uint8_t *bytes, int len)
{
	buf_clear(&g->bytes);
	buf_add(&g->bytes, bytes, (size_t)len);
	usbredirparser_free_packet_data(g->parser, bytes);
}

static void on_control(void *user, uint64_t id, struct usb_redir_control_packet_header *h,
		       uint8_t *bytes, int len)
{
	struct guest *g = user;

	guest_bytes(g, bytes, len);
	guest_answer(g, id, h->status);
}

static void on_bulk(void *user, uint64_t id, struct usb_redir_bulk_packet_header *h, uint8_t *bytes,
		    int len)
{
	struct guest *g = user;

	guest_bytes(g, bytes, len);
	guest_answer(g, id, h->status);
}

static void on_interrupt_status(void *user, uint64_t id,
				struct usb_redir_interrupt_receiving_status_header *h)
{
	guest_answer(user, id, h->status);
}

/* Runs the conversation until *@count has reached @wanted, or the other side is gone. */
static void guest_until(struct guest *g, const unsigned *count, unsigned wanted)
{
	while (*count < wanted && !g->closed) {
		struct pollfd fd = { .fd = g->fd, .events = POLLIN };

		while (usbredirparser_has_data_to_write(g->parser))
			assert_int_equal(usbredirparser_do_write(g->parser), 0);
		assert_int_equal(poll(&fd, 1, PATIENCE_MS), 1);
		usbredirparser_do_read(g->parser);
	}
}

/* The phone's process: one door, the loop, nothing of the test. */
[[noreturn]] static void phone_process(const char *path, const char *const *settings)
{
	struct scenario s;
	struct loop loop;
	struct phone phone;
	struct door_usbredir *door;
	char why[256];

	scenario_init(&s);
	for (; *settings; settings += 2)
		scenario_set(&s, settings[0], settings[1], why, sizeof(why));
	loop_init(&loop);
	phone_init(&phone, &s, &loop.timers, nullptr);
	phone_start(&phone);
	door = door_usbredir_new(&loop, &phone.usb, &phone.log, path, PATIENCE_MS);
	loop_run(&loop);
	door_usbredir_free(door);
	phone_done(&phone);
	exit(0);
}

static void parser_begin(struct guest *g)
{
	uint32_t caps[USB_REDIR_CAPS_SIZE] = {};
	struct usbredirparser *p = usbredirparser_create();

	g->parser = p;
	p->priv = g;
	p->log_func = guest_log;
	p->read_func = guest_read;
	p->write_func = guest_write;
	p->device_connect_func = on_connect;
	p->device_disconnect_func = on_disconnect;
	p->ep_info_func = on_endpoints;
	p->interface_info_func = on_interfaces;
	p->configuration_status_func = on_config;
	p->alt_setting_status_func = on_alt;
	p->control_packet_func = on_control;
	p->bulk_packet_func = on_bulk;
	p->interrupt_receiving_status_func = on_interrupt_status;
	for (int cap = 0; cap < 8; cap++) /* as QEMU: all of them */
		usbredirparser_caps_set_cap(caps, cap);
	usbredirparser_init(p, "test guest", caps, USB_REDIR_CAPS_SIZE, 0);
}

/* settings: key, value, …, NULL */
static struct guest *guest_new(const char *const *settings)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct guest *g = calloc(1, sizeof(*g));
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(g->path, sizeof(g->path), "build/simphone-test-%d.sock", getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", g->path);
	g->phone = fork();
	if (g->phone == 0)
		phone_process(g->path, settings);
	unlink(g->path); /* the phone is early: it must wait for the socket */
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(poll(&(struct pollfd){ .fd = listener, .events = POLLIN }, 1, PATIENCE_MS),
			 1);
	g->fd = accept(listener, nullptr, nullptr);
	close(listener);
	parser_begin(g);
	guest_until(g, &g->connects, 1);
	assert_true(g->info_before_connect);
	return g;
}

/* Hangs up as a machine that is switched off; the phone's process must end by itself, and well. */
static void guest_free(struct guest *g)
{
	int status = -1;

	close(g->fd);
	assert_int_equal(waitpid(g->phone, &status, 0), g->phone);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	usbredirparser_destroy(g->parser);
	buf_done(&g->bytes);
	unlink(g->path);
	free(g);
}

#define GUEST(...) guest_new((const char *const[]){ __VA_ARGS__, nullptr })

static void control_in(struct guest *g, unsigned type_request, uint16_t value, uint16_t index,
		       uint16_t length)
{
	struct usb_redir_control_packet_header h = { .endpoint = 0x80,
						     .request = (uint8_t)type_request,
						     .requesttype = (uint8_t)(type_request >> 8),
						     .value = value,
						     .index = index,
						     .length = length };
	unsigned before = g->answers;

	usbredirparser_send_control_packet(g->parser, 0x123456789abc, &h, nullptr, 0);
	guest_until(g, &g->answers, before + 1);
	assert_true(g->id == 0x123456789abc);
}

static void control_out(struct guest *g, unsigned type_request, const char *text)
{
	struct usb_redir_control_packet_header h = { .request = (uint8_t)type_request,
						     .requesttype = (uint8_t)(type_request >> 8),
						     .length = (uint16_t)(strlen(text) + 1) };
	unsigned before = g->answers;

	usbredirparser_send_control_packet(g->parser, 7, &h, (uint8_t *)text, h.length);
	guest_until(g, &g->answers, before + 1);
}

static void set_config(struct guest *g, uint8_t value)
{
	struct usb_redir_set_configuration_header h = { value };
	unsigned before = g->answers;

	usbredirparser_send_set_configuration(g->parser, 9, &h);
	guest_until(g, &g->answers, before + 1);
}

static void test_enumerate(void **state)
{
	struct guest *g = GUEST("mode", "normal");

	assert_int_equal(g->device.speed, usb_redir_speed_high);
	assert_int_equal(g->device.vendor_id, 0x05ac);
	assert_int_equal(g->device.product_id, 0x12a8);
	assert_int_equal(g->interfaces.interface_count, 0);
	usbredirparser_send_reset(g->parser);
	usbredirparser_send_reset(g->parser);
	control_in(g, 0x8006, 0x0100, 0, 64);
	assert_int_equal(g->bytes.len, 18);
	control_in(g, 0x8006, 0x0203, 0, 4096);
	assert_int_equal(g->bytes.len, 117);
	control_in(g, 0x8006, 0x03f0, 0x0409, 255);
	assert_int_equal(g->status, usb_redir_stall);
	set_config(g, 1);
	assert_int_equal(g->config, 1);
	set_config(g, 0); /* Debian's udev rule */
	assert_int_equal(g->status, usb_redir_success);
	assert_int_equal(g->interfaces.interface_count, 0);
	set_config(g, 4);
	assert_int_equal(g->interfaces.interface_count, 3);
	assert_int_equal(g->interfaces.interface_subclass[1], 0xfe);
	assert_int_equal(g->endpoints.type[16 + 5], usb_redir_type_bulk);
	assert_int_equal(g->endpoints.max_packet_size[16 + 5], 512);
	assert_int_equal(g->endpoints.type[16 + 3], usb_redir_type_interrupt);
	assert_true(g->endpoints.interval[16 + 3] > 0);
	set_config(g, 9);
	assert_int_equal(g->status, usb_redir_stall);
	assert_int_equal(g->config, 4);
	guest_free(g);
}

/* Bulk both ways, a request that is cancelled, one that outlives nothing. */
static void test_bulk(void **state)
{
	static uint8_t version[20] = { [7] = 0x14, [11] = 2 };
	struct usb_redir_bulk_packet_header in = { .endpoint = 0x85, .length = 16384 };
	struct usb_redir_bulk_packet_header out = { .endpoint = 0x04, .length = 20 };
	struct usb_redir_start_interrupt_receiving_header interrupt = { 0x83 };
	struct guest *g = GUEST("mode", "normal");
	unsigned before;

	set_config(g, 4);
	before = g->answers;
	usbredirparser_send_bulk_packet(g->parser, 100, &in, nullptr, 0);
	usbredirparser_send_bulk_packet(g->parser, 101, &in, nullptr, 0);
	usbredirparser_send_cancel_data_packet(g->parser, 100);
	guest_until(g, &g->answers, before + 1);
	assert_true(g->id == 100);
	assert_int_equal(g->status, usb_redir_cancelled);
	usbredirparser_send_bulk_packet(g->parser, 102, &out, version, 20);
	guest_until(g, &g->answers,
		    before + 3); /* the version comes back on 101, and 102 is done */
	assert_int_equal(g->status, usb_redir_success);
	usbredirparser_send_start_interrupt_receiving(g->parser, 103, &interrupt);
	guest_until(g, &g->answers, before + 4);
	assert_int_equal(g->status, usb_redir_success);
	guest_free(g);
}

/* Leaves recovery, waits for the acknowledgement, and comes back as normal. */
static void test_mode_change(void **state)
{
	struct guest *g = GUEST("mode", "recovery", "boot_ms", "50");

	assert_int_equal(g->device.product_id, 0x1281);
	set_config(g, 1);
	control_in(g, 0x8006, 0x0301, 0x0409, 255);
	assert_int_equal(g->bytes.len, 2 + 2 * 115);
	control_out(g, 0x4000, "setenv auto-boot true");
	control_out(g, 0x4000, "saveenv");
	control_out(g, 0x4000, "reboot");
	assert_int_equal(g->status, usb_redir_success);
	guest_until(g, &g->connects, 2); /* the parser acknowledges the departure by itself */
	assert_int_equal(g->disconnects, 1);
	assert_int_equal(g->device.product_id, 0x12a8);
	assert_true(g->info_before_connect);
	guest_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enumerate),
		cmocka_unit_test(test_bulk),
		cmocka_unit_test(test_mode_change),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
