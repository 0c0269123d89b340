/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How people and programs write a code: as a number in any form (4013, -18, 0xE8000013, 4294967278)
 * or as a name (InvalidHostID, "Invalid HostID", LOCKDOWN_E_INVALID_HOST_ID). Pure.
 */
#include "facts/facts.h"
#include <stdbool.h>
#include <stddef.h>

/* Longest word that is looked up, with its NUL; no name or id of the tables is longer. */
enum { CODE_WORD_BYTES = 96 };

/* A whole word as a number; unsigned forms of negative 64-bit numbers become negative. False if it
 * is none. */
bool code_number_parse(const char *word, int64_t *ret);

/* True if the row means this number in its own form or in the other form of 32 bits; *ret becomes
 * the number as the row's scheme counts. */
bool code_has_number(const struct code_fact *code, int64_t number, int64_t *ret);

/* Copies letters and digits in small letters; false if they do not fit. */
bool code_name_squeeze(const char *name, char ret[static CODE_WORD_BYTES]);

/* Whose name it is by the prefix of the squeezed name, a scheme, and that prefix's bytes; NULL and
 * 0 for a name without one. */
const char *code_name_owner(const char *squeezed, size_t *ret_bytes);

/* The part of a name that tells what happened: "invalidhostid" for kAMDInvalidHostIDError. False if
 * nothing is left. */
bool code_name_core(const char *name, char ret[static CODE_WORD_BYTES]);

/*
 * The row of `scheme` that a word means, a number or a name; NULL if none. A row for the number
 * alone goes before a range, the first row of the table before others. *ret_number: as the scheme
 * counts.
 */
const struct code_fact *code_in_scheme(const char *scheme, const char *word, int64_t *ret_number);
