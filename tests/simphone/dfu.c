/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "dfu.h"

#include <openssl/sha.h>
#include <string.h>

#include "phone.h"

enum {
	IMAGE_CEILING = 32 * 1024 * 1024, /* an iBSS is 1 to 2 MiB */
	MANIFEST_POLL_MS = 3000,          /* seen on a real phone */

	/* bStatus of DFU 1.1 */
	FAULT_VERIFY = 0x07,
	FAULT_ADDRESS = 0x08,
	FAULT_STALLED = 0x0f,
};

static const uint8_t suffix[12] = { 0xff, 0xff, 0xff, 0xff, 0xac, 0x05,
				    0x00, 0x01, 0x55, 0x46, 0x44, 0x10 };

uint32_t dfu_crc(uint32_t crc, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return crc;
}

bool dfu_suffix_fits(const uint8_t *bytes, size_t len)
{
	if (len < DFU_SUFFIX_BYTES ||
	    memcmp(bytes + len - DFU_SUFFIX_BYTES, suffix, sizeof(suffix)) != 0)
		return false;
	return get_le32(bytes + len - 4) == dfu_crc(0xffffffff, bytes, len - 4);
}

void dfu_init(struct dfu *d, struct phone *phone)
{
	*d = (struct dfu){ .phone = phone, .state = DFU_STATE_IDLE };
}

void dfu_done(struct dfu *d)
{
	buf_done(&d->image);
}

void dfu_boot(struct dfu *d)
{
	d->state = DFU_STATE_IDLE;
	d->fault = 0;
	buf_clear(&d->image);
}

static enum usb_reply dfu_fail(struct dfu *d, uint8_t fault)
{
	EVLOG(&d->phone->log, "dfu-error", LOG_INT("status", fault),
	      LOG_INT("bytes", d->image.len));
	d->state = DFU_STATE_ERROR;
	d->fault = fault;
	return USB_STALL;
}

static enum usb_reply dfu_download(struct dfu *d, const struct usb_setup *setup, const uint8_t *out)
{
	if (d->state != DFU_STATE_IDLE && d->state != DFU_STATE_DNLOAD_IDLE) {
		/* a last zero-length block is repeated by careful hosts */
		return setup->length == 0 && d->state >= DFU_STATE_MANIFEST_SYNC
			   ? USB_OK
			   : dfu_fail(d, FAULT_STALLED);
	}
	if (setup->length > DFU_BLOCK_BYTES || d->image.len + setup->length > IMAGE_CEILING)
		return dfu_fail(d, FAULT_ADDRESS);
	if (setup->length > 0) {
		buf_add(&d->image, out, setup->length);
		d->state = DFU_STATE_DNLOAD_IDLE;
		return USB_OK;
	}
	if (!dfu_suffix_fits(d->image.bytes, d->image.len)) {
		dfu_fail(d, FAULT_VERIFY); /* told by GETSTATUS */
		return USB_OK;
	}
	d->state = DFU_STATE_MANIFEST_SYNC;
	return USB_OK;
}

static void dfu_report(struct dfu *d, struct buf *in)
{
	uint32_t poll_ms = 0;

	if (d->state == DFU_STATE_MANIFEST) {
		d->state = DFU_STATE_MANIFEST_WAIT_RESET;
	} else if (d->state == DFU_STATE_MANIFEST_SYNC) {
		d->state = DFU_STATE_MANIFEST;
		poll_ms = MANIFEST_POLL_MS;
	}
	buf_add(in,
		(const uint8_t[]){ d->fault, (uint8_t)poll_ms, (uint8_t)(poll_ms >> 8), 0,
				   (uint8_t)d->state, 0 },
		6);
}

enum usb_reply dfu_control(void *user, const struct usb_setup *setup, const uint8_t *out,
			   struct buf *in)
{
	struct dfu *d = user;

	switch (usb_request(setup)) {
	case 0x2101:
		return dfu_download(d, setup, out);
	case 0xa103:
		dfu_report(d, in);
		return USB_OK;
	case 0x2104:
	case 0x2106:
		dfu_boot(d);
		return USB_OK;
	case 0xa105:
		buf_add(in, &(uint8_t){ (uint8_t)d->state }, 1);
		return USB_OK;
	case 0x4040: /* apple-mfi-fastcharge announces mA */
		return USB_OK;
	default:
		return USB_STALL;
	}
}

void dfu_start_image(struct phone *phone, const uint8_t *bytes, size_t len, unsigned linger_ms)
{
	bool accepted = phone->scenario.dfu_image == DFU_IMAGE_ACCEPT;
	uint8_t digest[SHA256_DIGEST_LENGTH];
	BUF_AUTO hex = {};

	SHA256(bytes, len, digest);
	buf_add_hex(&hex, digest, sizeof(digest));
	EVLOG(&phone->log, "dfu-image", LOG_INT("bytes", len), LOG_TEXT("sha256", buf_text(&hex)),
	      LOG_TEXT("verdict", accepted ? "accepted" : "rejected"));
	phone_leave(phone, accepted ? MODE_RECOVERY : phone->mode, linger_ms, "dfu-image");
}

void dfu_reset(void *user)
{
	struct dfu *d = user;

	if (d->state == DFU_STATE_MANIFEST || d->state == DFU_STATE_MANIFEST_WAIT_RESET) {
		dfu_start_image(d->phone, d->image.bytes, d->image.len - DFU_SUFFIX_BYTES, 0);
		return;
	}
	dfu_boot(d);
}
