/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For tests of the boot chain: what a host sends to boot ROM and iBoot. Included behind forge.h. */
#pragma once

/* The container of @component with a ticket for the phone as it is now. */
static inline void make_image(struct forge *f, struct bed *b, const struct forge_part *part,
			      const struct forge_part *ramdisk, enum forge_flaw flaw,
			      struct buf *to)
{
	BUF_AUTO ticket = {};

	forge_ticket(f, &b->phone.identity, flaw, ramdisk, &ticket);
	forge_img4(part, &ticket, to);
}

static inline enum usb_reply send_bytes(struct bed *b, const struct buf *image)
{
	enum usb_reply reply = USB_OK;

	usbdev_set_config(&b->phone.usb, 1);
	assert_int_equal(bed_control(b, 0x4100, 0, 0, nullptr, 0, nullptr), USB_OK);
	for (size_t at = 0; at < image->len && reply == USB_OK; at += 0x8000) {
		size_t len = image->len - at < 0x8000 ? image->len - at : 0x8000;

		reply = usbdev_bulk_out(&b->phone.usb, 0x04, image->bytes + at, len);
	}
	if (image->len % 512 == 0)
		usbdev_bulk_out(&b->phone.usb, 0x04, nullptr, 0);
	return reply;
}

static inline enum usb_reply send_part(struct forge *f, struct bed *b,
				       const struct forge_part *part,
				       const struct forge_part *ramdisk, const char *command)
{
	BUF_AUTO image = {};

	make_image(f, b, part, ramdisk, FORGE_GOOD, &image);
	send_bytes(b, &image);
	return command ? bed_command(b, command) : USB_OK;
}

static inline uint8_t dfu_status(struct bed *b, uint8_t *ret_fault, unsigned *ret_poll_ms)
{
	BUF_AUTO in = {};

	assert_int_equal(bed_control(b, 0xa103, 0, 0, nullptr, 6, &in), USB_OK);
	assert_int_equal(in.len, 6);
	if (ret_fault)
		*ret_fault = in.bytes[0];
	if (ret_poll_ms)
		*ret_poll_ms =
		    in.bytes[1] | (unsigned)in.bytes[2] << 8 | (unsigned)in.bytes[3] << 16;
	return in.bytes[4];
}

static inline uint8_t dfu_state(struct bed *b)
{
	BUF_AUTO in = {};

	assert_int_equal(bed_control(b, 0xa105, 0, 0, nullptr, 1, &in), USB_OK);
	assert_int_equal(in.len, 1);
	return in.bytes[0];
}

/* As libirecovery sends, up to the two GETSTATUS; the suffix is a block of its own. */
static inline void dfu_send(struct bed *b, const struct buf *image)
{
	uint8_t suffix[16] = { 0xff, 0xff, 0xff, 0xff, 0xac, 0x05,
			       0x00, 0x01, 0x55, 0x46, 0x44, 0x10 };
	uint16_t block = 0;

	put_le32(suffix + 12, dfu_crc(dfu_crc(0xffffffff, image->bytes, image->len), suffix, 12));
	for (size_t at = 0; at < image->len; at += 2048, block++) {
		size_t len = image->len - at < 2048 ? image->len - at : 2048;

		assert_int_equal(
		    bed_control(b, 0x2101, block, 0, image->bytes + at, (uint16_t)len, nullptr),
		    USB_OK);
		if (at + len < image->len)
			assert_int_equal(dfu_status(b, nullptr, nullptr), 5);
	}
	assert_int_equal(bed_control(b, 0x2101, block, 0, suffix, 16, nullptr), USB_OK);
	assert_int_equal(dfu_status(b, nullptr, nullptr), 5);
	assert_int_equal(bed_control(b, 0x2101, block, 0, nullptr, 0, nullptr), USB_OK);
}

static inline void dfu_send_part(struct forge *f, struct bed *b, const char *component,
				 enum forge_flaw flaw)
{
	BUF_AUTO image = {};

	make_image(f, b, forge_part(component), forge_part("RestoreRamDisk"), flaw, &image);
	dfu_send(b, &image);
	assert_int_equal(dfu_status(b, nullptr, nullptr), 7);
	assert_int_equal(dfu_status(b, nullptr, nullptr), 8);
	usbdev_reset(&b->phone.usb);
	bed_wait(b, 20000);
}

static inline void get_env(struct bed *b, const char *name, struct buf *to)
{
	char line[64];

	snprintf(line, sizeof(line), "getenv %s", name);
	bed_command(b, line);
	assert_int_equal(bed_control(b, 0xc000, 0, 0, nullptr, 255, to), USB_OK);
}

static inline void expect_env(struct bed *b, const char *name, const char *value)
{
	BUF_AUTO in = {};

	get_env(b, name, &in);
	assert_string_equal(buf_text(&in), value);
}

struct nonces {
	uint8_t ap[AP_NONCE_MAX], sep[SEP_NONCE_BYTES];
};

static inline struct nonces nonces_of(const struct bed *b)
{
	struct nonces n;

	memcpy(n.ap, b->phone.identity.ap_nonce, sizeof(n.ap));
	memcpy(n.sep, b->phone.identity.sep_nonce, sizeof(n.sep));
	return n;
}

static inline void expect_nonces(const struct bed *b, struct nonces before, bool same)
{
	struct nonces now = nonces_of(b);

	assert_int_equal(memcmp(now.ap, before.ap, sizeof(now.ap)) == 0, same);
	assert_int_equal(memcmp(now.sep, before.sep, sizeof(now.sep)) == 0, same);
}

static inline struct bed *bed_at(struct forge *f, const char *mode, const char *more)
{
	forge_ipsw(f, model_find("iPhone14,5"), true, true);
	return BED(mode, f->key_setting, f->ipsw_setting, more ? more : "gap_ms=1500");
}
