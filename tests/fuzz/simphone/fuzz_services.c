/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The services of the running system, opened directly: what stands behind pairing and TLS on a real
 * way is reached by the first byte. Up to eight connections through ports.c, so that faults strike
 * them too; one kind is lockdownd with a session that is trusted already, and on an old system the
 * services it starts speak plainly.
 */
#include "bed.h"

#include "bed_host.h"
#include "lines.h"
#include "lockdown_verbs.h"
#include "services/afc.h"
#include "services/diagnostics_relay.h"
#include "services/heartbeat.h"
#include "services/notification_proxy.h"
#include "words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AFC_HEADER = 40 };

static const char *const settings[] = {
	"seed=1",
	"passcode=yes",
	"trust=silent",
	"trust=escrow",
	"version=12.5.7",
	"version=12.5.7",
	"version=9.3.5",
	"lockdown_reply=binary",
	"lockdown_reply=split",
	"lockdown_reply=long",
	"afc_locked=yes",
	"afc_unreadable=DCIM/100APPLE/IMG_0001.HEIC",
	"disk_bytes=100",
	"service_limit=2",
	"forgets_host=1",
	"service=close",
	"service=tls_fails",
	"tls=no_handshake",
	"fault=afc got data delay:50",
	"fault=afc sent message 2 cut",
	"fault=afc sent message 3 drop",
	"fault=afc sent data garbage",
	"fault=diagnostics_relay got message 2 error:Busy",
	"fault=notification_proxy sent message 1 cut",
	"fault=lockdown sent message 1 cut",
	"fault=lockdown got message 2 delay:30",
	"fault=heartbeat sent message 1 reset",
	"fault=afc got message 2 reboot",
	"fault=afc got byte 60 unplug",
	"lockdown_reply=endless",
	"lockdown_reply=wrong_types",
	"lockdown_reply=truncated",
	"device_key=wrong_type",
	"escrow_bag=huge",
	"forget_after_ms=20",
	"trust=no_dialog",
	"blink_every_ms=30",
	"fault=afc got byte 60 delay:50",
};

/* ---- connections ---- */

static plist_t computers_record(void)
{
	static plist_t record;
	struct bed *b;
	struct computer *c;

	if (record)
		return record;
	b = BED("trust=silent");
	c = computer_trusted(b, "HOST-1");
	record = computer_record(c);
	computer_free(c);
	bed_free(b);
	return record;
}

/* lockdownd, whose session with the computer is open, without TLS. */
static struct service *session_open(struct phone *phone, void *user, const struct stream *stream)
{
	struct ports *ports = &phone->ports;
	struct lockdown *l = nullptr;

	for (unsigned i = 0; i < ports->count; i++)
		if (ports->listeners[i].port == LOCKDOWN_PORT)
			l = (struct lockdown *)ports->listeners[i].open(phone, nullptr, stream);
	assert_non_null(l);
	l->session = SESSION_OPEN;
	l->record = plist_copy(computers_record());
	snprintf(l->host_id, sizeof(l->host_id), "HOST-1");
	snprintf(l->session_id, sizeof(l->session_id), "SESSION");
	return &l->plist.service;
}

static uint16_t port_take(struct party *p, uint8_t kind, bool *ret_afc)
{
	static const struct {
		const char *conversation;
		service_open_fn open;
	} kinds[] = {
		{ "afc", afc_open },
		{ "diagnostics_relay", diagnostics_relay_open },
		{ "notification_proxy", notification_proxy_open },
		{ "heartbeat", heartbeat_open },
		{ "lockdown", session_open },
	};
	struct ports *ports = &p->bed->phone.ports;

	*ret_afc = kind == 0;
	if (p->bed->phone.mode != MODE_NORMAL || kind == 5)
		return LOCKDOWN_PORT;
	if (kind >= 6) /* what was started */
		return ports->listeners[kind % ports->count].port;
	return ports_listen(ports, 0, kinds[kind].conversation, kinds[kind].open, nullptr);
}

static void line_open(struct party *p, struct line *l, uint8_t kind)
{
	uint16_t port;

	line_free(l);
	if (!p->bed->phone.usb.shape)
		return;
	port = port_take(p, kind % 16, &l->afc);
	line_connect(p, l, port);
}

/* ---- what is said ---- */

static void add_le64(struct buf *to, uint64_t number)
{
	uint8_t bytes[8];

	put_le32(bytes, (uint32_t)number);
	put_le32(bytes + 4, (uint32_t)(number >> 32));
	buf_add(to, bytes, sizeof(bytes));
}

static void add_path(struct input *in, struct buf *to)
{
	static const char *const paths[] = {
		"/",
		"DCIM/100APPLE/IMG_0001.HEIC",
		"DCIM/100APPLE",
		"Downloads/empty.txt",
		"a",
		"a/b",
		"b",
		"DCIM/../x",
		"Books/caf\xc3\xa9 \xe2\x98\x95.epub",
		"PhotoData/Photos.sqlite",
		"com.apple.itunes.lock_sync",
		"",
	};
	uint8_t which = take8(in);
	const uint8_t *bytes;
	size_t len;

	if (which < 0xd0) {
		buf_add_text(to, paths[which % (sizeof(paths) / sizeof(paths[0]))]);
	} else {
		len = take(in, &bytes, which - 0xd0u);
		buf_add(to, bytes, len);
	}
	if (which % 16 != 15) /* some forget the NUL */
		buf_add(to, "", 1);
}

