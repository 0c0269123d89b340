/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Brings a part to its end from one server, over several connections, through cuts and refusals. */
#include "worker/fetch_part.h"
#include "worker/fetch_window.h"
#include "worker/http.h"

/* Who is told. A negative return ends it and is passed on, err set. */
struct lanes_watch {
	/* often: bytes of the file that are kept, bytes that came over the network in this run of
	 * lanes_run(), and from which host ("" until it answers) */
	int (*progress)(void *context, uint64_t done, uint64_t came, const char *host,
			struct error *err);
	int (*retry)(void *context, const char *reason, struct error *err);
	/* is there room for what is still to come? asked now and then */
	int (*room)(void *context, uint64_t done, struct error *err);
	void *context;
};

struct lanes_options {
	struct http *http;    /* borrowed, as all of these */
	struct part *part;    /* rests, and rests again afterwards unless the disk failed */
	const char *url;      /* of the file on this server */
	bool is_own_server;   /* a shop's own: is given up at the first failure */
	uint64_t size;        /* of the file */
	unsigned connections; /* 1 to WINDOW_SPANS */
	struct lanes_watch watch;
};

/*
 * Returns 0 when all bytes are there; else a negative errno with err set: ERROR_NETWORK and
 * ERROR_PROTOCOL (the server's or the network's fault, after several tries), ERROR_NO_SPACE, what
 * watch returned. *ret_came: bytes that came over the network, set in any case.
 */
int lanes_run(const struct lanes_options *options, uint64_t *ret_came, struct error *err);
