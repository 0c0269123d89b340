/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A service of the running system as a stream of bytes. Whoever carries the bytes (the mux of the
 * USB pipe, the usbmuxd socket, a TLS layer) owns the service and gives it a way back.
 *
 *     host ◀──▶ carrier ──feed──▶ connection (ports: counts, faults) ──feed──▶ service
 *                       ◀──send──                                    ◀──send──
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct tap;

/* The carrier's side. Each send() is one piece for carriers that keep pieces apart. */
struct stream {
	void (*send)(void *user, const void *bytes, size_t len);
	/* The service is at its end: what was sent goes out, then the connection closes. Not from
	 * inside free(). */
	void (*close)(void *user);
	void *user;
	/* The conversation this stream belongs to, for faults at its messages (fault.h). A layer
	 * (TLS) hands it on to what it carries. NULL: none. */
	struct tap *tap;
};

struct service;

struct service_class {
	void (*feed)(struct service *s, const uint8_t *bytes, size_t len);
	/* Also when the host or the cable goes: disarms timers, sends nothing any more. */
	void (*free)(struct service *s);
};

/* First member of every service. */
struct service {
	const struct service_class *class;
	struct stream stream;
};

/* Opens a service for one connection. Never NULL. */
struct phone;
typedef struct service *(*service_open_fn)(struct phone *phone, void *user,
					   const struct stream *stream);
