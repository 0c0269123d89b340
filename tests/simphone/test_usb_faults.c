/* SPDX-License-Identifier: GPL-3.0-or-later */
/* USB knobs (usb_knobs.h), late answers, and faults at the transfers of each mode (fault.h). */
#include "bed.h"

/* ---- a door that can wait ---- */

struct answers {
	unsigned count;
	uint64_t id; /* of the last one */
	enum usb_reply reply;
	size_t len;
	struct buf bytes;
};

static void on_control_done(void *user, uint64_t id, const struct usb_setup *setup,
			    enum usb_reply reply, const uint8_t *bytes, size_t len)
{
	struct answers *a = user;

	a->count++;
	a->id = id;
	a->reply = reply;
	a->len = len;
	buf_clear(&a->bytes);
	if (bytes)
		buf_add(&a->bytes, bytes, len);
}

static void on_out_done(void *user, uint64_t id, uint8_t ep, enum usb_reply reply, size_t len)
{
	on_control_done(user, id, nullptr, reply, nullptr, len);
}

static void on_in_done(void *user, uint64_t id, uint8_t ep, enum usb_reply reply,
		       const uint8_t *bytes, size_t len)
{
	on_control_done(user, id, nullptr, reply, bytes, len);
}

static void ignore(void *user)
{
}

static struct bed *patient_bed(struct answers *a, const char *mode, const char *setting)
{
	struct bed *b = BED(mode, setting);

	*a = (struct answers){};
	b->phone.usb.door =
	    (struct usb_door){ ignore, ignore, on_in_done, a, on_control_done, on_out_done };
	return b;
}

static void patient_end(struct bed *b, struct answers *a)
{
	bed_free(b);
	buf_done(&a->bytes);
}

static void begin(struct bed *b, uint64_t id, unsigned type_request, uint16_t value, uint16_t len,
		  const char *out)
{
	const struct usb_setup setup = { (uint8_t)(type_request >> 8), (uint8_t)type_request, value,
					 0, len };

	usbdev_control_begin(&b->phone.usb, id, &setup, (const uint8_t *)out);
}

/* ---- late answers ---- */

static void test_late_control(void **state)
{
	struct answers a;
	struct bed *b = patient_bed(&a, "mode=recovery", "fault=recovery got getenv delay:400");

	begin(b, 1, 0x4000, 0, 14, "getenv nothing");
	assert_int_equal(a.count, 0);
	bed_wait(b, 399);
	assert_int_equal(a.count, 0);
	bed_wait(b, 1);
	assert_int_equal(a.count, 1);
	assert_int_equal(a.id, 1);
	assert_int_equal(a.reply, USB_STALL);
	begin(b, 2, 0x8006, 0x0100, 18, nullptr); /* the next one is in time */
	assert_int_equal(a.count, 2);
	assert_int_equal(a.bytes.len, 18);
	patient_end(b, &a);
}

/* Cancelled, reset, unplugged: no answer comes any more. */
static void test_late_and_gone(void **state)
{
	for (unsigned how = 0; how < 3; how++) {
		struct answers a;
		struct bed *b = patient_bed(&a, "mode=recovery", "fault=recovery got go delay:400");

		begin(b, 1, 0x4000, 0, 3, "go");
		if (how == 0) {
			assert_true(usbdev_cancel(&b->phone.usb, 1));
			assert_false(usbdev_cancel(&b->phone.usb, 1));
		} else if (how == 1) {
			usbdev_reset(&b->phone.usb);
		} else {
			phone_unplug(&b->phone);
		}
		bed_wait(b, 1000);
		assert_int_equal(a.count, 0);
		patient_end(b, &a);
	}
}

/* What is never answered waits for its end by the host. */
static void test_never(void **state)
{
	struct answers a;
	struct bed *b = patient_bed(&a, "mode=recovery", "fault=recovery got data drop");

	usbdev_set_config(&b->phone.usb, 1);
	usbdev_bulk_out_begin(&b->phone.usb, 1, 0x04, (const uint8_t *)"a", 1);
	usbdev_bulk_out_begin(&b->phone.usb, 2, 0x04, (const uint8_t *)"bc", 2);
	bed_wait(b, 60000);
	assert_int_equal(a.count, 0);
	assert_int_equal(b->phone.recovery.upload.len, 0);
	assert_true(usbdev_cancel(&b->phone.usb, 1)); /* then those behind it go on */
	assert_int_equal(a.count, 1);
	assert_int_equal(a.id, 2);
	assert_int_equal(a.len, 2);
	patient_end(b, &a);
}

