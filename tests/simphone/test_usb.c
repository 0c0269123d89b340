/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Descriptors of every mode and stranger, chapter 9 requests, pipes. */
#include "bed.h"

static const char *const scenes[] = {
	"mode=normal",   "mode=recovery",  "mode=dfu",      "mode=wtf",  "mode=restore",
	"mode=port-dfu", "mode=debug-usb", "body=keyboard", "body=disk", "speed=full",
};

enum { SCENES = sizeof(scenes) / sizeof(scenes[0]) };

/* Walks one configuration: lengths add up, interfaces are counted, pipes are unique per setting. */
static void check_config(const struct buf *c)
{
	bool interfaces[USB_INTERFACES] = {};
	bool pipes[256] = {};
	unsigned count = 0, at = 0, endpoints_left = 0;

	assert_int_equal(get_le16(c->bytes + 2), c->len);
	while (at < c->len) {
		const uint8_t *d = c->bytes + at;

		assert_uint_in_range(d[0], 2, c->len - at);
		if (d[1] == USB_DT_INTERFACE) {
			assert_int_equal(endpoints_left, 0);
			endpoints_left = d[4];
			count += !interfaces[d[2]];
			interfaces[d[2]] = true;
			if (d[3] > 0) /* another setting may use the same pipes again */
				memset(pipes, 0, sizeof(pipes));
		} else if (d[1] == USB_DT_ENDPOINT) {
			assert_true(endpoints_left > 0);
			endpoints_left--;
			assert_false(pipes[d[2]]);
			pipes[d[2]] = true;
			if ((d[3] & 3) == 3)
				assert_true(
				    d[6] > 0); /* QEMU rejects an interrupt pipe without interval */
		}
		at += d[0];
	}
	assert_int_equal(endpoints_left, 0);
	assert_int_equal(count, c->bytes[4]);
}

static void test_descriptors(void **state)
{
	for (unsigned i = 0; i < SCENES; i++) {
		struct bed *b = BED(scenes[i]);
		BUF_AUTO in = {};
		uint8_t configs;

		assert_int_equal(bed_control(b, 0x8006, 0x0100, 0, nullptr, 18, &in), USB_OK);
		assert_int_equal(in.len, 18);
		assert_int_equal(get_le16(in.bytes + 8), USB_VENDOR_APPLE);
		configs = in.bytes[17];
		for (uint8_t c = 0; c < configs; c++) {
			assert_int_equal(bed_control(b, 0x8006, 0x0200 | c, 0, nullptr, 9, &in),
					 USB_OK);
			assert_int_equal(in.len, 9);
			assert_int_equal(bed_control(b, 0x8006, 0x0200 | c, 0, nullptr, 4096, &in),
					 USB_OK);
			assert_int_equal(in.bytes[5], c + 1);
			check_config(&in);
		}
		assert_int_equal(bed_control(b, 0x8006, 0x0200 | configs, 0, nullptr, 9, &in),
				 USB_STALL);
		assert_int_equal(bed_control(b, 0x8006, 0x0600, 0, nullptr, 10, &in), USB_OK);
		assert_int_equal(in.len, 10);
		bed_free(b);
	}
}

/* Every string index that a descriptor names can be read. */
static void test_strings(void **state)
{
	for (unsigned i = 0; i < SCENES; i++) {
		struct bed *b = BED(scenes[i]);
		BUF_AUTO config = {};
		BUF_AUTO in = {};

		for (uint8_t c = 0; usbdev_config_descriptor(&b->phone.usb, c, SPEED_HIGH, &config);
		     c++)
			;
		bed_control(b, 0x8006, 0x0100, 0, nullptr, 18, &in);
		buf_add(&config, in.bytes, in.len);
		for (unsigned at = 0; at < config.len; at += config.bytes[at]) {
			const uint8_t *d = config.bytes + at;
			uint8_t names[3] = {};

			if (d[1] == USB_DT_DEVICE)
				memcpy(names, d + 14, 3);
			if (d[1] == USB_DT_CONFIG)
				names[0] = d[6];
			if (d[1] == USB_DT_INTERFACE)
				names[0] = d[8];
			for (unsigned n = 0; n < 3; n++) {
				if (names[n] == 0)
					continue;
				assert_int_equal(bed_control(b, 0x8006, 0x0300 | names[n], 0x0409,
							     nullptr, 255, &in),
						 USB_OK);
				assert_int_equal(in.bytes[0], in.len);
				assert_int_equal(in.bytes[1], USB_DT_STRING);
			}
		}
		assert_int_equal(bed_control(b, 0x8006, 0x03f0, 0x0409, nullptr, 255, &in),
				 USB_STALL);
		bed_free(b);
	}
}

