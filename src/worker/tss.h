/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Apple's signing server: asked once, and its answer read. The relay asks for the engine, `sign`
 * for itself; both mean the same by an answer (reference: firmware.md §2). TLS: http.h.
 */
#include "base/error.h"
#include "worker/http.h"
#include <stdbool.h>
#include <stddef.h>

enum {
	TSS_STATUS_NONE = -1, /* the answer has none */
	TSS_STATUS_OK = 0,
	TSS_STATUS_NOT_ELIGIBLE = 94,
	TSS_STATUS_NOT_ELIGIBLE_OLD = 69,
	TSS_MESSAGE_BYTES = 128,
};

/* "STATUS=94&MESSAGE=text" and "STATUS=0&MESSAGE=SUCCESS&REQUEST_STRING=<?xml …". */
struct tss_reply {
	int status;                      /* Apple's, 0 granted; TSS_STATUS_NONE: no such answer */
	char message[TSS_MESSAGE_BYTES]; /* "SUCCESS"; "" none */
	const char *tickets; /* the property list behind REQUEST_STRING, NULL none; borrowed */
	size_t tickets_bytes;
};

/* Reads n bytes with a NUL behind them. Pure. */
void tss_reply_parse(const char *bytes, size_t n, struct tss_reply *ret);

/* True if there is a ticket for the application processor (ApImg4Ticket, APTicket) in it. */
bool tss_reply_has_ticket(const struct tss_reply *reply);

enum tss_verdict {
	TSS_SIGNED,
	TSS_NOT_SIGNED, /* as the server says; a fault of the request looks the same */
	TSS_OUR_FAULT,  /* it does not like what it was asked: 8, 49 */
	TSS_UNKNOWN,    /* anything else */
};
/* What an answer to a question for a ticket of the application processor means. */
enum tss_verdict tss_reply_verdict(const struct tss_reply *reply);

/*
 * Asks once, at most total_s seconds. Returns 0 and Apple's answer, whatever it says, which *ret
 * points into *ret_http (the caller ends it with http_reply_done()); or a negative errno with err
 * set: nobody answered, or nothing that has a status (origin "tss", code: the HTTP status).
 */
int tss_ask(struct http *http, const void *body, size_t n, unsigned total_s,
	    struct http_reply *ret_http, struct tss_reply *ret, struct error *err);

/* True if tss_ask() failed because who answered is not Apple, or a clock is wrong: asking again is
 * of no use. */
bool tss_error_is_certificate(const struct error *err);
