/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Firmware from a host: containers and tickets that were whole and signed before the input spoilt
 * them, straight to their parsers, and through DFU, iBoot and debug-USB with the requests around
 * them.
 */
#include "bed.h"

#include "forge.h"
#include "input.h"
#include "lent_firmware.h"
#include "restore/img4.h"
#include "restore/ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PIECE = 0x8000, FLAWS = FORGE_NOT_PRODUCTION + 1 };

static const char *const settings[] = {
	"seed=1",
	"firmware_check=none",
	"upload=short",
	"upload=ignored",
	"dfu_trouble=state-error",
	"dfu_trouble=wrong-state",
	"dfu_trouble=no-reset",
	"dfu_trouble=stays-dfu",
	"dfu_image=reject",
	"dfu_poll_ms=50",
	"nonce=zero",
	"nonce_bytes=20",
	"reboot=ignored",
	"getenv=stall",
	"model=iPhone8,1",
	"env=boot-stage=2",
	"fault=recovery got data garbage",
	"fault=recovery got finish drop",
	"fault=dfu got byte 100 cut",
	"fault=recovery got byte 500 garbage",
	"stall_ep=4",
	"bulk_short=7",
	"serial_empty=yes",
	"drop_after_bytes=900",
};

static struct forge *the_forge;

static void forge_end(void)
{
	forge_free(the_forge);
}

static void forge_begin(void)
{
	the_forge = forge_new(false);
	forge_ipsw(the_forge, model_find("iPhone14,5"), true, true);
	atexit(forge_end);
}

/* The ticket for the phone as it is now. Signing is slow, so those of one nonce are kept. */
static const struct buf *ticket_for(const struct identity *id, enum forge_flaw flaw, bool update)
{
	static struct buf tickets[FLAWS][2];
	static struct identity of[FLAWS][2];
	struct buf *ticket = &tickets[flaw][update];

	if (!ticket->len || memcmp(of[flaw][update].ap_nonce, id->ap_nonce, AP_NONCE_MAX) != 0 ||
	    id->model != of[flaw][update].model) {
		buf_clear(ticket);
		forge_ticket(the_forge, id, flaw, update ? &forge_update_ramdisk : &forge_parts[2],
			     ticket);
		of[flaw][update] = *id;
	}
	return ticket;
}

/* Up to three edits, each somewhere in the bytes. */
static void spoil(struct input *in, struct buf *bytes)
{
	unsigned edits = take8(in) % 4;

	for (unsigned i = 0; i < edits && bytes->len > 0; i++) {
		uint8_t kind = take8(in);
		size_t at = take16(in) % bytes->len, len;
		const uint8_t *more;
		BUF_AUTO tail = {};

		buf_add(&tail, bytes->bytes + at, bytes->len - at);
		switch (kind % 4) {
		case 0:
			bytes->bytes[at] ^= (uint8_t)(take8(in) | 1);
			break;
		case 1:
			bytes->len = at;
			break;
		case 2: /* other bytes in between */
			bytes->len = at;
			len = take(in, &more, kind >> 3);
			buf_add(bytes, more, len);
			buf_add(bytes, tail.bytes, tail.len);
			break;
		case 3: /* some are missing */
			len = kind >> 2;
			bytes->len = at;
			if (len < tail.len)
				buf_add(bytes, tail.bytes + len, tail.len - len);
			break;
		}
	}
}

static void add_image(const struct identity *id, struct input *in, struct buf *to)
{
	uint8_t part = take8(in), flaw = take8(in);
	const struct buf *ticket =
	    ticket_for(id, flaw & 0x80 ? (enum forge_flaw)(flaw % FLAWS) : FORGE_GOOD, flaw & 0x40);
	const uint8_t *bytes;
	size_t len;

	if (part >= 0xf0) {
		len = take(in, &bytes, take16(in) % 1024);
		buf_add(to, bytes, len);
		return;
	}
	if (part >= 0xd0) {
		buf_add(to, ticket->bytes, ticket->len);
	} else {
		const struct forge_part *p = &forge_parts[part % FORGE_PARTS];

		forge_img4(flaw & 0x40 ? forge_part_with(p, &forge_update_ramdisk) : p,
			   part >= 0xc0 ? nullptr : ticket, to);
	}
	spoil(in, to);
}

