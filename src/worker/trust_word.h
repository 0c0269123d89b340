/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How a phone stands to this computer, as the protocol names it (README.md), and which of
 * lockdownd's codes say so (device-protocols.md §4.5).
 */
#include <stdbool.h>

enum trust_word {
	TRUST_WORD_UNKNOWN,
	TRUST_WORD_LOCKED,
	TRUST_WORD_ASKING,
	TRUST_WORD_DENIED,
	TRUST_WORD_STALE,
	TRUST_WORD_TRUSTED,
	TRUST_WORD_POLICY,
	TRUST_WORD_MAX,
};

/* "refused-by-policy"; never NULL. */
const char *trust_word_name(enum trust_word word);

/* Whether lockdownd's code (a lockdownd_error_t) is an answer about trust; *ret is written then. A
 * code of the connection, as silence, is none. */
bool trust_word_from_lockdownd(int code, enum trust_word *ret);

/*
 * What the word alone does not say, by lockdownd's code: a word of README.md's `detail`, NULL for
 * none.
 */
const char *trust_detail_from_lockdownd(int code);

/*
 * Whether the first read of a session may end with this code when the phone does not believe the
 * record: under TLS 1.3 it judges this computer's certificate after the handshake has succeeded
 * here, and then hangs up.
 */
bool trust_word_is_hang_up(int code);
