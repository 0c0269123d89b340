/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Looks at servers, all at once, and at this computer's network: what was seen, not what it means
 * (network_cause.h). Nothing is sent but names and a question for the head of a page.
 */
#include "base/error.h"
#include "worker/network_cause.h"

enum { NETWORK_HOSTS_MAX = 16 };

/* By which root a server is believed. */
enum network_root { NETWORK_ROOT_PUBLIC, NETWORK_ROOT_APPLE, NETWORK_ROOT_ANY };

struct network_target {
	const char *host;
	enum network_root root;
	bool tunnel; /* it speaks to phones, not HTTP: TLS is all that is asked for */
};

/*
 * Looks at count targets (at most NETWORK_HOSTS_MAX), the page and this computer; at most about 20
 * s in all. Test hooks: README.md; with a map of hosts, one that is not in it is not found, and
 * this computer counts as connected. 0, or a negative errno with err set.
 */
int network_look(const struct network_target *targets, size_t count, struct network_seen *ret_seen,
		 struct network_page *ret_page, struct network_here *ret_here, struct error *err);
