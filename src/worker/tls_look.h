/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Why does a session's TLS fail? libimobiledevice has one code (-5) for every way, so a handshake
 * of our own is made with the same record and the same settings (device-protocols.md §4.6), and
 * what ends it is told: an alert, silence, a hang-up, or a version that nobody shares. For a
 * session that has failed already; never pairs.
 */
#include <stdbool.h>
#include <stddef.h>

enum tls_end {
	TLS_END_UNKNOWN, /* the question did not come that far */
	TLS_END_FINE,    /* it opens, and a value was read */
	TLS_END_SILENT,  /* no answer to our hello */
	TLS_END_CLOSED,  /* the connection was closed, without a reason */
	TLS_END_ALERT,   /* the phone gave a reason */
	TLS_END_FOREIGN, /* its answer is no TLS that this computer can speak */
};

struct tls_look {
	enum tls_end end;
	unsigned alert;   /* of TLS_END_ALERT: RFC 8446 §6 */
	bool established; /* our side held the handshake to be done */
	char version[16]; /* "TLSv1.3", "" before there was one */
};

/* Looks; takes 8 s at most. record: as usbmuxd gave it, whole (pair_record_judge()). */
void tls_look(const char *udid, const char *record, size_t n, struct tls_look *ret);

/* The word for it (README.md, `detail`), NULL for none; and one line for a person into text. */
const char *tls_look_detail(const struct tls_look *look);
void tls_look_text(const struct tls_look *look, char *text, size_t text_bytes);