/* An afc packet: numbers, a text or two, raw bytes; its lengths are right unless @flags say so. */
static void add_afc(struct input *in, struct buf *to)
{
	uint8_t operation = take8(in) % 0x28, flags = take8(in);
	const uint8_t *bytes;
	BUF_AUTO body = {};
	size_t len;

	for (unsigned i = 0; i < (flags & 3); i++) {
		uint8_t number = take8(in);

		add_le64(&body,
			 number < 0xf0 ? number % 8 : (uint64_t)(int64_t)(int32_t)take32(in));
	}
	if (flags & 4)
		add_path(in, &body);
	if (flags & 8)
		add_path(in, &body);
	if (flags & 0x10) {
		len = take(in, &bytes, take8(in));
		buf_add(&body, bytes, len);
	}
	buf_add(to, flags == 0xff ? "CFA6LPAB" : "CFA6LPAA", 8);
	add_le64(to, flags >= 0xf8 ? take32(in) : AFC_HEADER + body.len);
	add_le64(to, flags >= 0xf0 ? take32(in) : AFC_HEADER + (flags & 0x20 ? 8 : body.len));
	add_le64(to, 1);
	add_le64(to, operation);
	buf_add(to, body.bytes, body.len);
}

/* A Pair with the computer's real record: only the dialog decides. */
static void add_pair(struct input *in, struct buf *to)
{
	plist_t request = plist_new_dict();
	uint8_t flags = take8(in);
	char *xml = nullptr;
	uint32_t len = 0;

	plist_dict_set_item(request, "Request",
			    plist_new_string(flags & 1   ? "Unpair"
					     : flags & 2 ? "ValidatePair"
							 : "Pair"));
	plist_dict_set_item(request, "PairRecord", plist_copy(computers_record()));
	if (flags & 4)
		plist_to_bin(request, &xml, &len);
	else
		plist_to_xml(request, &xml, &len);
	plist_free(request);
	add_framed(to, &(struct buf){ .bytes = (uint8_t *)xml, .len = len }, false);
	plist_mem_free(xml);
}

static void message_say(struct party *p, struct line *l, struct input *in, uint8_t kind)
{
	const uint8_t *bytes;
	BUF_AUTO message = {};
	size_t len;

	if (kind == 0) {
		add_pair(in, &message);
	} else if (kind == 1) {
		len = take(in, &bytes, take8(in));
		buf_add(&message, bytes, len);
	} else if (l->afc) {
		add_afc(in, &message);
	} else {
		add_request(in, &message);
	}
	if (kind == 2) /* in two pieces */
		line_say(p, l, message.bytes, message.len / 2);
	len = kind == 2 ? message.len / 2 : 0;
	if (len < message.len)
		line_say(p, l, message.bytes + len, message.len - len);
}

static void hand(struct party *p, uint8_t which)
{
	struct trust *t = &p->bed->phone.trust;
	const char *why;

	switch (which % 8) {
	case 0:
		trust_tap(t, which & 0x80, &why);
		break;
	case 1:
		trust_lock(t, &why);
		break;
	case 2:
		trust_unlock(t, &why);
		break;
	case 3:
		trust_type(t, &why);
		break;
	case 4:
		phone_unplug(&p->bed->phone);
		break;
	case 5:
		phone_plug(&p->bed->phone);
		break;
	case 6:
		trust_forget_all(t);
		break;
	case 7:
		phone_press(&p->bed->phone, "restart");
		break;
	}
	lines_reap(p);
}

static void act(struct party *p, struct input *in)
{
	uint8_t what = take8(in);
	struct line *l = &p->lines[what >> 5];

	switch (what % 16) {
	case 0:
	case 1:
		line_open(p, l, take8(in));
		return;
	case 2:
		timers_run(&p->bed->timers, p->bed->timers.now_ms + take8(in) * 64u);
		lines_reap(p);
		return;
	case 3:
		hand(p, take8(in));
		return;
	case 4:
		line_free(l);
		return;
	case 5:
	case 6:
	case 7:
		message_say(p, l, in, what % 16 - 5);
		return;
	default:
		message_say(p, l, in, 3);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	const char *setting = settings[take8(&in) % (sizeof(settings) / sizeof(settings[0]))];
	struct party p = {};

	computers_record();
	p.bed = BED(setting, "gap_ms=100", "boot_ms=200", "clock_s=1750000000");
	line_open(&p, &p.lines[0], take8(&in));
	while (in.at < in.end)
		act(&p, &in);
	timers_run(&p.bed->timers, p.bed->timers.now_ms + 20000);
	lines_reap(&p);
	lines_free(&p);
	bed_free(p.bed);
	return 0;
}
