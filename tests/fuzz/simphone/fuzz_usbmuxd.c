/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The usbmuxd door: up to four clients that send messages of both forms, connect to ports, and then
 * speak to what listens there; or raw bytes.
 */
#include "doors/door_usbmuxd.h"
#include "rig.h"

#include <dirent.h>
#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEERS = 4 };

struct party {
	struct rig rig;
	struct sockaddr_un address;
	int fds[PEERS]; /* -1: not connected */
};

static void turn(struct party *h, uint64_t ms)
{
	rig_turn(&h->rig, ms);
	for (unsigned i = 0; i < PEERS; i++) {
		if (h->fds[i] < 0 || rig_drain(h->fds[i]))
			continue;
		close(h->fds[i]);
		h->fds[i] = -1;
	}
}

static void say(struct party *h, unsigned i, const void *bytes, size_t len)
{
	if (h->fds[i] < 0) {
		h->fds[i] = rig_connect(&h->address);
		turn(h, 0);
	}
	if (h->fds[i] >= 0)
		send(h->fds[i], bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	turn(h, 0);
}

static void message_say(struct party *h, unsigned i, uint32_t version, uint32_t message,
			const struct buf *body)
{
	uint8_t header[16];
	BUF_AUTO all = {};

	put_le32(header, (uint32_t)(sizeof(header) + body->len));
	put_le32(header + 4, version);
	put_le32(header + 8, message);
	put_le32(header + 12, 7);
	buf_add(&all, header, sizeof(header));
	buf_add(&all, body->bytes, body->len);
	say(h, i, all.bytes, all.len);
}

static uint16_t port_take(struct party *h, struct input *in)
{
	const struct ports *ports = &h->rig.phone.ports;
	uint8_t which = take8(in);

	return which < 0x80   ? 62078
	       : which < 0xf0 ? (ports->count ? ports->listeners[which % ports->count].port : 0)
			      : take16(in);
}

static void connect_say(struct party *h, struct input *in, unsigned i)
{
	uint8_t form = take8(in), binary[8] = {};
	uint16_t port = port_take(h, in);
	uint32_t phone = form < 0xf0 ? h->rig.phone.boots : form;
	BUF_AUTO body = {};

	if (form & 1) {
		put_le32(binary, phone);
		put_be16(binary + 4, port);
		buf_add(&body, binary, form & 2 ? 7 : 8);
		message_say(h, i, 0, 2, &body);
		return;
	}
	buf_addf(&body,
		 "<plist><dict><key>MessageType</key><string>Connect</string>"
		 "<key>DeviceID</key><integer>%u</integer>"
		 "<key>PortNumber</key><integer>%u</integer></dict></plist>",
		 phone, (unsigned)(port >> 8 | (port & 0xff) << 8));
	message_say(h, i, 1, 8, &body);
}

static void list_say(struct party *h, struct input *in, unsigned i)
{
	uint8_t form = take8(in);
	BUF_AUTO body = {};

	add_list(in, &body, "MessageType");
	message_say(h, i, form & 3 ? 1 : take8(in), form & 0x0c ? 8 : take8(in), &body);
}

/* A record under the phone's own name or another, of words or raw bytes. */
static void record_say(struct party *h, struct input *in, unsigned i)
{
	static const char *const names[] = { "SavePairRecord", "ReadPairRecord",
					     "DeletePairRecord" };
	uint8_t form = take8(in);
	const uint8_t *bytes;
	size_t len;
	BUF_AUTO record = {};
	BUF_AUTO body = {};

	if (form & 4) {
		add_list(in, &record, nullptr);
	} else {
		len = take(in, &bytes, take8(in));
		buf_add(&record, bytes, len);
	}
	buf_addf(&body,
		 "<plist><dict><key>MessageType</key><string>%s</string>"
		 "<key>PairRecordID</key><string>%s</string>"
		 "<key>DeviceID</key><integer>1</integer><key>PairRecordData</key>",
		 names[form % 3],
		 form & 8 ? h->rig.phone.identity.udid : "00008110-000123456789001E");
	add_data_node(&body, record.bytes, record.len);
	buf_add_text(&body, "</dict></plist>");
	message_say(h, i, 1, 8, &body);
}

static void act(struct party *h, struct input *in)
{
	uint8_t what = take8(in);
	unsigned i = what >> 6;
	const uint8_t *bytes;
	BUF_AUTO body = {};
	size_t len;

	switch (what % 10) {
	case 0:
	case 1:
		connect_say(h, in, i);
		return;
	case 2:
		list_say(h, in, i);
		return;
	case 3:
	case 4:
		add_request(in, &body);
		say(h, i, body.bytes, body.len);
		return;
	case 5:
		record_say(h, in, i);
		return;
	case 6:
		turn(h, take8(in) * 8);
		return;
	case 7:
		rig_gesture(&h->rig, take8(in));
		turn(h, 0);
		return;
	case 8:
		len = take(in, &bytes, take8(in));
		say(h, i, bytes, len);
		return;
	case 9:
		if (h->fds[i] >= 0)
			close(h->fds[i]);
		h->fds[i] = -1;
		turn(h, 0);
		return;
	}
}

/* The next input finds no record of this one. */
static void records_clear(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (*entry->d_name != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *log;
	struct input in = { data, data + size };
	struct party h = { .fds = { -1, -1, -1, -1 } };
	struct sockaddr_un records;
	struct door_usbmuxd *door;

	if (!log)
		log = fopen("/dev/null", "we");
	rig_address(&h.address, "usbmuxd", ".sock");
	rig_address(&records, "usbmuxd", ".records");
	rig_phone(&h.rig, &in, log);
	door = door_usbmuxd_new(&h.rig.loop, &h.rig.phone, h.address.sun_path, records.sun_path);
	while (in.at < in.end && !h.rig.loop.quit)
		act(&h, &in);
	turn(&h, 5000);
	for (unsigned i = 0; i < PEERS; i++)
		if (h.fds[i] >= 0)
			close(h.fds[i]);
	if (size % 2) /* the phone may also go first */
		rig_turn(&h.rig, 0);
	door_usbmuxd_free(door);
	phone_done(&h.rig.phone);
	records_clear(records.sun_path);
	rmdir(records.sun_path);
	return 0;
}