/* Transfers of one pipe are answered in their order. */
static void test_order(void **state)
{
	struct answers a;
	struct bed *b = patient_bed(&a, "mode=recovery", "delay_ep_ms=100");

	usbdev_set_config(&b->phone.usb, 1);
	for (uint64_t id = 1; id <= 3; id++)
		usbdev_bulk_out_begin(&b->phone.usb, id, 0x04, (const uint8_t *)"a", 1);
	for (uint64_t id = 1; id <= 3; id++) {
		bed_wait(b, 99);
		assert_int_equal(a.count, id - 1);
		bed_wait(b, 1);
		assert_int_equal(a.count, id);
		assert_int_equal(a.id, id);
	}
	assert_int_equal(b->phone.recovery.upload.len, 3);
	patient_end(b, &a);
}

/* ---- faults of iBoot and the boot ROM ---- */

static enum usb_reply download(struct bed *b, uint16_t block)
{
	return bed_control(b, 0x2101, block, 0, "0123456789abcdef", 16, nullptr);
}

static void test_dfu(void **state)
{
	struct bed *b = BED("mode=dfu", "fault=dfu got DNLOAD 2 stall");
	BUF_AUTO in = {};

	assert_int_equal(download(b, 0), USB_OK);
	assert_int_equal(download(b, 1), USB_STALL);
	assert_int_equal(b->phone.dfu.image.len, 16);
	bed_free(b);

	b = BED("mode=dfu", "fault=dfu got byte 20 cut");
	assert_int_equal(download(b, 0), USB_OK);
	assert_int_equal(download(b, 1), USB_STALL);
	assert_int_equal(b->phone.dfu.image.len, 19);
	assert_int_equal(download(b, 1), USB_OK);
	bed_free(b);

	b = BED("mode=dfu", "fault=dfu got byte 5 garbage");
	assert_int_equal(download(b, 0), USB_OK);
	assert_int_equal(b->phone.dfu.image.len, 16);
	assert_memory_equal(b->phone.dfu.image.bytes, "0123", 4);
	assert_memory_not_equal(b->phone.dfu.image.bytes, "0123456789abcdef", 16);
	bed_free(b);

	b = BED("mode=dfu", "fault=dfu sent GETSTATUS garbage");
	assert_int_equal(bed_control(b, 0xa103, 0, 0, nullptr, 6, &in), USB_OK);
	assert_int_equal(in.len, 6);
	assert_memory_not_equal(in.bytes, "\0\0\0\0\2\0", 6);
	assert_int_equal(bed_control(b, 0xa103, 0, 0, nullptr, 6, &in), USB_OK);
	assert_memory_equal(in.bytes, "\0\0\0\0\2\0", 6);
	bed_free(b);

	b = BED("mode=dfu", "fault=dfu sent GETSTATUS cut");
	assert_int_equal(bed_control(b, 0xa103, 0, 0, nullptr, 6, &in), USB_OK);
	assert_int_equal(in.len, 3);
	bed_free(b);

	b = BED("mode=dfu", "fault=dfu got GETSTATE silence");
	assert_int_equal(bed_control(b, 0xa105, 0, 0, nullptr, 1, &in), USB_SILENT);
	assert_int_equal(bed_control(b, 0x8006, 0x0100, 0, nullptr, 18, &in), USB_SILENT);
	bed_free(b);
}

