/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The stand-in for libusb as a program meets it, and the door behind it. */
#include <libusb-1.0/libusb.h>

#include "bed_libusb.h"

enum { MUX_IN = 0x85, MUX_OUT = 0x04, PTP_EVENTS = 0x83 };

static libusb_device_handle *open_first(void)
{
	libusb_device_handle *handle = nullptr;
	libusb_device **list;

	assert_int_equal(libusb_get_device_list(nullptr, &list), 1);
	assert_int_equal(libusb_open(list[0], &handle), 0);
	libusb_free_device_list(list, 1);
	return handle;
}

static void test_descriptors(void **state)
{
	struct bench *b = BENCH("mode", "normal", "speed", "full");
	struct libusb_config_descriptor *config;
	struct libusb_device_descriptor device;
	libusb_device_handle *handle;
	libusb_device *dev;
	unsigned char text[64];
	int value = -1;

	assert_int_equal(libusb_init(nullptr), 0);
	handle = open_first();
	dev = libusb_get_device(handle);
	assert_int_equal(libusb_get_device_descriptor(dev, &device), 0);
	assert_int_equal(device.idProduct, 0x12a8);
	assert_int_equal(libusb_get_device_speed(dev), LIBUSB_SPEED_FULL);
	assert_int_equal(libusb_get_bus_number(dev), 1);
	assert_int_equal(libusb_get_config_descriptor(dev, 1, &config), 0);
	assert_int_equal(config->wTotalLength, 149);
	assert_true(config->interface[config->bNumInterfaces - 1].altsetting[0].extra_length > 0);
	libusb_free_config_descriptor(config);
	assert_int_equal(libusb_get_config_descriptor(dev, 4, &config), LIBUSB_ERROR_NOT_FOUND);
	assert_int_equal(libusb_get_configuration(handle, &value), 0);
	assert_int_equal(value, 1);
	assert_int_equal(libusb_get_max_packet_size(dev, MUX_IN), LIBUSB_ERROR_NOT_FOUND);
	assert_int_equal(libusb_set_configuration(handle, 9), LIBUSB_ERROR_NOT_FOUND);
	assert_int_equal(libusb_set_configuration(handle, 4), 0);
	assert_int_equal(libusb_get_active_config_descriptor(dev, &config), 0);
	assert_int_equal(config->bNumInterfaces, 3);
	assert_int_equal(config->interface[1].altsetting[0].bNumEndpoints, 2);
	assert_int_equal(config->interface[2].num_altsetting, 3);
	assert_int_equal(config->interface[2].altsetting[2].endpoint[0].bEndpointAddress, 0x86);
	libusb_free_config_descriptor(config);
	assert_int_equal(libusb_get_max_packet_size(dev, MUX_IN), 64);
	assert_int_equal(libusb_get_string_descriptor_ascii(handle, 0x0f, text, sizeof(text)), 21);
	assert_string_equal((char *)text, "Apple USB Multiplexor");
	assert_int_equal(libusb_get_string_descriptor_ascii(handle, 0xf0, text, sizeof(text)),
			 LIBUSB_ERROR_PIPE);
	assert_int_equal(libusb_set_configuration(handle, -1), 0);
	assert_int_equal(libusb_get_active_config_descriptor(dev, &config), LIBUSB_ERROR_NOT_FOUND);
	libusb_close(handle);
	libusb_exit(nullptr);
	bench_free(b);
}

static void test_claims(void **state)
{
	struct bench *b = BENCH("mode", "normal");
	libusb_device_handle *one, *two;
	unsigned char bytes[16];
	int moved = -1;

	libusb_init(nullptr);
	one = open_first();
	two = open_first();
	assert_int_equal(libusb_set_configuration(one, 4), 0);
	assert_int_equal(libusb_release_interface(one, 1), LIBUSB_ERROR_NOT_FOUND);
	assert_int_equal(libusb_claim_interface(one, 1), 0);
	assert_int_equal(libusb_claim_interface(one, 1), 0);
	assert_int_equal(libusb_claim_interface(one, 7), LIBUSB_ERROR_NOT_FOUND);
	assert_int_equal(libusb_claim_interface(two, 1), LIBUSB_ERROR_BUSY);
	assert_int_equal(libusb_claim_interface(two, 0), 0);
	assert_int_equal(libusb_bulk_transfer(two, MUX_IN, bytes, 16, &moved, 1000),
			 LIBUSB_ERROR_IO);
	assert_int_equal(libusb_set_configuration(two, 1), LIBUSB_ERROR_BUSY);
	assert_int_equal(libusb_reset_device(two), LIBUSB_ERROR_OTHER);
	assert_int_equal(libusb_set_interface_alt_setting(two, 2, 1), LIBUSB_ERROR_NOT_FOUND);
	assert_int_equal(libusb_claim_interface(two, 2), 0);
	assert_int_equal(libusb_set_interface_alt_setting(two, 2, 1), 0);
	assert_int_equal(libusb_set_interface_alt_setting(two, 2, 9), LIBUSB_ERROR_NOT_FOUND);
	assert_int_equal(libusb_clear_halt(two, 0x86), 0);
	libusb_close(one); /* lets go of its interface */
	assert_int_equal(libusb_claim_interface(two, 1), 0);
	assert_int_equal(libusb_reset_device(two), 0);
	assert_int_equal(libusb_clear_halt(two, 0x86), 0); /* configuration and setting are back */
	libusb_close(two);
	libusb_exit(nullptr);
	bench_free(b);
}