/* Sizes that were read from a real phone. */
static void test_normal_sizes(void **state)
{
	static const uint16_t sizes[] = { 39, 149, 62, 117 };
	struct bed *b = BED("mode=normal");

	for (uint8_t c = 0; c < 4; c++) {
		BUF_AUTO in = {};

		bed_control(b, 0x8006, 0x0200 | c, 0, nullptr, 4096, &in);
		assert_int_equal(in.len, sizes[c]);
	}
	bed_free(b);
}

static void test_configurations(void **state)
{
	struct bed *b = BED("mode=normal");
	struct usb_endpoint eps[2 * USB_ENDPOINTS];
	const uint8_t *interfaces[USB_INTERFACES];

	assert_int_equal(usbdev_interfaces(&b->phone.usb, interfaces), 0);
	assert_int_equal(usbdev_set_config(&b->phone.usb, 4), USB_OK);
	assert_int_equal(usbdev_interfaces(&b->phone.usb, interfaces), 3);
	usbdev_endpoints(&b->phone.usb, eps);
	assert_int_equal(eps[4].type, 2);
	assert_int_equal(eps[16 + 5].type, 2);
	assert_int_equal(eps[16 + 5].max_packet, 512);
	assert_int_equal(eps[16 + 6].type, 255); /* Ethernet sleeps in setting 0 */
	assert_int_equal(usbdev_set_alt(&b->phone.usb, 2, 1), USB_OK);
	usbdev_endpoints(&b->phone.usb, eps);
	assert_int_equal(eps[16 + 6].type, 2);
	assert_int_equal(usbdev_set_alt(&b->phone.usb, 2, 3), USB_STALL);
	assert_int_equal(usbdev_set_config(&b->phone.usb, 5), USB_STALL);
	assert_int_equal(b->phone.usb.config, 4);
	assert_int_equal(usbdev_set_config(&b->phone.usb, 0), USB_OK);
	assert_int_equal(usbdev_interfaces(&b->phone.usb, interfaces), 0);
	bed_free(b);
}

static void test_full_speed(void **state)
{
	struct bed *b = BED("mode=normal", "speed=full");
	struct usb_endpoint eps[2 * USB_ENDPOINTS];

	usbdev_set_config(&b->phone.usb, 4);
	usbdev_endpoints(&b->phone.usb, eps);
	assert_int_equal(eps[4].max_packet, 64);
	assert_int_equal(eps[16 + 3].interval, 0x40);
	bed_free(b);
}

/* Bulk IN: requests wait for bytes, bytes wait for requests, long messages are split, cancelled
 * ones are forgotten. */
static void test_pipes(void **state)
{
	struct bed *b = BED("mode=normal");
	struct usbdev *usb = &b->phone.usb;

	usbdev_set_config(usb, 4);
	usbdev_bulk_in(usb, 1, 0x85, 4);
	usbdev_bulk_in(usb, 2, 0x85, 4);
	assert_true(usbdev_cancel(usb, 1));
	assert_false(usbdev_cancel(usb, 1));
	usbdev_send(usb, 0x85, "abcdef", 6);
	assert_int_equal(b->in_count, 1);
	usbdev_bulk_in(usb, 3, 0x85, 4);
	assert_int_equal(b->in_count, 2);
	assert_int_equal(b->in.len, 4 + 4 + 4 + 2);
	assert_memory_equal(b->in.bytes + 12, "ef", 2);
	/* a halted pipe stalls until it is cleared */
	assert_int_equal(bed_control(b, 0x0203, 0, 0x04, nullptr, 0, nullptr), USB_OK);
	assert_int_equal(usbdev_bulk_out(usb, 0x04, nullptr, 0), USB_STALL);
	assert_int_equal(bed_control(b, 0x0201, 0, 0x04, nullptr, 0, nullptr), USB_OK);
	assert_int_equal(usbdev_bulk_out(usb, 0x04, nullptr, 0), USB_OK);
	bed_free(b);
}

static void test_normal_requests(void **state)
{
	struct bed *b = BED("mode=normal");
	BUF_AUTO in = {};

	assert_int_equal(bed_control(b, 0xc045, 0, 0, nullptr, 4, &in), USB_OK);
	assert_memory_equal(in.bytes, "\x03\x03\x03\x00", 4);
	assert_int_equal(bed_control(b, 0xc045, 0, 2, nullptr, 64, &in), USB_OK);
	assert_int_equal(in.len, 1);
	assert_int_equal(in.bytes[0], 4);
	assert_int_equal(bed_control(b, 0xc000, 0, 2, nullptr, 64, &in), USB_OK);
	assert_int_equal(in.len, 6);
	assert_int_equal(bed_control(b, 0x4104, 1, 2, nullptr, 0, nullptr), USB_STALL);
	assert_int_equal(bed_control(b, 0x4040, 500, 500, nullptr, 0, nullptr), USB_OK);
	bed_free(b);
}

