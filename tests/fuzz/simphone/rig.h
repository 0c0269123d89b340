/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the fuzz targets of the doors share: a phone with a made-up clock, the program's loop driven
 * by hand, and bytes taken off the input. A target plays a host that has lost its mind; die() and
 * the sanitizers tell when the phone did too.
 */
#pragma once

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"
#include "phone.h"

struct input {
	const uint8_t *at, *end;
};

static inline uint8_t take8(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static inline uint16_t take16(struct input *in)
{
	uint8_t low = take8(in);

	return (uint16_t)(low | take8(in) << 8);
}

/* Up to @len bytes; returns how many there were. */
static inline size_t take(struct input *in, const uint8_t **ret_bytes, size_t len)
{
	if (len > (size_t)(in->end - in->at))
		len = (size_t)(in->end - in->at);
	*ret_bytes = in->at;
	in->at += len;
	return len;
}

struct rig {
	struct loop loop;
	struct phone phone;
};

/* Two bytes of the input choose the phone: its mode, and one setting that matters. */
static inline void rig_phone(struct rig *h, struct input *in, FILE *log)
{
	static const char *const settings[][2] = {
		{ "seed", "1" },
		{ "speed", "full" },
		{ "body", "disk" },
		{ "body", "keyboard" },
		{ "mode_switch_needed", "yes" },
		{ "one_config", "yes" },
		{ "delay_ep_ms", "40" },
		{ "bulk_short", "7" },
		{ "serial_timeout", "1500" },
		{ "drop_after_bytes", "400" },
		{ "reenum_twice", "yes" },
		{ "mux_version", "1" },
		{ "mux_no_ack", "yes" },
		{ "mux_mss", "3" },
		{ "mux_split_prefix", "no" },
		{ "mux_oversize", "3" },
		{ "fault", "mux got data delay:50" },
		{ "fault", "mux sent data cut" },
		{ "fault", "lockdown sent message 2 garbage" },
		{ "fault", "lockdown got byte 300 delay:70" },
		{ "fault", "dfu got byte 30 garbage" },
		{ "fault", "recovery got message 3 reset" },
		{ "fault", "recovery got byte 30 cut" },
		{ "fault", "normal got message 2 silence" },
	};
	const char *const *setting;
	struct scenario s;
	char why[256];

	scenario_init(&s);
	s.mode = (enum mode)(take8(in) % (MODE_DEBUG_USB + 1));
	setting = settings[take8(in) % (sizeof(settings) / sizeof(settings[0]))];
	if (scenario_set(&s, setting[0], setting[1], why, sizeof(why)) < 0) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	s.gap_ms = 100;
	s.boot_ms = 200;
	loop_init(&h->loop);
	h->loop.timers.now_ms = 0;
	phone_init(&h->phone, &s, &h->loop.timers, log);
	phone_start(&h->phone);
}

/* Lets @ms pass and hands every ready descriptor to its watcher, until none is ready. */
static inline void rig_turn(struct rig *h, uint64_t ms)
{
	bool busy = true;

	timers_run(&h->loop.timers, h->loop.timers.now_ms + ms);
	for (unsigned rounds = 0; busy && rounds < 64 && !h->loop.quit; rounds++) {
		busy = false;
		for (unsigned i = 0; i < LOOP_WATCHES && !h->loop.quit; i++) {
			struct watch *w = &h->loop.watches[i];
			struct pollfd fd = { .fd = w->fd, .events = w->events };

			if (w->fd < 0 || poll(&fd, 1, 0) <= 0)
				continue;
			busy |= (fd.revents & ~POLLOUT) != 0;
			w->fn(w->user, fd.revents);
		}
	}
}

/* The user's hand. */
static inline void rig_gesture(struct rig *h, uint8_t which)
{
	switch (which % 6) {
	case 0:
		phone_unplug(&h->phone);
		return;
	case 1:
		phone_plug(&h->phone);
		return;
	case 2:
		phone_press(&h->phone, "restart");
		return;
	case 3:
		phone_press(&h->phone, "recovery");
		return;
	case 4:
		phone_press(&h->phone, "dfu");
		return;
	case 5:
		phone_leave(&h->phone, MODE_RESTORE, 0, "fuzz");
		return;
	}
}

/* One of the requests that lockdownd and restored know, framed; now and then with nonsense in it.
 */
static inline void add_request(struct input *in, struct buf *to)
{
	static const char *const names[] = {
		"QueryType",    "GetValue",      "SetValue",       "RemoveValue",  "Pair",
		"ValidatePair", "Unpair",        "ResetPairing",   "StartSession", "StopSession",
		"StartService", "EnterRecovery", "Goodbye",        "QueryValue",   "StartRestore",
		"Reboot",       "Activate",      "GetSessionInfo",
	};
	static const char *const keys[] = { "Key",      "Domain", "Service",    "HostID",
					    "QueryKey", "Value",  "PairRecord", "SessionID" };
	static const char *const values[] = {
		"DeviceName",
		"com.apple.disk_usage",
		"com.apple.mobile.insecure_notification_proxy",
		"com.apple.afc",
		"com.apple.mobile.diagnostics_relay",
		"HardwareInfo",
		"",
		"\xc3\xbc&lt;",
	};
	uint8_t flags = take8(in), prefix[4];
	BUF_AUTO body = {};

	buf_addf(&body, "<plist><dict><key>Request</key><string>%s</string>",
		 names[take8(in) % (sizeof(names) / sizeof(names[0]))]);
	for (unsigned i = 0; i < (flags & 3); i++)
		buf_addf(&body, "<key>%s</key><%s>%s</%s>",
			 keys[take8(in) % (sizeof(keys) / sizeof(keys[0]))],
			 flags & 4 ? "data" : "string",
			 values[take8(in) % (sizeof(values) / sizeof(values[0]))],
			 flags & 4 ? "data" : "string");
	buf_add_text(&body, "</dict></plist>");
	put_be32(prefix, (uint32_t)body.len + (flags & 0x80 ? 1 : 0));
	buf_add(to, prefix, sizeof(prefix));
	buf_add(to, body.bytes, body.len);
}

/* A packet of the mux as usbmuxd makes it, with ports and flags of the input's choice. */
static inline void add_mux_packet(struct input *in, struct buf *to)
{
	static const uint8_t flags[] = { 0x02, 0x10, 0x10, 0x04, 0x12, 0x18, 0x11, 0 };
	uint8_t kind = take8(in), header[36] = {};
	size_t head = 16;
	const uint8_t *bytes = nullptr;
	BUF_AUTO body = {};

	put_be32(header, kind & 0x40 ? MUX_SETUP : kind & 0x80 ? MUX_VERSION : MUX_TCP);
	put_be32(header + 8, 0xfeedface);
	if (!(kind & 0xc0)) {
		head = 36;
		put_be16(header + 16, kind >> 4 & 3);
		put_be16(header + 18,
			 kind & 8 ? (uint16_t)(PORT_EPHEMERAL_FIRST + (kind >> 4 & 3)) : 62078);
		header[28] = 0x50;
		header[29] = flags[kind & 7];
	}
	if (kind & 0x80) { /* version: the short header, 12 bytes */
		head = 8;
		buf_add(&body, (const uint8_t[12]){ 0, 0, 0, 2 }, 12);
	} else if (kind & 1) {
		add_request(in, &body);
	} else {
		size_t len = take(in, &bytes, take8(in));

		buf_add(&body, bytes, len);
	}
	put_be32(header + 4, (uint32_t)(head + body.len));
	buf_add(to, header, head);
	buf_add(to, body.bytes, body.len);
}
