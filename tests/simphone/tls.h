/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * TLS between a carrier and what speaks inside; the phone is the server. It can begin and end in
 * the middle of a connection:
 *
 *   carrier ──tls_feed──▶ tls ──take──▶ inside          SHAKING ──▶ OPEN ──close_notify──▶ OVER
 *           ◀───send─────     ◀─tls_send──                  └────────┴──alert, knob──▶ FAILED
 *
 * Certificates are those of the pair record: the phone shows DeviceCertificate, the host must show
 * RootCertificate, HostCertificate or one that the root has signed.
 */
#pragma once

#include <plist/plist.h>

#include "stream.h"

struct phone;
struct tls;

typedef void (*tls_take_fn)(void *user, const uint8_t *bytes, size_t len);

/*
 * @record (borrowed for the call) is a pair record that pair_record_check() liked. @broken: ends in
 * an alert whatever the scenario says. Plain text from the host goes to @take, which may end the
 * stream but must not free this.
 */
struct tls *tls_new(struct phone *phone, plist_t record, bool broken, const struct stream *outer,
		    tls_take_fn take, void *user);
struct tls *tls_free(struct tls *t);

void tls_feed(struct tls *t, const uint8_t *bytes, size_t len);
/* Waits inside until the handshake is done. */
void tls_send(struct tls *t, const void *bytes, size_t len);
/* close_notify, then the outer stream's end. */
void tls_close(struct tls *t);

/* The host ended TLS. What it sent behind that stands in tls_rest() until tls_free(). */
bool tls_over(const struct tls *t);
const struct buf *tls_rest(const struct tls *t);
/* Nothing of a record is half here: a host that gave up TLS without a word may speak plainly. */
bool tls_between_records(const struct tls *t);
