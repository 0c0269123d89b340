/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The string in which iBoot and SecureROM tell their nonces: "NONC:<hex> SNON:<hex>", a leading
 * space may be there (reference: device-protocols.md §2.6). Foreign bytes.
 */

/* 32 bytes in hexadecimal and the NUL: the longest nonce there is. */
enum { NONCE_HEX_BYTES = 32 * 2 + 1 };

/*
 * Copies the nonce behind "TAG:" in lower case. ret must hold NONCE_HEX_BYTES. Returns 0, -ENODATA
 * if the tag is not there, or -EBADMSG if what follows is no whole bytes of hexadecimal, or too
 * many.
 */
int nonce_find(const char *nonces, const char *tag, char *ret);