/* A copy of exactly these bytes, so that the sanitizer sees a read beyond them. */
static void parse(const struct buf *bytes)
{
	uint8_t *copy = malloc(bytes->len ? bytes->len : 1);
	struct img4 image;
	struct ticket ticket;
	struct der_item item;

	assert_non_null(copy);
	if (bytes->len)
		memcpy(copy, bytes->bytes, bytes->len);
	if (!img4_read(copy, bytes->len, &image) && image.im4m.len > 0)
		ticket_read(image.im4m.bytes, image.im4m.len, &ticket);
	if (!ticket_read(copy, bytes->len, &ticket)) {
		ticket_find(&ticket, "MANP", "BNCH", &item);
		ticket_holds(&ticket, "ibec", (struct span){ copy, bytes->len });
	}
	free(copy);
}

static void iboot_send(struct bed *b, const struct buf *image)
{
	struct usbdev *usb = &b->phone.usb;

	if (usb->shape)
		bed_control(b, 0x4100, 0, 0, nullptr, 0, nullptr);
	for (size_t at = 0; at < image->len && usb->shape; at += PIECE)
		usbdev_bulk_out(usb, 0x04, image->bytes + at,
				image->len - at < PIECE ? image->len - at : PIECE);
}

static void iboot_command(struct bed *b, struct input *in)
{
	static const char *const commands[] = {
		"go",
		"ramdisk",
		"devicetree",
		"firmware",
		"rsepfirmware",
		"bootx",
		"setpicture 0",
		"ticket",
		"loadaddr",
		"bgcolor 0 0 0",
		"getenv a",
		"setenv a b",
		"saveenv",
		"reboot",
		"setenv auto-boot true",
		"getenv build-version",
		"clearenv",
		"setenvnp x y",
		"setenv x",
		"memboot",
	};
	uint8_t which = take8(in);
	char line[512];
	const uint8_t *bytes;
	BUF_AUTO answer = {};
	size_t len;

	if (which < 0xc0) {
		snprintf(line, sizeof(line), "%s",
			 commands[which % (sizeof(commands) / sizeof(commands[0]))]);
		len = strlen(line) + 1;
	} else {
		len = take(in, &bytes, which >= 0xf0 ? 511 : which & 63);
		memcpy(line, bytes, len);
	}
	bed_control(b, 0x4000, which & 1, 0, line, (uint16_t)len, nullptr);
	if (which & 2 && b->phone.usb.shape)
		bed_control(b, 0xc000, 0, 0, nullptr, take8(in), &answer);
}

static void dfu_send(struct bed *b, struct input *in, struct buf *image)
{
	uint8_t suffix[16] = { 0xff, 0xff, 0xff, 0xff, 0xac, 0x05,
			       0x00, 0x01, 0x55, 0x46, 0x44, 0x10 };
	size_t piece = 200 + take8(in) * 8u; /* some blocks are too long */
	BUF_AUTO status = {};

	put_le32(suffix + 12, dfu_crc(dfu_crc(0xffffffff, image->bytes, image->len), suffix, 12));
	buf_add(image, suffix, sizeof(suffix));
	for (size_t at = 0; at < image->len && b->phone.usb.shape; at += piece)
		bed_control(b, 0x2101, (uint16_t)(at / piece), 0, image->bytes + at,
			    (uint16_t)(image->len - at < piece ? image->len - at : piece), nullptr);
	if (b->phone.usb.shape)
		bed_control(b, 0x2101, 0, 0, nullptr, 0, nullptr);
	for (unsigned i = 0; i < 3 && b->phone.usb.shape; i++)
		bed_control(b, 0xa103, 0, 0, nullptr, 6, &status);
}

