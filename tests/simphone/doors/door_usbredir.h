/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Carries a usbdev's transfers to a usbredir peer (QEMU's usb-redir device), which listens on a
 * unix socket.
 *
 *   connecting ──hello of both──▶ detached ──attach──▶ attached
 *                                    ▲                    │ detach
 *                                    └─ack── awaiting ◀───┘
 *
 * When the peer closes the socket the door ends the loop: the machine that the phone was plugged
 * into is gone.
 */
#pragma once

#include "loop.h"
#include "phone.h"

struct door_usbredir;

/* Begins to connect to @path, trying for @patience_ms. Never fails here: without a peer in time the
 * program ends. */
struct door_usbredir *door_usbredir_new(struct loop *loop, struct usbdev *usb, struct evlog *log,
					const char *path, uint64_t patience_ms);
struct door_usbredir *door_usbredir_free(struct door_usbredir *d);
