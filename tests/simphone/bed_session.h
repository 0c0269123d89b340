/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A test bed with a computer that the phone trusts, and a session of it. */
#pragma once

#include "bed_host.h"

/* Bed, a trusted computer and a session of it. */
struct desk {
	struct bed *bed;
	struct computer *computer;
	struct link *link;
	char session[37];
};

static inline struct desk desk_plain(const char *a, const char *b)
{
	struct desk d = { .bed = BED(a ? a : "seed=1", b ? b : "seed=1") };

	d.computer = computer_trusted(d.bed, "HOST-1");
	return d;
}

static inline struct desk desk_new(const char *a, const char *b)
{
	struct desk d = desk_plain(a, b);

	d.link = session_new(d.bed, d.computer, d.session);
	return d;
}

static inline void desk_free(struct desk *d)
{
	if (d->link)
		link_free(d->link);
	computer_free(d->computer);
	bed_free(d->bed);
}

#define DESK [[gnu::cleanup(desk_free)]] struct desk
