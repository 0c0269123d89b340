/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The patterns of facts/log_rules.tsv against lines of logs. A pattern has alternatives between
 * " | ", each a way; a way is pieces of text between '*' (any run within the line), and may end
 * with {scheme}. Lines come in small letters. A piece that begins or ends with a digit does not fit
 * inside a longer number. Pure.
 */
#include "facts/facts.h"
#include <stdbool.h>
#include <stddef.h>

/* Bytes of a way's text that a line must hold for the way to fit: what the reader looks for. */
enum { LOG_ANCHOR_BYTES = 4 };

/* One way of a pattern, within the table's text; nothing is owned. */
struct log_way {
	const char *text;
	size_t bytes; /* without {scheme} */
	/* {scheme} at its end: which; NULL none. Letters of a scheme, not ended by a NUL. */
	const char *scheme;
	size_t scheme_bytes;
};

/* What {scheme} found. */
struct log_found {
	const struct code_fact *code; /* NULL: the way has no {scheme} */
	int64_t number;               /* as its scheme counts */
};

/* The next way of the pattern at *pattern, which is moved behind it; false at its end. */
bool log_way_next(const char **pattern, struct log_way *ret);

/* The bytes between '*' of the way that begin at *offset, which is moved behind them and the star;
 * false at its end. */
bool log_way_piece(const struct log_way *way, size_t *offset, const char **ret_piece,
		   size_t *ret_bytes);

/* True if the line (n bytes, small letters) holds the way. *ret is written only then. */
bool log_way_fits(const struct log_way *way, const char *line, size_t n, struct log_found *ret);
