/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lockdownd of the running system for a host that is not trusted (yet), and the ports behind it. In
 * the restore ramdisk the same port answers as restored. No session can be opened: every host is a
 * stranger.
 */
#pragma once

#include <plist/plist.h>

#include "stream.h"

struct phone;

enum { LOCKDOWN_PORT = 62078, LOCKDOWN_FIRST_SERVICE_PORT = 49152 };

/* Opens what listens on @port: lockdownd itself or a service that StartService announced. NULL:
 * refused. */
struct service *lockdown_service_open(struct phone *phone, uint16_t port,
				      const struct stream *stream);

/* The value of @key for a stranger, or NULL; *ret_prohibited tells that a trusted host might read
 * it. Caller frees. */
plist_t lockdown_value(const struct phone *phone, const char *key, bool *ret_prohibited);
/* All that a stranger may read. Caller frees. */
plist_t lockdown_values(const struct phone *phone);
/* The board as phones spell it: d17ap is "D17AP". */
plist_t lockdown_hardware_model(const struct phone *phone);
