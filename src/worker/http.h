/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * HTTPS as rescues need it: HTTP/1.1, TLS that is verified, limits on time and size, redirects only
 * to hosts that the caller names. Hosts that chain to Apple's own root (gs.apple.com,
 * gdmf.apple.com) are believed by that root alone, all others by the system's bundle
 * (reference: firmware.md §1.7). Test hooks: README.md.
 *
 * A struct http is for one thread at a time and keeps connections open between requests; two
 * threads take one each.
 */
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_URL_BYTES = 1024,
	HTTP_HOST_BYTES = 256,
	HTTP_ETAG_BYTES = 160,
	HTTP_TYPE_BYTES = 64,
	HTTP_RANGE_BYTES = 80,
};

struct http;

/* Reads the test hooks and the certificates. 0, or a negative errno with err set. */
int http_new(struct http **ret, struct error *err);
struct http *http_free(struct http *http); /* NULL is fine; returns NULL */
static inline void http_freep(struct http **p)
{
	http_free(*p);
}
/* True if the owner of a virtual machine sends hosts elsewhere or has us believe a test authority.
 */
bool http_is_test(const struct http *http);

/* What the server said before the body, of the last answer if it redirected. */
struct http_head {
	unsigned status;              /* 200; 0: no answer came */
	bool has_length;              /* length is known */
	uint64_t length;              /* Content-Length, bytes of the body */
	unsigned retry_after_s;       /* 0: not said, or as a date */
	char type[HTTP_TYPE_BYTES];   /* Content-Type, lower case, without parameters; "" none */
	char coding[HTTP_TYPE_BYTES]; /* Content-Encoding; "" none */
	char range[HTTP_RANGE_BYTES]; /* Content-Range as it stands; "" none */
	char etag[HTTP_ETAG_BYTES];   /* with its quotes; "" none that can be sent back */
	char host[HTTP_HOST_BYTES];   /* who answered */
};

struct http_request {
	const char *url;            /* https */
	const char *const *headers; /* "Name: value" …, NULL; may be NULL */
	const void *body;           /* not NULL: POST */
	size_t body_bytes;
	unsigned connect_s;     /* limit for the connection, 0: 15 s */
	unsigned total_s;       /* limit for the whole, 0: none, but a minimal speed is asked for:
				   10 KB/s over 30 s */
	size_t reply_bytes_max; /* http_ask(): ceiling of the body */
	/* who may be redirected to; NULL: no redirect is followed, its answer is the answer */
	bool (*host_is_allowed)(const char *host);
	bool is_own_server; /* the person named it: http and any port are allowed */
};

struct http_reply {
	struct http_head head;
	char *body; /* owned by who asked, NUL behind it; never NULL after success */
	size_t body_bytes;
};
void http_reply_done(struct http_reply *reply);

/*
 * Asks and takes the whole body, whatever the status is: that is the caller's to judge. Returns 0,
 * or a negative errno with err set: ERROR_NETWORK (not reached, cut, certificate; the text says
 * what to do), ERROR_PROTOCOL (over the ceiling, no HTTP, a redirect that may not be followed).
 */
int http_ask(struct http *http, const struct http_request *request, struct http_reply *ret,
	     struct error *err);

/* http_ask() of a POST: Content-Type is one of the headers. Example for the signing relay:
 * http_post(http, "https://gs.apple.com/TSS/controller?action=2", headers, body, n, 15, 1 << 20, …)
 */
int http_post(struct http *http, const char *url, const char *const *headers, const void *body,
	      size_t body_bytes, unsigned total_s, size_t reply_bytes_max, struct http_reply *ret,
	      struct error *err);

/* Several at once; each has its own outcome. */
struct http_question {
	struct http_request request;
	struct http_reply reply; /* owned as with http_ask() if result is 0 */
	int result;              /* 0 or a negative errno with error set */
	struct error error;
};
void http_ask_all(struct http *http, struct http_question *questions, size_t count);

/* Takes a body as it comes. A negative return ends the transfer and is what http_stream() and
 * http_result() return; the sink keeps what it has to say about it. */
struct http_sink {
	int (*begin)(void *context, const struct http_head *head); /* once, before any data */
	int (*data)(void *context, const void *bytes, size_t n);
	void *context;
};

int http_stream(struct http *http, const struct http_request *request, const struct http_sink *sink,
		struct error *err);

/*
 * Begins a transfer that goes on with all others in http_turn(). What request and sink point to is
 * borrowed until http_end(). 0, or a negative errno with err set.
 */
struct http_transfer;
int http_begin(struct http *http, const struct http_request *request, const struct http_sink *sink,
	       struct http_transfer **ret, struct error *err);
/* Cuts it if it still runs; never from within a sink. NULL is fine; returns NULL. */
struct http_transfer *http_end(struct http_transfer *transfer);
bool http_is_over(const struct http_transfer *transfer);
/* Of one that is over: 0, the sink's negative return, or a negative errno with err set. */
int http_result(const struct http_transfer *transfer, struct error *err);
/* The address that answers, after redirects. */
const char *http_transfer_url(const struct http_transfer *transfer);
/* Lets all that have begun go on; unless one is over now, waits up to ms for news of the network or
 * http_wake(). 0, or a negative errno if curl does not work. */
int http_turn(struct http *http, unsigned ms);
void http_wake(struct http *http); /* from any thread */

/* Lets ms go by; the end of the service's socket ends the process meanwhile (lifeline.h). */
void http_wait(struct http *http, unsigned ms);

/*
 * "https://HOST/PATH" of a well-formed URL: scheme https (http if allow_http), no user, no port but
 * the usual one, no fragment, no "." and ".." in the path. Returns 0 and the host in lower case, or
 * -EINVAL.
 */
int http_url_host(const char *url, bool allow_http, char ret[static HTTP_HOST_BYTES]);
/* "http://HOST:PORT/PATH" of a server that the person named: http or https, any host and port, else
 * as http_url_host(). */
int http_url_place(const char *url, char ret[static HTTP_HOST_BYTES]);
