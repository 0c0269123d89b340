/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The container in which the host sends a piece of firmware to a boot loader.
 *
 *     SEQUENCE { IA5 "IMG4", IM4P, [0] { IM4M }, [1] { IM4R }? }
 *     IM4P: SEQUENCE { IA5 "IM4P", IA5 type, IA5 description, OCTETS payload, … }
 *
 * Layout compared with containers and tickets of Apple's; see test_firmware.c.
 */
#pragma once

#include "restore/der.h"

struct img4 {
	struct span im4p; /* whole, as the digests cover it */
	char type[5];     /* four characters */
	struct span payload;
	struct span im4m; /* whole; empty: there is no ticket */
	struct span im4r; /* whole; empty: there is none */
};

/* NULL, or why the bytes are no container; static text. Bytes behind the container are refused. */
const char *img4_read(const uint8_t *bytes, size_t len, struct img4 *ret_image);
