/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * afc: the user's files over a stream. Packets of 40 bytes of header (magic, whole length, length
 * of header and arguments, number, operation; 64-bit little-endian), then a payload. Each request
 * is answered by one packet of the same number. Facts: backup-and-logs notes §2.
 */
#pragma once

#include "stream.h"

/* A service_open_fn. */
struct service *afc_open(struct phone *phone, void *user, const struct stream *stream);
