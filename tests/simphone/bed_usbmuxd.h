/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Test bed of the usbmuxd door: one phone, real sockets in a folder of its own, a made-up clock and
 * a loop that is turned by hand. Included by test_usbmuxd.c.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <plist/plist.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "doors/door_usbmuxd.h"

enum { LOCKDOWN = 62078, HEADER = 16, CLIENTS = 64 };

struct mux_bed {
	struct loop loop;
	struct phone phone;
	struct door_usbmuxd *door;
	char folder[64], socket[96];
};

struct frame {
	uint32_t version, message, tag;
	uint8_t body[4096];
	size_t len;
};

/* ---- the bed ---- */

static inline struct mux_bed *bed_new(const char *settings)
{
	struct mux_bed *b = calloc(1, sizeof(*b));
	char copy[256], why[256], *rest = copy;
	struct scenario s;

	scenario_init(&s);
	snprintf(copy, sizeof(copy), "%s", settings);
	for (char *word; (word = strtok_r(rest, " ", &rest));) {
		char *equals = strchr(word, '=');

		*equals = '\0';
		assert_int_equal(scenario_set(&s, word, equals + 1, why, sizeof(why)), 0);
	}
	loop_init(&b->loop);
	b->loop.timers.now_ms = 0;
	snprintf(b->folder, sizeof(b->folder), "/tmp/simphone-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	snprintf(b->socket, sizeof(b->socket), "%s/mux", b->folder);
	phone_init(&b->phone, &s, &b->loop.timers, nullptr);
	phone_start(&b->phone);
	b->door = door_usbmuxd_new(&b->loop, &b->phone, b->socket, nullptr);
	return b;
}

static inline void bed_free(struct mux_bed *b)
{
	char command[128];

	door_usbmuxd_free(b->door);
	phone_done(&b->phone);
	assert_null(b->loop.timers.first);
	for (unsigned i = 0; i < LOOP_WATCHES; i++)
		assert_int_equal(b->loop.watches[i].fd, -1);
	snprintf(command, sizeof(command), "rm -r '%s'", b->folder);
	assert_int_equal(system(command), 0);
	free(b);
}

/* What is ready now, until nothing is. */
static inline void bed_turn(struct mux_bed *b)
{
	for (int turns = 0; turns < 1000; turns++) {
		struct pollfd fds[LOOP_WATCHES];
		bool due = timers_wait_ms(&b->loop.timers) == 0;

		timers_run(&b->loop.timers, b->loop.timers.now_ms);
		for (unsigned i = 0; i < LOOP_WATCHES; i++)
			fds[i] =
			    (struct pollfd){ b->loop.watches[i].fd, b->loop.watches[i].events, 0 };
		if (poll(fds, LOOP_WATCHES, 0) <= 0 && !due)
			return;
		for (unsigned i = 0; i < LOOP_WATCHES; i++) {
			struct watch *w = &b->loop.watches[i];

			if (fds[i].fd >= 0 && fds[i].revents && w->fd == fds[i].fd)
				w->fn(w->user, fds[i].revents);
		}
	}
	fail_msg("the loop never comes to rest");
}

static inline void bed_wait(struct mux_bed *b, uint64_t ms)
{
	timers_run(&b->loop.timers, b->loop.timers.now_ms + ms);
	bed_turn(b);
}

/* ---- a client ---- */

static inline int client_new(struct mux_bed *b)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", b->socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	bed_turn(b);
	return fd;
}

static inline void say(struct mux_bed *b, int fd, uint32_t version, uint32_t message,
		       const void *body, size_t len)
{
	uint8_t header[HEADER];

	put_le32(header, (uint32_t)(HEADER + len));
	put_le32(header + 4, version);
	put_le32(header + 8, message);
	put_le32(header + 12, 7);
	assert_int_equal(send(fd, header, HEADER, MSG_NOSIGNAL), HEADER);
	if (len > 0)
		assert_int_equal(send(fd, body, len, MSG_NOSIGNAL), len);
	bed_turn(b);
}

/* keys: inside of the dict, as XML */
static inline void say_plist(struct mux_bed *b, int fd, const char *keys)
{
	BUF_AUTO xml = {};

	buf_addf(&xml, "<plist version=\"1.0\"><dict>%s</dict></plist>", keys);
	say(b, fd, 1, 8, xml.bytes, xml.len);
}

#define KEY_TEXT(k, v)   "<key>" k "</key><string>" v "</string>"
#define KEY_NUMBER(k, v) "<key>" k "</key><integer>" v "</integer>"

static inline struct frame hear(int fd)
{
	uint8_t header[HEADER];
	struct frame f = {};

	assert_int_equal(recv(fd, header, HEADER, 0), HEADER);
	f.len = get_le32(header) - HEADER;
	f.version = get_le32(header + 4);
	f.message = get_le32(header + 8);
	f.tag = get_le32(header + 12);
	assert_true(f.len < sizeof(f.body));
	assert_int_equal(recv(fd, f.body, f.len, 0), f.len);
	return f;
}

/* That the next frame is a property list with @text in it. */
static inline void hear_text(int fd, uint32_t tag, const char *text)
{
	struct frame f = hear(fd);

	assert_int_equal(f.version, 1);
	assert_int_equal(f.message, 8);
	assert_int_equal(f.tag, tag);
	f.body[f.len] = '\0';
	if (!strstr((char *)f.body, text))
		fail_msg("no '%s' in %s", text, f.body);
}

static inline void hear_result(int fd, unsigned number)
{
	char text[64];

	snprintf(text, sizeof(text), "<key>Number</key>\n\t<integer>%u</integer>", number);
	hear_text(fd, 7, text);
}

static inline void assert_silent(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static inline void assert_ended(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	assert_true(got == 0 || (got < 0 && errno == ECONNRESET));
	close(fd);
}

static inline void say_connect(struct mux_bed *b, int fd, unsigned device, uint16_t port)
{
	char keys[256];

	snprintf(keys, sizeof(keys),
		 KEY_TEXT("MessageType", "Connect") KEY_NUMBER("DeviceID", "%u")
		     KEY_NUMBER("PortNumber", "%u"),
		 device, (unsigned)(port >> 8 | (port & 0xff) << 8));
	say_plist(b, fd, keys);
}

static const char query[] =
    "<plist version=\"1.0\"><dict>" KEY_TEXT("Request", "QueryType") "</dict>"
								     "</plist>";

static inline void query_put(struct buf *to)
{
	uint8_t prefix[4];

	put_be32(prefix, sizeof(query) - 1);
	buf_add(to, prefix, sizeof(prefix));
	buf_add(to, query, sizeof(query) - 1);
}

static inline void hear_query_type(int fd)
{
	uint8_t bytes[1024];
	ssize_t got = recv(fd, bytes, sizeof(bytes) - 1, 0);

	assert_true(got > 4);
	bytes[got] = '\0';
	assert_int_equal(get_be32(bytes), got - 4);
	assert_non_null(strstr((char *)bytes + 4, "com.apple.mobile.lockdown"));
}