static void request(struct bed *b, struct input *in)
{
	static const uint16_t known[] = { 0x2101, 0xa102, 0xa103, 0x2104, 0xa105, 0x2106,
					  0x4000, 0xc000, 0x4100, 0x8006, 0x0009, 0xa1fe };
	uint8_t which = take8(in);
	uint16_t type_request = known[which % (sizeof(known) / sizeof(known[0]))];
	const uint8_t *bytes = nullptr;
	uint16_t len = 0, value = take8(in);
	BUF_AUTO answer = {};

	if (type_request & 0x8000)
		len = take16(in);
	else
		len = (uint16_t)take(in, &bytes, take8(in));
	bed_control(b, type_request, value, 0, bytes, len,
		    type_request & 0x8000 ? &answer : nullptr);
}

/* Debug-USB's framing: what matters of the header is its index. */
static void kis_send(struct bed *b, struct input *in, const struct buf *image)
{
	static const uint16_t indexes[] = { 0x0a, 0x0d, 0x14, 0x100, 0x103 };
	uint16_t index = take8(in) < 0x80 ? indexes[take8(in) % 5] : take16(in);
	uint8_t header[KIS_HEADER_BYTES + 12] = { 0xa0 };
	BUF_AUTO packet = {};

	header[5] = (uint8_t)index;
	header[6] = index >> 8 & 3;
	put_le32(header + KIS_HEADER_BYTES + 8, (uint32_t)image->len + (take8(in) >= 0xf0));
	buf_add(&packet, header, take8(in) < 0xe0 ? sizeof(header) : 8);
	buf_add(&packet, image->bytes, image->len);
	usbdev_bulk_out(&b->phone.usb, take8(in) & 1 ? 0x02 : 0x01, packet.bytes, packet.len);
}

static void act(struct bed *b, struct input *in)
{
	uint8_t what = take8(in);
	struct usbdev *usb = &b->phone.usb;
	BUF_AUTO image = {};

	if (!usb->shape || what % 8 == 7) {
		bed_wait(b, 50 + what * 4u);
		return;
	}
	if (usb->config == 0)
		usbdev_set_config(usb, usb->shape->configs[0].bytes[5]);
	switch (what % 8) {
	case 0:
	case 1:
		add_image(&b->phone.identity, in, &image);
		parse(&image);
		if (b->phone.mode == MODE_RECOVERY)
			iboot_send(b, &image);
		else if (b->phone.mode == MODE_DEBUG_USB)
			kis_send(b, in, &image);
		else
			dfu_send(b, in, &image);
		return;
	case 2:
	case 3:
	case 4:
		iboot_command(b, in);
		return;
	case 5:
		request(b, in);
		return;
	case 6:
		usbdev_reset(usb);
		return;
	}
}

/* Without a phone: many times as fast. */
static void parse_only(struct input *in)
{
	static struct identity identity;

	if (!identity.model) {
		struct bed *b = BED("nonce=fixed", "mode=recovery");

		identity = b->phone.identity;
		bed_free(b);
	}
	while (in->at < in->end) {
		BUF_AUTO image = {};

		add_image(&identity, in, &image);
		parse(&image);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const modes[] = { "mode=recovery", "mode=dfu",       "mode=recovery",
					     "mode=wtf",      "mode=debug-usb", "mode=port-dfu" };
	struct input in = { data, data + size };
	const char *setting = settings[take8(&in) % (sizeof(settings) / sizeof(settings[0]))];
	const char *mode = modes[take8(&in) % (sizeof(modes) / sizeof(modes[0]))];
	struct bed *b;

	if (!the_forge)
		forge_begin();
	if (size > 1 && data[1] >= 0x80) {
		parse_only(&in);
		return 0;
	}
	b = BED("nonce=fixed", "gap_ms=100", "boot_ms=200", mode, the_forge->key_setting, setting);
	if (setting[0] != 'm') /* another model has none */
		firmware_lend(&b->phone, the_forge->ipsw_path);
	while (in.at < in.end)
		act(b, &in);
	bed_wait(b, 5000);
	firmware_take_back(&b->phone);
	bed_free(b);
	return 0;
}
