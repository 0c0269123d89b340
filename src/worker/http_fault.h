/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What a failed transfer means for a person, and what to do: pure, so that every case is tested. */
#include "base/error.h"
#include <curl/curl.h>
#include <stdint.h>

struct http_fault {
	CURLcode code;        /* not CURLE_OK */
	long verify;          /* OpenSSL's verify result, 0 unless the certificate was refused */
	const char *host;     /* who was asked */
	int64_t now_s;        /* this computer's clock, seconds since the epoch */
	int64_t server_now_s; /* what the server's Date said, 0 unknown; a hint, nothing more */
};

/* True if a clock can be to blame, so that it is worth asking for the server's date. */
bool http_fault_is_of_dates(const struct http_fault *fault);

/* Fills err and returns its negative errno. */
int http_fault_set(struct error *err, const struct http_fault *fault);
