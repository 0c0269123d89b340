/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The events of the worker kind `fetch` (README.md). */
#include "base/error.h"
#include "worker/fetch_rate.h"

struct fetch_tell {
	uint64_t total; /* bytes of the file */
	uint64_t told_ms;
	struct fetch_rate rate;
};

/*
 * As all of these: 0, or a negative errno with ERROR_CANCELLED: nobody listens. done: bytes that
 * are kept; came: that came over the network, 0 while the disk is read; host: where from, "" not
 * known. Told twice a second at most, unless always.
 */
int fetch_tell_progress(struct fetch_tell *tell, uint64_t done, uint64_t came, const char *host,
			bool always, struct error *err);
int fetch_tell_resumed(uint64_t done, struct error *err);
int fetch_tell_retry(const char *reason, struct error *err);
