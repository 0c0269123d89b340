/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The engine's way to Apple's signing server. idevicerestore verifies no certificate (reference:
 * idevicerestore.md §7), so it is sent here, to a port of 127.0.0.1, and here its requests go on to
 * gs.apple.com over TLS that is verified by Apple's own root (http.h). An answer goes back whole.
 *
 *   engine ──http──▶ 127.0.0.1:PORT  relay ──https, verified──▶ gs.apple.com
 *
 * When Apple cannot be reached, the engine gets a STATUS of ours: libtatsu ends at any STATUS it
 * does not know, where it would try fifteen times for an answer without one.
 */
#include "base/error.h"
#include <stdint.h>

struct relay;

/* How the last request ended. */
enum relay_end {
	RELAY_SIGNED,      /* MESSAGE=SUCCESS */
	RELAY_NOT_SIGNED,  /* STATUS 94 or 69 */
	RELAY_REFUSED,     /* another STATUS */
	RELAY_CERTIFICATE, /* who answered is not Apple */
	RELAY_NETWORK,     /* nobody answered, or nothing that has a STATUS */
};
struct relay_outcome {
	enum relay_end end;
	int status;       /* Apple's, 0 when signed; -1 none */
	struct error why; /* RELAY_CERTIFICATE, RELAY_NETWORK: for people */
};

/* Listens, with threads of its own. 0, or a negative errno with err set. */
int relay_new(struct relay **ret, struct error *err);
/* Waits for a request that is on its way: at most RELAY_ASK_S. NULL is fine; returns NULL. */
struct relay *relay_free(struct relay *relay);
static inline void relay_freep(struct relay **p)
{
	relay_free(*p);
}
enum { RELAY_ASK_S = 20 };

uint16_t relay_port(const struct relay *relay);
/* Readable (an eventfd) when relay_take() has something new; owned by the relay. */
int relay_fd(const struct relay *relay);
/* The outcome of the latest request; 0, or -EAGAIN when there is no new one since the last call. */
int relay_take(struct relay *relay, struct relay_outcome *ret);
/* The phone is being changed: a request that fails now costs more than patience. */
void relay_be_patient(struct relay *relay);
