/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The head of an IM4P, the container of firmware parts since A7:
 * SEQUENCE { IA5String "IM4P", IA5String type of four characters, IA5String description, … } in
 * DER.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IM4P_TYPE_BYTES = 4 };

/* True if the n bytes begin with such a head; *ret: where its type stands, all of it within n. */
bool im4p_find_type(const uint8_t *bytes, size_t n, size_t *ret);