static void test_strangers(void **state)
{
	struct bed *keyboard = BED("body=keyboard"), *disk = BED("body=disk");
	uint8_t inquiry[31] = { 'U', 'S', 'B',         'C',      7,           0,        0,
				0,   36,  [12] = 0x80, [14] = 6, [15] = 0x12, [19] = 36 };
	BUF_AUTO in = {};

	assert_int_equal(bed_control(keyboard, 0x8106, 0x2200, 0, nullptr, 63, &in), USB_OK);
	assert_int_equal(in.len, 63);
	usbdev_set_config(&disk->phone.usb, 1);
	assert_int_equal(usbdev_bulk_out(&disk->phone.usb, 0x02, inquiry, sizeof(inquiry)), USB_OK);
	usbdev_bulk_in(&disk->phone.usb, 1, 0x81, 36);
	usbdev_bulk_in(&disk->phone.usb, 2, 0x81, 13);
	assert_int_equal(disk->in_count, 2);
	assert_memory_equal(disk->in.bytes + 4 + 8, "Apple   ", 8);
	assert_memory_equal(disk->in.bytes + 4 + 36 + 4, "USBS\x07", 5);
	assert_int_equal(disk->in.bytes[4 + 36 + 4 + 12], 0);
	bed_free(keyboard);
	bed_free(disk);
}

/* One random act of a host that has lost its mind; half of its bulk bytes look like mux or
 * debug-USB headers. */
static void mad_host_acts(struct bed *b, unsigned *seed)
{
	struct usbdev *usb = &b->phone.usb;
	static const uint8_t types[] = {
		0x00, 0x02, 0x21, 0x40, 0x41, 0x80, 0x81, 0x82, 0xa1, 0xc0
	};
	uint8_t bytes[256];
	size_t len = (unsigned)rand_r(seed) % sizeof(bytes);
	unsigned request = (unsigned)types[(unsigned)rand_r(seed) % sizeof(types)] << 8;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(rand_r(seed) >> 8);
	if (rand_r(seed) & 1)
		memcpy(bytes, (const uint8_t[]){ 0, 0, 0, bytes[3] & 7, 0, 0, 0, (uint8_t)len }, 8);
	switch (rand_r(seed) % 9) {
	case 0:
		bed_control(b, request | bytes[8], get_le16(bytes + 9), get_le16(bytes + 11), bytes,
			    (uint16_t)len, nullptr);
		break;
	case 1:
		bed_control(b, request | (bytes[8] & 7), bytes[9] & 3, bytes[10] & 3, bytes,
			    (uint16_t)len, nullptr);
		break;
	case 2:
		usbdev_set_config(usb, bytes[9] & 7);
		break;
	case 3:
		usbdev_set_alt(usb, bytes[9], bytes[10] & 3);
		break;
	case 4:
		usbdev_cancel(usb, bytes[9]);
		break;
	case 5:
		usbdev_bulk_out(usb, bytes[9] & 0x0f, bytes, len);
		break;
	case 6:
		b->in.len = 0;
		if (usb->shape && !usb->halted[16 + (bytes[9] & 0x0f)] && usb->config == 4)
			usbdev_bulk_in(usb, bytes[10], 0x85, len);
		break;
	case 7:
		bed_wait(b, bytes[9] * 20);
		break;
	case 8:
		bytes[9] < 4 ? usbdev_reset(usb) : (void)usbdev_bulk_out(usb, 0x04, bytes, len);
		break;
	}
}

/* Nothing that a host does brings the simulator down (the sanitizers watch), and the phone still
 * answers afterwards. */
static void test_mad_host(void **state)
{
	for (unsigned i = 0; i < SCENES; i++) {
		struct bed *b = BED(scenes[i]);
		unsigned seed = 20261121 + i;
		BUF_AUTO in = {};

		for (unsigned act = 0; act < 20000; act++)
			mad_host_acts(b, &seed);
		bed_wait(b, 60000);
		assert_non_null(b->phone.usb.shape);
		assert_int_equal(bed_control(b, 0x8006, 0x0100, 0, nullptr, 18, &in), USB_OK);
		bed_free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors),     cmocka_unit_test(test_strings),
		cmocka_unit_test(test_normal_sizes),    cmocka_unit_test(test_configurations),
		cmocka_unit_test(test_full_speed),      cmocka_unit_test(test_pipes),
		cmocka_unit_test(test_normal_requests), cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_mad_host),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