struct witness {
	unsigned calls, arrived, left;
	enum libusb_transfer_status status;
	int length, refused;
	uint8_t address;
};

static void on_transfer(struct libusb_transfer *t)
{
	struct witness *w = t->user_data;
	unsigned char byte[18];

	w->calls++;
	w->status = t->status;
	w->length = t->actual_length;
	/* no waiting inside a callback */
	w->refused = libusb_control_transfer(t->dev_handle, 0x80, 6, 0x100, 0, byte, 18, 1000);
}

static int on_hotplug(libusb_context *ctx, libusb_device *dev, libusb_hotplug_event event,
		      void *user)
{
	struct witness *w = user;

	w->arrived += event == LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED;
	w->left += event == LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT;
	w->address = libusb_get_device_address(dev);
	return 0;
}

static void handle_until(const unsigned *count, unsigned wanted)
{
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };

	while (*count < wanted) {
		unsigned before = *count;

		assert_int_equal(libusb_handle_events_timeout(nullptr, &patience), 0);
		assert_true(*count > before); /* nothing else was to come */
	}
}

static void test_transfers(void **state)
{
	static uint8_t version[20] = { [7] = 0x14, [11] = 2 };
	struct bench *b = BENCH("mode", "normal");
	struct libusb_transfer *t = libusb_alloc_transfer(0);
	const struct libusb_pollfd **fds;
	libusb_device_handle *handle;
	struct witness w = {};
	uint8_t bytes[64];
	int moved = -1;

	libusb_init(nullptr);
	handle = open_first();
	libusb_set_configuration(handle, 4);
	assert_int_equal(libusb_bulk_transfer(handle, MUX_IN, bytes, 64, &moved, 50),
			 LIBUSB_ERROR_TIMEOUT);
	assert_int_equal(moved, 0);
	assert_int_equal(libusb_interrupt_transfer(handle, PTP_EVENTS, bytes, 64, &moved, 20),
			 LIBUSB_ERROR_TIMEOUT);
	libusb_fill_bulk_transfer(t, handle, MUX_IN, bytes, 64, on_transfer, &w, 0);
	assert_int_equal(libusb_submit_transfer(t), 0);
	assert_int_equal(libusb_submit_transfer(t), LIBUSB_ERROR_BUSY);
	assert_int_equal(libusb_bulk_transfer(handle, MUX_OUT, version, 20, &moved, 1000), 0);
	assert_int_equal(moved, 20);
	fds = libusb_get_pollfds(nullptr);
	assert_true(readable(fds[0]->fd, PATIENCE_MS));
	libusb_free_pollfds(fds);
	assert_int_equal(w.calls, 0); /* only who handles events runs callbacks */
	handle_until(&w.calls, 1);
	assert_int_equal(w.status, LIBUSB_TRANSFER_COMPLETED);
	assert_int_equal(w.length, 20);
	assert_memory_equal(bytes, version, 12);
	assert_int_equal(w.refused, LIBUSB_ERROR_BUSY);
	fds = libusb_get_pollfds(nullptr);
	assert_false(readable(fds[0]->fd, 0)); /* or a program would spin */
	libusb_free_pollfds(fds);
	assert_int_equal(libusb_cancel_transfer(t), LIBUSB_ERROR_NOT_FOUND);
	assert_int_equal(libusb_submit_transfer(t), 0);
	assert_int_equal(libusb_cancel_transfer(t), 0);
	handle_until(&w.calls, 2);
	assert_int_equal(w.status, LIBUSB_TRANSFER_CANCELLED);
	assert_int_equal(libusb_submit_transfer(t), 0);
	libusb_bulk_transfer(handle, MUX_OUT, version, 20, &moved, 1000);
	fds = libusb_get_pollfds(nullptr);
	assert_true(readable(fds[0]->fd, PATIENCE_MS));
	libusb_free_pollfds(fds);
	assert_int_equal(libusb_cancel_transfer(t), 0); /* it is done, but nobody was told */
	handle_until(&w.calls, 3);
	assert_int_equal(w.status, LIBUSB_TRANSFER_CANCELLED);
	assert_int_equal(w.length, 20);
	t->timeout = 30;
	assert_int_equal(libusb_submit_transfer(t), 0);
	handle_until(&w.calls, 4);
	assert_int_equal(w.status, LIBUSB_TRANSFER_TIMED_OUT);
	t->timeout = 0;
	assert_int_equal(libusb_submit_transfer(t), 0);
	bench_do(b, "unplug\n");
	handle_until(&w.calls, 5);
	assert_int_equal(w.status, LIBUSB_TRANSFER_NO_DEVICE);
	assert_int_equal(libusb_submit_transfer(t), LIBUSB_ERROR_NO_DEVICE);
	assert_int_equal(libusb_reset_device(handle), LIBUSB_ERROR_NOT_FOUND);
	libusb_free_transfer(t);
	libusb_close(handle);
	libusb_exit(nullptr);
	bench_free(b);
}

