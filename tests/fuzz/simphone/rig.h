/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the fuzz targets of the doors share: a phone with a made-up clock, the program's loop driven
 * by hand, and bytes taken off the input. A target plays a host that has lost its mind; die() and
 * the sanitizers tell when the phone did too.
 */
#pragma once

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "input.h"
#include "loop.h"
#include "phone.h"
#include "words.h"

struct rig {
	struct loop loop;
	struct phone phone;
};

/* A listener's address in /tmp, this process's own. */
static inline void rig_address(struct sockaddr_un *address, const char *name, const char *more)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path), "/tmp/fuzz-%s-%d%s", name,
		 (int)getpid(), more);
}

static inline int rig_connect(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		perror(address->sun_path);
		abort();
	}
	return fd;
}

/* Reads what the phone said, so that its socket never fills; then returns false if it hung up. */
static inline bool rig_drain(int fd)
{
	uint8_t bytes[65536];
	ssize_t got;

	while ((got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		;
	return got < 0 && (errno == EAGAIN || errno == EINTR);
}

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
		{ "mux_connect_delay_ms", "30" },
		{ "visible_delay_ms", "60" },
		{ "mux_result", "3" },
		{ "mux_save_result", "22" },
		{ "trust", "silent" },
		{ "trust_after_ms", "20" },
		{ "version", "12.5.7" },
		{ "fault", "lockdown sent message 1 reset" },
		{ "fault", "lockdown got message 1 stall" },
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
	const char *why;

	switch (which % 12) {
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
	case 6:
		trust_tap(&h->phone.trust, which & 0x80, &why);
		return;
	case 7:
		trust_lock(&h->phone.trust, &why);
		return;
	case 8:
		trust_unlock(&h->phone.trust, &why);
		return;
	case 9:
		trust_set_passcode(&h->phone.trust, which & 0x80);
		return;
	case 10:
		trust_forget_all(&h->phone.trust);
		return;
	case 11:
		trust_type(&h->phone.trust, &why);
		return;
	}
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
