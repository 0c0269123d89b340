/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A service of the running system as a stream of bytes. Whoever carries the bytes (the mux of the
 * USB pipe; later the usbmuxd socket) owns the service and gives it a way back.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The carrier's side. Each send() is one piece for carriers that keep pieces apart. */
struct stream {
	void (*send)(void *user, const void *bytes, size_t len);
	/* The service is at its end: what was sent goes out, then the connection closes. Not from
	 * inside free(). */
	void (*close)(void *user);
	void *user;
};

struct service;

struct service_class {
	void (*feed)(struct service *s, const uint8_t *bytes, size_t len);
	void (*free)(struct service *s);
};

/* First member of every service. */
struct service {
	const struct service_class *class;
	struct stream stream;
};
