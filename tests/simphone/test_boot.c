/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The boot ROM: its states, what it takes as firmware, its troubles; nonces and gaps. */
#include "bed.h"

#include "forge.h"

#include "bed_boot.h"

static void test_ibss(void **state)
{
	struct forge *f = forge_new(false);
	struct bed *b = bed_at(f, "mode=dfu", nullptr);
	struct nonces before = nonces_of(b);

	dfu_send_part(f, b, "iBSS", FORGE_GOOD);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	assert_true(bed_logged(b, "\"component\":\"iBSS\",\"type\":\"ibss\""));
	assert_true(bed_logged(b, "\"verdict\":\"accepted\""));
	expect_nonces(b, before, true);
	expect_env(b, "boot-stage", "1");
	bed_free(b);
	forge_free(f);
}

static void test_ibss_draws_nonce(void **state)
{
	struct forge *f = forge_new(false);
	struct bed *b = bed_at(f, "mode=dfu", "ibss_nonce=fresh");
	struct nonces before = nonces_of(b);

	dfu_send_part(f, b, "iBSS", FORGE_GOOD);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	expect_nonces(b, before, false);
	bed_free(b);
	forge_free(f);
}

/* A boot ROM takes no second stage, no ticket of yesterday, no foreign one. */
static void test_bad_ibss(void **state)
{
	static const enum forge_flaw flaws[] = { FORGE_OTHER_ECID, FORGE_OTHER_NONCE,
						 FORGE_BAD_SIGNATURE };
	struct forge *f = forge_new(false);
	struct bed *b = bed_at(f, "mode=dfu", nullptr);
	struct nonces before = nonces_of(b);
	BUF_AUTO old = {};

	make_image(f, b, forge_part("iBSS"), forge_part("RestoreRamDisk"), FORGE_GOOD, &old);
	for (unsigned i = 0; i < 3; i++) {
		dfu_send_part(f, b, "iBSS", flaws[i]);
		assert_int_equal(b->phone.mode, MODE_DFU);
		assert_int_equal(b->attaches, i + 1);
	}
	dfu_send_part(f, b, "iBEC", FORGE_GOOD);
	assert_int_equal(b->phone.mode, MODE_DFU);
	expect_nonces(b, before, false);
	dfu_send(b, &old);
	dfu_status(b, nullptr, nullptr);
	usbdev_reset(&b->phone.usb);
	bed_wait(b, 20000);
	assert_int_equal(b->phone.mode, MODE_DFU);
	assert_true(bed_logged(b, "the ticket is for another nonce"));
	assert_false(bed_logged(b, "\"verdict\":\"accepted\""));
	bed_free(b);
	forge_free(f);
}

/* Rows: the state, what brings it about, and what each request does in it. */
enum { TO_IDLE, TO_DOWNLOAD, TO_SYNC, TO_MANIFEST, TO_WAIT, TO_ERROR };

static void dfu_bring(struct bed *b, int to)
{
	static const uint8_t hello[21] = { 'h',  'e',  'l',  'l',  'o',  0xff, 0xff,
					   0xff, 0xff, 0xac, 0x05, 0x00, 0x01, 0x55,
					   0x46, 0x44, 0x10, 0xe8, 0xe2, 0x6b, 0x7f };

	bed_control(b, 0x2104, 0, 0, nullptr, 0, nullptr);
	assert_int_equal(dfu_state(b), 2);
	if (to == TO_ERROR)
		bed_control(b, 0xa102, 0, 0, nullptr, 64, nullptr);
	if (to == TO_IDLE || to == TO_ERROR)
		return;
	bed_control(b, 0x2101, 0, 0, hello, sizeof(hello), nullptr);
	if (to >= TO_SYNC)
		bed_control(b, 0x2101, 1, 0, nullptr, 0, nullptr);
	for (int i = TO_SYNC; i < to; i++)
		dfu_status(b, nullptr, nullptr);
}

