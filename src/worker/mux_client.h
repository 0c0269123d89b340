/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * usbmuxd's socket as a listener: connect, say Listen, take what it tells. libusbmuxd has this too,
 * but wakes up every second while usbmuxd is away, hides whether it is there, and drops the
 * LocationID (libusbmuxd 2.1.1 src/libusbmuxd.c). Wire format: device-protocols.md §3.3.
 */
#include <stddef.h>
#include <stdint.h>

/* usbmuxd's messages are a few hundred bytes; the ceiling is ours. */
enum { MUX_MESSAGE_BYTES_MAX = 64 * 1024, MUX_UDID_BYTES = 44 };

enum mux_connection { MUX_USB, MUX_NETWORK };

struct mux_phone {
	uint32_t mux_id;
	uint32_t location; /* bus << 16 | address, 0 unknown */
	uint16_t product_id;
	enum mux_connection connection;
	char udid[MUX_UDID_BYTES]; /* with its hyphen; valid UTF-8 */
};

enum mux_message_type {
	MUX_RESULT,
	MUX_ATTACHED,
	MUX_DETACHED,
	MUX_PAIRED, /* it has got a record of the phone with mux_id */
	MUX_OTHER,  /* nothing that a watcher needs: an entry without a UDID */
};

struct mux_message {
	enum mux_message_type type;
	uint32_t number;        /* of a result: 0 is success */
	uint32_t mux_id;        /* of a detached or paired phone */
	struct mux_phone phone; /* of an attached one */
};

/* The n bytes of a property list as a message. Returns 0, or -EBADMSG if it is none. */
int mux_message_parse(const char *bytes, size_t n, struct mux_message *ret);

/*
 * Path of usbmuxd's socket: USBMUXD_SOCKET_ADDRESS ("UNIX:PATH") or its usual place. Borrowed.
 * NULL for an address that is no UNIX socket.
 */
const char *mux_socket_path(void);

struct mux_client;

/* libusbmuxd's own limit for an answer. */
enum { MUX_ANSWER_MS = 5000 };

/*
 * Connects and asks to be told. Where usbmuxd's queue is full, which holds five (usbmuxd 1.1.1
 * src/main.c), waits up to wait_ms for a place: others wait in turn, so that one who only looks
 * now and then finds none. Returns 0 or a negative errno: -EAGAIN when there was no place,
 * -ENOENT, -ECONNREFUSED, -EACCES when usbmuxd is not (yet) there.
 */
int mux_client_new(const char *path, unsigned wait_ms, struct mux_client **ret);
struct mux_client *mux_client_free(struct mux_client *client);
static inline void mux_client_freep(struct mux_client **p)
{
	mux_client_free(*p);
}

/* To wait on for input; belongs to the client. */
int mux_client_fd(const struct mux_client *client);

/* Reads once. Returns the bytes read, 0 when usbmuxd has ended, -EAGAIN, or another negative errno.
 * Call mux_client_next() until it returns 0 before filling again. */
int mux_client_fill(struct mux_client *client);

/* Takes the next whole message: 1; 0 when there is none yet; -EBADMSG for bytes that are none,
 * after which the client is of no more use. */
int mux_client_next(struct mux_client *client, struct mux_message *ret);
