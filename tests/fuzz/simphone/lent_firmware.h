/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading an IPSW is slow: one is kept and lent to each input's phone. */
#pragma once

#include "phone.h"

static inline void firmware_lend(struct phone *p, const char *path)
{
	static struct firmware *kept;
	char why[512] = "";

	if (!kept)
		kept = firmware_open(path, p->identity.model, why, sizeof(why));
	if (!kept) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	p->firmware = kept;
	snprintf(p->scenario.ipsw, sizeof(p->scenario.ipsw), "%s", path);
}

/* Before phone_done(), which would free it. */
static inline void firmware_take_back(struct phone *p)
{
	p->firmware = nullptr;
}
