/* SPDX-License-Identifier: GPL-3.0-or-later */
/* diagnostics_relay: restart, shut down and sleep; battery and other figures of the hardware. */
#pragma once

#include "stream.h"

/* A service_open_fn. */
struct service *diagnostics_relay_open(struct phone *phone, void *user,
				       const struct stream *stream);
