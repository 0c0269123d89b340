/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * notification_proxy: the host names what it wants to hear of and the connection stays open.
 * Nothing is relayed yet, because no hand taps Trust.
 */
#pragma once

#include "stream.h"

struct phone;

struct service *notification_proxy_open(struct phone *phone, const struct stream *stream);
