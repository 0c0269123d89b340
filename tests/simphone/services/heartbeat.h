/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * heartbeat: the phone says Marco every few seconds and the host must say Polo, else the phone
 * gives the host up. Binary property lists.
 */
#pragma once

#include "stream.h"

enum { HEARTBEAT_SECONDS = 10, HEARTBEAT_MISSED_MAX = 2 };

/* A service_open_fn. */
struct service *heartbeat_open(struct phone *phone, void *user, const struct stream *stream);