static const struct {
	unsigned request;
	uint16_t len;
	/* by TO_…: the reply and the state afterwards */
	struct {
		enum usb_reply reply;
		uint8_t state;
	} then[6];
} dfu_rows[] = {
	{ 0x2101,
	  5,
	  { { USB_OK, 5 },
	    { USB_OK, 5 },
	    { USB_STALL, 10 },
	    { USB_STALL, 10 },
	    { USB_STALL, 10 },
	    { USB_STALL, 10 } } },
	{ 0x2101,
	  0,
	  { { USB_STALL, 10 },
	    { USB_OK, 6 },
	    { USB_OK, 6 },
	    { USB_OK, 7 },
	    { USB_OK, 8 },
	    { USB_STALL, 10 } } },
	{ 0xa102,
	  64,
	  { { USB_STALL, 10 },
	    { USB_STALL, 10 },
	    { USB_STALL, 10 },
	    { USB_STALL, 10 },
	    { USB_STALL, 10 },
	    { USB_STALL, 10 } } },
	{ 0xa103,
	  6,
	  { { USB_OK, 2 },
	    { USB_OK, 5 },
	    { USB_OK, 7 },
	    { USB_OK, 8 },
	    { USB_OK, 8 },
	    { USB_OK, 10 } } },
	{ 0x2104,
	  0,
	  { { USB_OK, 2 },
	    { USB_OK, 2 },
	    { USB_OK, 2 },
	    { USB_OK, 2 },
	    { USB_OK, 2 },
	    { USB_OK, 2 } } },
	{ 0x2106,
	  0,
	  { { USB_OK, 2 },
	    { USB_OK, 2 },
	    { USB_OK, 2 },
	    { USB_OK, 2 },
	    { USB_OK, 2 },
	    { USB_STALL, 10 } } },
	{ 0xa105,
	  1,
	  { { USB_OK, 2 },
	    { USB_OK, 5 },
	    { USB_OK, 6 },
	    { USB_OK, 7 },
	    { USB_OK, 8 },
	    { USB_OK, 10 } } },
	{ 0x2100,
	  0,
	  { { USB_STALL, 2 },
	    { USB_STALL, 5 },
	    { USB_STALL, 6 },
	    { USB_STALL, 7 },
	    { USB_STALL, 8 },
	    { USB_STALL, 10 } } },
};

static void test_dfu_states(void **state)
{
	struct bed *b = BED("mode=dfu");

	for (unsigned row = 0; row < sizeof(dfu_rows) / sizeof(dfu_rows[0]); row++) {
		for (int from = TO_IDLE; from <= TO_ERROR; from++) {
			dfu_bring(b, from);
			assert_int_equal(bed_control(b, dfu_rows[row].request, 0, 0, "xxxxx",
						     dfu_rows[row].len, nullptr),
					 dfu_rows[row].then[from].reply);
			if (dfu_state(b) != dfu_rows[row].then[from].state)
				fail_msg("row %u from %d: state %u", row, from, dfu_state(b));
		}
	}
	assert_int_equal(b->detaches, 0);
	bed_free(b);
}

static void test_dfu_poll(void **state)
{
	struct bed *b = BED("mode=dfu", "dfu_poll_ms=70000");
	unsigned poll_ms;

	dfu_bring(b, TO_DOWNLOAD);
	assert_int_equal(dfu_status(b, nullptr, &poll_ms), 5);
	assert_int_equal(poll_ms, 70000);
	dfu_bring(b, TO_SYNC);
	assert_int_equal(dfu_status(b, nullptr, &poll_ms), 7);
	assert_int_equal(poll_ms, 3000);
	assert_int_equal(dfu_status(b, nullptr, &poll_ms), 8);
	assert_int_equal(poll_ms, 0);
	bed_free(b);
}

static void test_dfu_ceilings(void **state)
{
	struct bed *b = BED("mode=dfu");
	uint8_t block[2049] = {}, fault;

	assert_int_equal(bed_control(b, 0x2101, 0, 0, block, 2049, nullptr), USB_STALL);
	assert_int_equal(dfu_status(b, &fault, nullptr), 10);
	assert_int_equal(fault, 8);
	bed_control(b, 0x2104, 0, 0, nullptr, 0, nullptr);
	for (unsigned i = 0; i < 32 * 512; i++)
		assert_int_equal(bed_control(b, 0x2101, 0, 0, block, 2048, nullptr), USB_OK);
	assert_int_equal(bed_control(b, 0x2101, 0, 0, block, 1, nullptr), USB_STALL);
	bed_free(b);
}

