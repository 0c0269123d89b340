/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The libusb door: up to four connections that watch, open the phone and send frames, well formed
 * in their heads at least, or raw bytes.
 */
#include "doors/door_libusb.h"
#include "doors/libusb_wire.h"
#include "rig.h"

#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEERS = 4 };

struct party {
	struct rig rig;
	struct sockaddr_un address;
	int fds[PEERS]; /* -1: not connected */
	uint32_t ids;
};

static void peers_drain(struct party *h)
{
	for (unsigned i = 0; i < PEERS; i++) {
		if (h->fds[i] < 0 || rig_drain(h->fds[i]))
			continue;
		close(h->fds[i]);
		h->fds[i] = -1;
	}
}

static void turn(struct party *h, uint64_t ms)
{
	rig_turn(&h->rig, ms);
	peers_drain(h);
}

static int peer_fd(struct party *h, unsigned i)
{
	if (h->fds[i] < 0) {
		h->fds[i] = rig_connect(&h->address);
		turn(h, 0);
	}
	return h->fds[i];
}

static void say(struct party *h, unsigned i, const void *bytes, size_t len)
{
	int fd = peer_fd(h, i);

	if (fd >= 0)
		send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	turn(h, 0);
}

static void frame_say(struct party *h, unsigned i, struct wire_head head, const struct buf *body)
{
	BUF_AUTO all = {};

	head.length = (uint32_t)body->len;
	buf_add(&all, &head, sizeof(head));
	buf_add(&all, body->bytes, body->len);
	say(h, i, all.bytes, all.len);
}

/* The address of the enumeration, as a watcher is told: it counts from 2. */
static void open_say(struct party *h, struct input *in, unsigned i)
{
	uint8_t address = take8(in);
	BUF_AUTO nothing = {};

	frame_say(
	    h, i,
	    (struct wire_head){ .word = WIRE_OPEN, .id = ++h->ids, .a = address ? address : 2 },
	    &nothing);
}

static void control_say(struct party *h, struct input *in, unsigned i)
{
	static const uint16_t known[] = { 0x8006, 0x4000, 0x4001, 0xc000, 0x4100, 0x2101, 0xa103,
					  0x2104, 0xa105, 0x2106, 0xc045, 0xc052, 0x0201, 0x4040 };
	uint8_t which = take8(in), setup[WIRE_SETUP];
	uint16_t request =
	    which < 0x80 ? known[which % (sizeof(known) / sizeof(known[0]))] : take16(in);
	const uint8_t *bytes = nullptr;
	size_t len = request & 0x8000 ? 0 : take(in, &bytes, take8(in));
	BUF_AUTO body = {};

	setup[0] = (uint8_t)(request >> 8);
	setup[1] = (uint8_t)request;
	put_le16(setup + 2, take16(in));
	put_le16(setup + 4, take8(in));
	put_le16(setup + 6, request & 0x8000 ? take16(in) % 4097 : (uint16_t)len);
	buf_add(&body, setup, sizeof(setup));
	buf_add(&body, bytes, len);
	frame_say(h, i, (struct wire_head){ .word = WIRE_CONTROL, .id = ++h->ids }, &body);
}

static void out_say(struct party *h, struct input *in, unsigned i)
{
	uint8_t kind = take8(in);
	const uint8_t *bytes;
	BUF_AUTO body = {};

	if (kind & 1) {
		add_mux_packet(in, &body);
	} else {
		size_t len = take(in, &bytes, take16(in) % 2048);

		buf_add(&body, bytes, len);
	}
	frame_say(h, i,
		  (struct wire_head){
		      .word = WIRE_OUT, .id = ++h->ids, .a = kind & 2 ? take8(in) : MUX_EP_OUT },
		  &body);
}

/* Any word, small numbers: claims, configurations, cancels of what is under way. */
static void small_say(struct party *h, struct input *in, unsigned i)
{
	struct wire_head head = { .word = (enum wire_word)(take8(in) % (WIRE_RESET + 2)) };
	BUF_AUTO nothing = {};

	head.id = h->ids - take8(in) % 4;
	head.a = take8(in);
	head.b = head.a >> 4;
	if (head.word != WIRE_CANCEL)
		head.id = ++h->ids;
	if (head.word == WIRE_IN)
		head.number = take16(in) * 32;
	frame_say(h, i, head, &nothing);
}

static void act(struct party *h, struct input *in)
{
	uint8_t what = take8(in);
	unsigned i = what >> 6;
	const uint8_t *bytes;
	size_t len;

	switch (what % 10) {
	case 0:
	case 1:
		control_say(h, in, i);
		return;
	case 2:
		out_say(h, in, i);
		return;
	case 3:
	case 4:
	case 5:
		small_say(h, in, i);
		return;
	case 6:
		open_say(h, in, i);
		return;
	case 7:
		turn(h, take8(in) * 8);
		return;
	case 8:
		rig_gesture(&h->rig, take8(in));
		turn(h, 0);
		return;
	case 9:
		len = take(in, &bytes, take8(in) & 0x7f);
		if (len > 0) {
			say(h, i, bytes, len);
		} else if (h->fds[i] >= 0) {
			close(h->fds[i]);
			h->fds[i] = -1;
			turn(h, 0);
		}
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *log;
	struct input in = { data, data + size };
	struct party h = { .fds = { -1, -1, -1, -1 } };
	struct sockaddr_un folder;
	struct door_libusb *door;

	if (!log)
		log = fopen("/dev/null", "we");
	rig_address(&folder, "libusb", "");
	rig_address(&h.address, "libusb", "/bus-001.sock");
	mkdir(folder.sun_path, 0700);
	rig_phone(&h.rig, &in, log);
	door = door_libusb_new(&h.rig.loop, &h.rig.phone.usb, &h.rig.phone.log, folder.sun_path);
	while (in.at < in.end && !h.rig.loop.quit)
		act(&h, &in);
	turn(&h, 5000);
	for (unsigned i = 0; i < PEERS; i++)
		if (h.fds[i] >= 0)
			close(h.fds[i]);
	if (size % 2) /* the phone may also go first */
		rig_turn(&h.rig, 0);
	door_libusb_free(door);
	phone_done(&h.rig.phone);
	rmdir(folder.sun_path);
	return 0;
}
