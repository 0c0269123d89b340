/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The usbredir door: a peer greets, and then sends what the input says: packets that are well
 * formed in their heads at least, raw bytes, time that passes, and the user's hand.
 */
#include <usbredirproto.h>

#include "doors/door_usbredir.h"
#include "rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct peer {
	int fd;
	struct rig rig;
};

static int listener(struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	rig_address(address, "usbredir", ".sock");
	unlink(address->sun_path);
	if (fd < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
	    listen(fd, 4) < 0) {
		perror(address->sun_path);
		abort();
	}
	return fd;
}

static void peer_say(struct peer *p, const void *bytes, size_t len)
{
	if (send(p->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EAGAIN)
		abort(); /* inputs are smaller than the socket's buffer */
	rig_turn(&p->rig, 0);
	rig_drain(p->fd);
}

static void packet_say(struct peer *p, uint32_t type, uint64_t id, const void *head,
		       size_t head_len, const void *body, size_t body_len)
{
	uint8_t header[16] = {};
	BUF_AUTO all = {};

	put_le32(header, type);
	put_le32(header + 4, (uint32_t)(head_len + body_len));
	put_le32(header + 8, (uint32_t)id);
	buf_add(&all, header, type == usb_redir_hello ? 12 : 16);
	buf_add(&all, head, head_len);
	buf_add(&all, body, body_len);
	peer_say(p, all.bytes, all.len);
}

static void greet(struct peer *p)
{
	struct usb_redir_hello_header hello = { .version = "fuzz" };
	uint8_t caps[4] = { 0xff };

	packet_say(p, usb_redir_hello, 0, &hello, sizeof(hello.version), caps, sizeof(caps));
}

static void control_say(struct peer *p, struct input *in)
{
	static const uint16_t known[] = { 0x8006, 0x8106, 0x4000, 0x4001, 0xc000, 0x4100,
					  0x2101, 0xa103, 0x2104, 0xa105, 0x2106, 0xc045,
					  0xc052, 0x0201, 0x0203, 0x8200, 0x4040, 0xa1fe };
	uint8_t which = take8(in);
	uint16_t request =
	    which < 0x80 ? known[which % (sizeof(known) / sizeof(known[0]))] : take16(in);
	const uint8_t *bytes = nullptr;
	size_t len = 0;
	struct usb_redir_control_packet_header h = {
		.endpoint = request >> 8 & 0x80,
		.request = (uint8_t)request,
		.requesttype = (uint8_t)(request >> 8),
		.value = take16(in),
		.index = take8(in),
	};

	if (h.endpoint) {
		h.length = take16(in);
	} else {
		len = take(in, &bytes, take8(in));
		h.length = (uint16_t)len;
	}
	packet_say(p, usb_redir_control_packet, take8(in), &h, sizeof(h), bytes, len);
}

static void bulk_say(struct peer *p, struct input *in)
{
	struct usb_redir_bulk_packet_header h = { .endpoint = take8(in) };
	const uint8_t *bytes = nullptr;
	size_t len = 0;

	if (h.endpoint & 0x80) {
		h.length = take16(in);
	} else {
		len = take(in, &bytes, take16(in) % 4096);
		h.length = (uint16_t)len;
	}
	packet_say(p, usb_redir_bulk_packet, take8(in), &h, sizeof(h), bytes, len);
}

static void mux_say(struct peer *p, struct input *in)
{
	struct usb_redir_bulk_packet_header h = { .endpoint = MUX_EP_OUT };
	BUF_AUTO packet = {};

	add_mux_packet(in, &packet);
	h.length = (uint16_t)packet.len;
	packet_say(p, usb_redir_bulk_packet, take8(in), &h, sizeof(h), packet.bytes, packet.len);
}

static void small_say(struct peer *p, struct input *in)
{
	static const struct {
		uint8_t type, len;
	} kinds[] = {
		{ usb_redir_reset, 0 },
		{ usb_redir_set_configuration, 1 },
		{ usb_redir_get_configuration, 0 },
		{ usb_redir_set_alt_setting, 2 },
		{ usb_redir_get_alt_setting, 1 },
		{ usb_redir_start_interrupt_receiving, 1 },
		{ usb_redir_stop_interrupt_receiving, 1 },
		{ usb_redir_cancel_data_packet, 0 },
		{ usb_redir_device_disconnect_ack, 0 },
	};
	unsigned kind = take8(in) % (sizeof(kinds) / sizeof(kinds[0]));
	uint8_t bytes[2] = { take8(in), take8(in) };

	packet_say(p, kinds[kind].type, bytes[0], bytes, kinds[kind].len, nullptr, 0);
}

static void act(struct peer *p, struct input *in)
{
	const uint8_t *bytes;
	size_t len;

	switch (take8(in) % 9) {
	case 0:
	case 1:
		control_say(p, in);
		return;
	case 2:
		bulk_say(p, in);
		return;
	case 3:
	case 4:
		mux_say(p, in);
		return;
	case 5:
		small_say(p, in);
		return;
	case 6:
		rig_turn(&p->rig, take8(in) * 8);
		rig_drain(p->fd);
		return;
	case 7:
		rig_gesture(&p->rig, take8(in));
		rig_turn(&p->rig, 0);
		return;
	case 8:
		len = take(in, &bytes, take8(in));
		peer_say(p, bytes, len);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sockaddr_un address;
	static int listening = -1;
	static FILE *log;
	struct input in = { data, data + size };
	struct door_usbredir *door;
	struct peer p;

	if (listening < 0) {
		listening = listener(&address);
		log = fopen("/dev/null", "we");
	}
	rig_phone(&p.rig, &in, log);
	door =
	    door_usbredir_new(&p.rig.loop, &p.rig.phone.usb, &p.rig.phone.log, address.sun_path, 0);
	p.fd = accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
	greet(&p);
	while (in.at < in.end && !p.rig.loop.quit)
		act(&p, &in);
	rig_turn(&p.rig, 5000);
	close(p.fd);
	rig_turn(&p.rig, 0);
	door_usbredir_free(door);
	phone_done(&p.rig.phone);
	return 0;
}