static void test_hotplug(void **state)
{
	const int both = LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT;
	struct bench *b = BENCH("mode", "dfu", "gap_ms", "20");
	struct witness w = {}, none = {};
	libusb_hotplug_callback_handle id, other;
	libusb_device **list;

	libusb_init(nullptr);
	assert_int_equal(libusb_hotplug_register_callback(nullptr, both, LIBUSB_HOTPLUG_ENUMERATE,
							  0x05ac, LIBUSB_HOTPLUG_MATCH_ANY,
							  LIBUSB_HOTPLUG_MATCH_ANY, on_hotplug, &w,
							  &id),
			 0);
	libusb_hotplug_register_callback(nullptr, both, LIBUSB_HOTPLUG_ENUMERATE, 0x1234,
					 LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY,
					 on_hotplug, &none, &other);
	assert_int_equal(w.arrived, 1);
	bench_do(b, "mode recovery\n");
	handle_until(&w.left, 1);
	assert_int_equal(w.address, 2);
	handle_until(&w.arrived, 2);
	assert_int_equal(w.address, 3);
	assert_int_equal(none.arrived + none.left, 0);
	libusb_hotplug_deregister_callback(nullptr, id);
	libusb_hotplug_deregister_callback(nullptr, other);
	bench_do(b, "unplug\n");
	while (libusb_get_device_list(nullptr, &list) > 0)
		libusb_free_device_list(list, 1);
	libusb_free_device_list(list, 1);
	assert_int_equal(w.left, 1);
	libusb_exit(nullptr);
	bench_free(b);
}

/* A phone that starts later, in a folder that was empty; one that dies without a word. */
static void test_phones_come_and_go(void **state)
{
	const int both = LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT;
	struct bench *b = BENCH("mode", "dfu");
	struct witness w = {};
	int ready[2];
	pid_t second;
	char byte;

	libusb_init(nullptr);
	libusb_hotplug_register_callback(nullptr, both, LIBUSB_HOTPLUG_ENUMERATE, 0x05ac,
					 LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY,
					 on_hotplug, &w, nullptr);
	assert_int_equal(w.arrived, 1);
	for (unsigned i = 0; i < 2; i++) { /* the bus of the one killed is free again */
		struct bench other = *b;

		snprintf(other.control, sizeof(other.control), "%s/other", b->folder);
		assert_int_equal(pipe(ready), 0);
		second = fork();
		if (second == 0)
			phone_process(&other, (const char *const[]){ "mode", "recovery", nullptr },
				      ready[1]);
		close(ready[1]);
		assert_int_equal(read(ready[0], &byte, 1), 1);
		close(ready[0]);
		handle_until(&w.arrived, 2 + i);
		kill(second, SIGKILL);
		waitpid(second, nullptr, 0);
		handle_until(&w.left, 1 + i);
		unlink(other.control);
	}
	libusb_exit(nullptr);
	snprintf(b->bus, sizeof(b->bus), "%s/bus-002.sock", b->folder);
	assert_int_equal(unlink(b->bus), 0);
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors),        cmocka_unit_test(test_claims),
		cmocka_unit_test(test_transfers),          cmocka_unit_test(test_hotplug),
		cmocka_unit_test(test_phones_come_and_go),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
