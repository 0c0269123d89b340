/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * notification_proxy, and its twin for hosts that are not trusted: the host names what it wants to
 * hear of, and what notices.h tells of that is relayed until Shutdown.
 */
#pragma once

#include "stream.h"

struct phone;

/* A service_open_fn. */
struct service *notification_proxy_open(struct phone *phone, void *user,
					const struct stream *stream);
