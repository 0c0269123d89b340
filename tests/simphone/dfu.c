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
	FAULT_UNKNOWN = 0x0e,
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

/* Whether the last 16 bytes are Apple's suffix and its CRC fits. */
static bool suffix_fits(const uint8_t *bytes, size_t len)
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

static void dfu_idle(struct dfu *d)
{
	d->state = DFU_STATE_IDLE;
	d->fault = 0;
	buf_clear(&d->image);
}

void dfu_boot(struct dfu *d)
{
	dfu_idle(d);
	if (d->phone->scenario.dfu_trouble != DFU_STATE_IS_ERROR)
		return;
	d->state = DFU_STATE_ERROR;
	d->fault = FAULT_UNKNOWN;
}

static enum usb_reply dfu_fail(struct dfu *d, uint8_t fault)
{
	EVLOG(&d->phone->log, "dfu-error", LOG_INT("status", fault),
	      LOG_INT("bytes", d->image.len));
	d->state = DFU_STATE_ERROR;
	d->fault = fault;
	return USB_STALL;
}

/* The empty block that ends an image. */
static enum usb_reply dfu_manifest(struct dfu *d)
{
	if (d->phone->scenario.dfu_trouble == DFU_IGNORES_MANIFEST) {
		dfu_idle(d);
		return USB_OK;
	}
	if (suffix_fits(d->image.bytes, d->image.len))
		d->state = DFU_STATE_MANIFEST_SYNC;
	else
		dfu_fail(d, FAULT_VERIFY); /* told by GETSTATUS */
	return USB_OK;
}

static enum usb_reply dfu_download(struct dfu *d, const struct usb_setup *setup, const uint8_t *out)
{
	switch (d->state) {
	case DFU_STATE_MANIFEST_SYNC:
	case DFU_STATE_MANIFEST:
	case DFU_STATE_MANIFEST_WAIT_RESET:
		/* the last zero-length block is repeated by careful hosts */
		return setup->length == 0 ? USB_OK : dfu_fail(d, FAULT_STALLED);
	case DFU_STATE_IDLE:
		if (setup->length == 0)
			return dfu_fail(d, FAULT_STALLED);
		break;
	case DFU_STATE_DNLOAD_IDLE:
		if (setup->length == 0)
			return dfu_manifest(d);
		break;
	case DFU_STATE_ERROR:
		return USB_STALL;
	case DFU_STATE_DNLOAD_SYNC:
	case DFU_STATE_DNBUSY:
		break;
	}
	if (setup->length > DFU_BLOCK_BYTES || d->image.len + setup->length > IMAGE_CEILING)
		return dfu_fail(d, FAULT_ADDRESS);
	buf_add(&d->image, out, setup->length);
	d->state = DFU_STATE_DNLOAD_IDLE;
	return USB_OK;
}

/* The state as it is told: a boot ROM in trouble lies. */
static uint8_t dfu_told_state(const struct dfu *d)
{
	enum dfu_trouble trouble = d->phone->scenario.dfu_trouble;

	if (trouble == DFU_STATE_IS_WRONG && d->state == DFU_STATE_IDLE)
		return DFU_STATE_DNLOAD_SYNC;
	if (trouble == DFU_NEVER_STATE_5 && d->state == DFU_STATE_DNLOAD_IDLE)
		return DFU_STATE_DNBUSY;
	return (uint8_t)d->state;
}

static void dfu_report(struct dfu *d, struct buf *in)
{
	uint32_t poll_ms = 0;

	if (d->state == DFU_STATE_MANIFEST) {
		d->state = DFU_STATE_MANIFEST_WAIT_RESET;
	} else if (d->state == DFU_STATE_MANIFEST_SYNC) {
		d->state = DFU_STATE_MANIFEST;
		poll_ms = MANIFEST_POLL_MS;
	} else if (d->state == DFU_STATE_DNLOAD_IDLE) {
		poll_ms = (uint32_t)d->phone->scenario.dfu_poll_ms;
	}
	buf_add(in,
		(const uint8_t[]){ d->fault, (uint8_t)poll_ms, (uint8_t)(poll_ms >> 8),
				   (uint8_t)(poll_ms >> 16), dfu_told_state(d), 0 },
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
		dfu_idle(d);
		return USB_OK;
	case 0x2106:
		if (d->state == DFU_STATE_ERROR)
			return USB_STALL;
		dfu_idle(d);
		return USB_OK;
	case 0xa105:
		buf_add(in, &(uint8_t){ dfu_told_state(d) }, 1);
		return USB_OK;
	case 0x4040: /* apple-mfi-fastcharge announces mA */
		return USB_OK;
	case 0xa102: /* a boot ROM gives nothing away */
		return d->state == DFU_STATE_ERROR ? USB_STALL : dfu_fail(d, FAULT_STALLED);
	default:
		return USB_STALL;
	}
}

/* Whether the boot ROM starts the image; if not, why. */
static bool image_starts(struct phone *phone, const uint8_t *bytes, size_t len,
			 const char **ret_why)
{
	struct image_verdict verdict;
	bool good = firmware_check_image(phone, "iBSS", bytes, len, &verdict);

	if (phone->scenario.dfu_image == DFU_IMAGE_REJECT) {
		*ret_why = "the scenario says so";
		return false;
	}
	*ret_why = good ? "" : verdict.why;
	return good || phone->scenario.firmware_check == FIRMWARE_CHECK_NONE;
}

void dfu_start_image(struct phone *phone, const uint8_t *bytes, size_t len, unsigned linger_ms)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	const char *why;
	bool accepted = image_starts(phone, bytes, len, &why);
	bool leaves = accepted && phone->scenario.dfu_trouble != DFU_STAYS;
	BUF_AUTO hex = {};

	SHA256(bytes, len, digest);
	buf_add_hex(&hex, digest, sizeof(digest));
	EVLOG(&phone->log, "dfu-image", LOG_INT("bytes", len), LOG_TEXT("sha256", buf_text(&hex)),
	      LOG_TEXT("verdict", accepted ? "accepted" : "rejected"), LOG_TEXT("why", why));
	if (leaves && phone->scenario.ibss_nonce == IBSS_NONCE_KEPT)
		identity_keep_nonces(&phone->identity);
	phone_leave(phone, leaves ? MODE_RECOVERY : phone->mode, linger_ms, "dfu-image");
}

void dfu_reset(void *user)
{
	struct dfu *d = user;

	if (d->phone->scenario.dfu_trouble == DFU_NO_RESET)
		return;
	if (d->state == DFU_STATE_MANIFEST || d->state == DFU_STATE_MANIFEST_WAIT_RESET)
		dfu_start_image(d->phone, d->image.bytes, d->image.len - DFU_SUFFIX_BYTES, 0);
	else if (d->state != DFU_STATE_ERROR || d->fault != FAULT_UNKNOWN)
		dfu_idle(d);
}