static void test_recovery(void **state)
{
	static const struct {
		const char *fault;
		enum usb_reply reply;
		bool set; /* the command was carried out */
		bool gone;
	} cases[] = {
		{ "fault=recovery got setenv stall", USB_STALL, false, false },
		{ "fault=recovery got setenv error:x", USB_STALL, false, false },
		{ "fault=recovery got setenv drop", USB_SILENT, false, false },
		{ "fault=recovery got setenv silence", USB_SILENT, false, false },
		{ "fault=recovery got setenv unplug", USB_SILENT, false, true },
		{ "fault=recovery got setenv reboot", USB_SILENT, false, true },
		{ "fault=recovery got setenv reset", USB_SILENT, false, true },
		{ "fault=recovery got setenv delay:5", USB_OK, true, false },
		{ "fault=recovery got setenv 2 stall", USB_OK, true, false },
		{ "fault=recovery got message 2 stall", USB_STALL, false, false },
		{ "fault=recovery got byte 8 stall", USB_STALL, false, false },
		{ "fault=dfu got setenv stall", USB_OK, true, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed *b = BED("mode=recovery", cases[i].fault);
		BUF_AUTO in = {};

		assert_int_equal(bed_control(b, 0xc000, 0, 0, nullptr, 255, &in), USB_OK);
		assert_int_equal(bed_command(b, "setenv a b"), cases[i].reply);
		assert_int_equal(env_get(&b->phone.recovery.ram, "a") != nullptr, cases[i].set);
		bed_wait(b, 1);
		assert_int_equal(!b->phone.usb.shape, cases[i].gone);
		bed_free(b);
	}
}

static void test_answer(void **state)
{
	struct bed *b = BED("mode=recovery", "fault=recovery sent answer drop");
	BUF_AUTO in = {};

	assert_int_equal(bed_command(b, "getenv build-style"), USB_OK);
	assert_int_equal(bed_control(b, 0xc000, 0, 0, nullptr, 255, &in), USB_SILENT);
	assert_int_equal(bed_control(b, 0xc000, 0, 0, nullptr, 255, &in), USB_OK);
	assert_memory_equal(in.bytes, "RELEASE", 8);
	bed_free(b);
}

/* An upload stops at a byte: what came before it is there, the pipe is halted until cleared. */
static void test_upload(void **state)
{
	struct bed *b = BED("mode=recovery", "fault=recovery got byte 150 stall");
	uint8_t block[100] = {};

	usbdev_set_config(&b->phone.usb, 1);
	assert_int_equal(usbdev_bulk_out(&b->phone.usb, 0x04, block, 100), USB_OK);
	assert_int_equal(usbdev_bulk_out(&b->phone.usb, 0x04, block, 100), USB_STALL);
	assert_int_equal(b->phone.recovery.upload.len, 149);
	assert_int_equal(usbdev_bulk_out(&b->phone.usb, 0x04, block, 100), USB_STALL);
	assert_int_equal(bed_control(b, 0x0201, 0, 0x04, nullptr, 0, nullptr), USB_OK);
	assert_int_equal(usbdev_bulk_out(&b->phone.usb, 0x04, block, 100), USB_OK);
	bed_free(b);
}

/* ---- knobs ---- */

static void test_requests(void **state)
{
	struct answers a;
	struct bed *b = BED("mode=normal", "cfg1_stall=yes");
	BUF_AUTO in = {};

	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(bed_control(b, 0x8006, 0x0201, 0, nullptr, 9, &in),
				 i < 3 ? USB_STALL : USB_OK);
	assert_int_equal(bed_control(b, 0x8006, 0x0200, 0, nullptr, 9, &in), USB_OK);
	bed_free(b);

	b = BED("mode=dfu", "stall_ep0=0xa103");
	assert_int_equal(bed_control(b, 0xa103, 0, 0, nullptr, 6, &in), USB_STALL);
	assert_int_equal(bed_control(b, 0xa105, 0, 0, nullptr, 1, &in), USB_OK);
	bed_free(b);

	b = BED("mode=normal", "serial_empty=yes");
	assert_int_equal(bed_control(b, 0x8006, 0x0303, 0x0409, nullptr, 255, &in), USB_OK);
	assert_int_equal(in.len, 2);
	bed_free(b);

	b = BED("mode=normal", "serial_40hex=yes");
	assert_int_equal(bed_control(b, 0x8006, 0x0303, 0x0409, nullptr, 255, &in), USB_OK);
	assert_int_equal(in.len, 2 + 2 * 40);
	bed_free(b);

	b = patient_bed(&a, "mode=normal", "serial_timeout=1500");
	begin(b, 1, 0x8006, 0x0302, 255, nullptr);
	assert_int_equal(a.count, 1);
	begin(b, 2, 0x8006, 0x0303, 255, nullptr);
	bed_wait(b, 1499);
	assert_int_equal(a.count, 1);
	bed_wait(b, 1);
	assert_int_equal(a.count, 2);
	assert_int_equal(a.bytes.len, 2 + 2 * 24);
	patient_end(b, &a);
}

static void test_pipes(void **state)
{
	struct answers a;
	struct bed *b = patient_bed(&a, "mode=normal", "bulk_short=3");

	usbdev_set_config(&b->phone.usb, 4);
	usbdev_send(&b->phone.usb, 0x85, "12345", 5);
	usbdev_bulk_in(&b->phone.usb, 1, 0x85, 512);
	assert_int_equal(a.len, 3);
	usbdev_bulk_in(&b->phone.usb, 2, 0x85, 512);
	assert_int_equal(a.len, 2);
	patient_end(b, &a);

	b = patient_bed(&a, "mode=normal", "stall_ep=0x85");
	usbdev_set_config(&b->phone.usb, 4);
	usbdev_bulk_in(&b->phone.usb, 1, 0x85, 512);
	assert_int_equal(a.reply, USB_STALL);
	patient_end(b, &a);

	b = patient_bed(&a, "mode=normal", "nak_forever=yes");
	usbdev_set_config(&b->phone.usb, 4);
	usbdev_bulk_in(&b->phone.usb, 1, 0x85, 512);
	usbdev_bulk_out_begin(&b->phone.usb, 2, 0x04, (const uint8_t *)"a", 1);
	usbdev_send(&b->phone.usb, 0x85, "a", 1);
	bed_wait(b, 60000);
	assert_int_equal(a.count, 0);
	assert_true(usbdev_cancel(&b->phone.usb, 1));
	assert_true(usbdev_cancel(&b->phone.usb, 2));
	patient_end(b, &a);

	b = patient_bed(&a, "mode=normal", "delay_ep_ms=50");
	usbdev_set_config(&b->phone.usb, 4);
	usbdev_bulk_in(&b->phone.usb, 1, 0x85, 512);
	usbdev_send(&b->phone.usb, 0x85, "a", 1);
	bed_wait(b, 49);
	assert_int_equal(a.count, 0);
	bed_wait(b, 1);
	assert_int_equal(a.count, 1);
	patient_end(b, &a);
}

/* A host that asks and asks, and fetches no answer. */
static void test_ceilings(void **state)
{
	static const uint8_t identity[12] = { [2] = 0xa0, 0x10, [6] = 0x01 };
	struct answers a;
	struct bed *b = patient_bed(&a, "mode=debug-usb", "seed=1");
	struct usbdev *usb = &b->phone.usb;
	uint64_t id = 0;

	usbdev_set_config(usb, 1);
	while (id < 50000)
		usbdev_bulk_out_begin(usb, ++id, 0x03, identity, sizeof(identity));
	assert_int_equal(a.count, id);
	assert_uint_in_range(usb->ready_bytes[3], 1, 16 << 20);
	usbdev_bulk_in(usb, ++id, 0x83, 4096);
	assert_int_equal(a.len, 12 + 0x300 + 8);
	usbdev_drop(usb, 0x83);
	for (unsigned i = 0; i < 10000; i++)
		usbdev_bulk_in(usb, ++id, 0x83, 4096);
	assert_uint_in_range(usb->under_way, 1, 9999);
	usbdev_reset(usb);
	assert_int_equal(usb->under_way, 0);
	patient_end(b, &a);

	b = patient_bed(&a, "mode=normal", "nak_forever=yes");
	usb = &b->phone.usb;
	usbdev_set_config(usb, 4);
	for (id = 0; id < 10000; id++)
		usbdev_bulk_out_begin(usb, id, 0x04, b->phone.identity.ap_nonce, 32);
	assert_uint_in_range(usb->outs_bytes, 1, 32 * 9999);
	assert_true(usbdev_cancel(usb, 0));
	usbdev_reset(usb);
	assert_int_equal(usb->outs_bytes, 0);
	patient_end(b, &a);
}

static void test_drop_after(void **state)
{
	struct bed *b = BED("mode=recovery", "drop_after_bytes=150");
	uint8_t block[100] = {};

	usbdev_set_config(&b->phone.usb, 1);
	assert_int_equal(usbdev_bulk_out(&b->phone.usb, 0x04, block, 100), USB_OK);
	bed_wait(b, 1);
	assert_non_null(b->phone.usb.shape);
	usbdev_bulk_out(&b->phone.usb, 0x04, block, 100);
	bed_wait(b, 1);
	assert_null(b->phone.usb.shape);
	bed_free(b);
}

static unsigned config_count(struct bed *b)
{
	BUF_AUTO in = {};

	assert_int_equal(bed_control(b, 0x8006, 0x0100, 0, nullptr, 18, &in), USB_OK);
	return in.bytes[17];
}

static bool has_mux(struct bed *b, uint8_t config)
{
	const uint8_t *interfaces[USB_INTERFACES];
	unsigned count;

	assert_int_equal(usbdev_set_config(&b->phone.usb, config), USB_OK);
	count = usbdev_interfaces(&b->phone.usb, interfaces);
	for (unsigned i = 0; i < count; i++)
		if (interfaces[i][5] == 0xff && interfaces[i][6] == 0xfe)
			return true;
	return false;
}

/* Off the bus, and back with five configurations, without a boot; a boot makes it forget. */
static void test_mode_switch(void **state)
{
	struct bed *b = BED("mode=normal", "mode_switch_needed=yes");
	BUF_AUTO in = {};

	assert_int_equal(config_count(b), 2);
	assert_false(has_mux(b, 1));
	assert_int_equal(bed_control(b, 0xc045, 0, 0, nullptr, 4, &in), USB_OK);
	assert_memory_equal(in.bytes, "\3\3\3\0", 4);
	assert_int_equal(bed_control(b, 0xc052, 0, 9, nullptr, 1, &in), USB_STALL);
	for (uint16_t mode = 2; mode <= 3; mode++) {
		assert_int_equal(bed_control(b, 0xc052, 0, mode, nullptr, 1, &in), USB_OK);
		assert_int_equal(in.bytes[0], 0);
		bed_wait(b, PHONE_LINGER_MS);
		assert_null(b->phone.usb.shape);
		bed_wait(b, USB_LINK_AWAY_MS);
		assert_int_equal(config_count(b), 5);
		assert_true(has_mux(b, 5));
		assert_int_equal(bed_control(b, 0xc045, 0, 0, nullptr, 4, &in), USB_OK);
		assert_memory_equal(in.bytes, "\5\3\3\0", 4);
	}
	assert_int_equal(b->phone.boots, 1);
	phone_press(&b->phone, "restart");
	bed_wait(b, 10000);
	assert_int_equal(config_count(b), 2);
	bed_free(b);

	b = BED("mode=normal", "one_config=yes");
	assert_int_equal(config_count(b), 1);
	assert_false(has_mux(b, 1));
	bed_free(b);
}

/* Lengths of the configurations that no polite phone shows. */
static void test_variants(void **state)
{
	for (unsigned v = SHAPE_INITIAL; v <= SHAPE_NCM; v++) {
		const struct shape *s = shape_normal((enum shape_variant)v);

		for (unsigned c = 0; c < s->config_count; c++) {
			const uint8_t *bytes = s->configs[c].bytes;
			size_t at = 0;

			assert_int_equal(get_le16(bytes + 2), s->configs[c].len);
			assert_int_equal(bytes[5], c + 1);
			while (at < s->configs[c].len)
				at += bytes[at];
			assert_int_equal(at, s->configs[c].len);
		}
	}
}

/* ---- coming back ---- */

static void test_coming_back(void **state)
{
	struct bed *b = BED("mode=recovery", "no_reenum=yes");

	bed_command(b, "reboot");
	bed_wait(b, 600000);
	assert_int_equal(b->detaches, 1);
	phone_unplug(&b->phone);
	phone_plug(&b->phone);
	bed_wait(b, 600000);
	assert_int_equal(b->attaches, 0);
	bed_free(b);

	b = BED("mode=recovery", "reenum_delay_ms=5000");
	bed_command(b, "reboot");
	bed_wait(b, PHONE_LINGER_MS + 1500 + 4999);
	assert_int_equal(b->attaches, 0);
	bed_wait(b, 1);
	assert_int_equal(b->attaches, 1);
	bed_free(b);

	b = BED("mode=recovery", "reenum_twice=yes");
	bed_command(b, "reboot");
	bed_wait(b, 10000);
	assert_int_equal(b->detaches, 2);
	assert_int_equal(b->attaches, 2);
	assert_int_equal(b->phone.boots, 2);
	bed_free(b);

	b = BED("mode=recovery", "wrong_mode=dfu");
	bed_command(b, "reboot");
	bed_wait(b, 10000);
	assert_int_equal(b->phone.mode, MODE_DFU);
	assert_non_null(b->phone.usb.shape);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late_control), cmocka_unit_test(test_late_and_gone),
		cmocka_unit_test(test_never),        cmocka_unit_test(test_order),
		cmocka_unit_test(test_dfu),          cmocka_unit_test(test_recovery),
		cmocka_unit_test(test_answer),       cmocka_unit_test(test_upload),
		cmocka_unit_test(test_requests),     cmocka_unit_test(test_pipes),
		cmocka_unit_test(test_ceilings),     cmocka_unit_test(test_drop_after),
		cmocka_unit_test(test_mode_switch),  cmocka_unit_test(test_variants),
		cmocka_unit_test(test_coming_back),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