static void test_dfu_troubles(void **state)
{
	struct forge *f = forge_new(false);
	struct bed *b = bed_at(f, "mode=dfu", "dfu_trouble=state-error");
	uint8_t fault;

	assert_int_equal(dfu_status(b, &fault, nullptr), 10);
	assert_int_equal(fault, 14);
	usbdev_reset(&b->phone.usb);
	assert_int_equal(dfu_state(b), 10);
	bed_control(b, 0x2104, 0, 0, nullptr, 0, nullptr);
	assert_int_equal(dfu_state(b), 2);
	bed_free(b);

	b = bed_at(f, "mode=dfu", "dfu_trouble=wrong-state");
	assert_int_equal(dfu_state(b), 3);
	bed_free(b);

	b = bed_at(f, "mode=dfu", "dfu_trouble=never-state-5");
	bed_control(b, 0x2101, 0, 0, "x", 1, nullptr);
	assert_int_equal(dfu_status(b, nullptr, nullptr), 4);
	bed_free(b);

	b = bed_at(f, "mode=dfu", "dfu_trouble=no-reset");
	dfu_send_part(f, b, "iBSS", FORGE_GOOD);
	assert_int_equal(b->detaches, 0);
	assert_int_equal(dfu_state(b), 8);
	bed_free(b);

	b = bed_at(f, "mode=dfu", "dfu_trouble=ignore-manifest");
	dfu_bring(b, TO_SYNC);
	assert_int_equal(dfu_state(b), 2);
	bed_free(b);

	b = bed_at(f, "mode=dfu", "dfu_trouble=stays-dfu");
	dfu_send_part(f, b, "iBSS", FORGE_GOOD);
	assert_int_equal(b->attaches, 1);
	assert_int_equal(b->phone.mode, MODE_DFU);
	assert_true(bed_logged(b, "\"verdict\":\"accepted\""));
	bed_free(b);

	b = bed_at(f, "mode=dfu", "dfu_image=reject");
	dfu_send_part(f, b, "iBSS", FORGE_GOOD);
	assert_int_equal(b->phone.mode, MODE_DFU);
	bed_free(b);
	forge_free(f);
}

/* ---- nonces, ids, gaps ---- */

static void test_nonce_forms(void **state)
{
	struct bed *b = BED("mode=dfu", "nonce=zero", "nonce_bytes=20");
	BUF_AUTO text = {};

	identity_nonce_string(&b->phone.identity, &text);
	assert_memory_equal(buf_text(&text),
			    "NONC:0000000000000000000000000000000000000000 SNON:", 51);
	bed_free(b);
	b = BED("mode=dfu", "nonce=fixed", "model=iPhone8,1", "nonce_bytes=32");
	buf_clear(&text);
	identity_nonce_string(&b->phone.identity, &text);
	assert_int_equal(text.len, 5 + 64 + 1 + 5 + 40);
	bed_free(b);
}

/* What the running system told is what recovery shows; a fresh boot of a boot ROM draws anew. */
static void test_nonce_told(void **state)
{
	struct bed *b = BED("mode=normal");
	struct nonces before = nonces_of(b);

	identity_keep_nonces(&b->phone.identity);
	phone_press(&b->phone, "recovery");
	bed_wait(b, 20000);
	expect_nonces(b, before, true);
	phone_press(&b->phone, "recovery");
	bed_wait(b, 20000);
	expect_nonces(b, before, false);
	before = nonces_of(b);
	identity_keep_nonces(&b->phone.identity);
	phone_press(&b->phone, "dfu");
	bed_wait(b, 20000);
	expect_nonces(b, before, false);
	bed_free(b);
}

static void test_recovery_ecid(void **state)
{
	struct bed *b = BED("mode=recovery", "ecid=0x1122", "recovery_ecid=0x3344");
	BUF_AUTO text = {};

	phone_usb_serial(&b->phone, &text);
	assert_non_null(strstr(buf_text(&text), "ECID:0000000000003344"));
	phone_press(&b->phone, "dfu");
	bed_wait(b, 20000);
	buf_clear(&text);
	phone_usb_serial(&b->phone, &text);
	assert_non_null(strstr(buf_text(&text), "ECID:0000000000001122"));
	bed_free(b);
}

static void test_gap_floor(void **state)
{
	struct bed *b = BED("mode=recovery", "time_scale_percent=1");

	phone_leave(&b->phone, MODE_DFU, 0, "test");
	bed_wait(b, 0);
	bed_wait(b, PHONE_GAP_FLOOR_MS - 1);
	assert_int_equal(b->attaches, 0);
	bed_wait(b, 1);
	assert_int_equal(b->attaches, 1);
	bed_free(b);
	b = BED("mode=recovery", "time_scale_percent=1", "gap_ms=50");
	phone_leave(&b->phone, MODE_DFU, 0, "test");
	bed_wait(b, 0);
	bed_wait(b, 50);
	assert_int_equal(b->attaches, 1);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ibss),         cmocka_unit_test(test_ibss_draws_nonce),
		cmocka_unit_test(test_bad_ibss),     cmocka_unit_test(test_dfu_states),
		cmocka_unit_test(test_dfu_poll),     cmocka_unit_test(test_dfu_ceilings),
		cmocka_unit_test(test_dfu_troubles), cmocka_unit_test(test_nonce_forms),
		cmocka_unit_test(test_nonce_told),   cmocka_unit_test(test_recovery_ecid),
		cmocka_unit_test(test_gap_floor),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
