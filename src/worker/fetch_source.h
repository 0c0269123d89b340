/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Where a firmware file can be had: a shop's own server first, if there is one, then Apple's. */
#include "worker/http.h"
#include "worker/ipsw.h"

enum { SOURCES_MAX = 3 };

struct fetch_source {
	char url[HTTP_URL_BYTES];
	bool is_own_server;
};

/*
 * mirror: base URL of the own server, "" none: MIRROR/HASH.ipsw, MIRROR/NAME. stem: "HASH.ipsw".
 * Returns 0 and *ret_count sources, Apple's last; -EINVAL if mirror is no such URL.
 */
int fetch_sources(const struct ipsw *wanted, const char *stem, const char *mirror,
		  struct fetch_source ret[static SOURCES_MAX], size_t *ret_count);
