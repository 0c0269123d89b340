/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Replaces identifiers in a USB serial string by others of the same form and length. */
#include <stdint.h>

struct mask_key {
	uint64_t k0, k1;
};

/*
 * Masks the text in place; its length does not change. ECIDs keep their leading zeros, letters stay
 * letters of the same case, digits stay digits (in hexadecimal numbers: hexadecimal digits). Chip,
 * board, versions and tags stay as they are; in a text of unknown form every word of 8 and more
 * letters and digits with a digit among them counts as an identifier. In a damaged string too much
 * is masked rather than too little: behind a bracket that never closes, everything.
 */
void mask_serial(const struct mask_key *key, char *text);
