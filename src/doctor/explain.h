/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * From a code, a name or a line that a person met somewhere to what it means. Pure: looks into the
 * tables of facts/ only. A number alone often has several meanings; all are told, best first.
 */
#include "facts/facts.h"
#include <stdbool.h>
#include <stddef.h>

enum { EXPLAIN_MAX = 16, EXPLAIN_CODE_BYTES = 24, EXPLAIN_TEXT_BYTES = 1024 };
enum { EXPLAIN_SAME_MAX = 8, EXPLAIN_TITLE_BYTES = 160 };

/* One meaning. Exactly one of code, rule, message and log is set, or log and code (a line of a log
 * and the code in it), or none and then finding is. */
struct verdict {
	const struct log_rule *log; /* a line of a log; doctor/explain_log.h finds these */
	const struct code_fact *code;
	const struct engine_rule *rule;     /* a line of the engine, or a rule's id */
	const struct message *message;      /* a text of ours, by its id */
	const struct finding_fact *finding; /* what our diagnosis calls it; NULL: it does not */
	int64_t number;                     /* of code, as its scheme counts */
	unsigned rank;                      /* 0 best; only for the order */
	bool doubtful; /* others count so too, to say something else, and nobody was named */
};

/*
 * What `text` means: a number (4013, -18, 0xE8000013; signed or unsigned form of 32 or 64 bits), a
 * name (kAMDInvalidResponseError, UserDeniedPairing, LOCKDOWN_E_USER_DENIED_PAIRING, in any case),
 * an id of ours (finding, rule of the engine, message, kind of error), or a line that holds such.
 * A word that names who counts (iTunes, lockdownd, tss …) puts its meanings first. Only the first
 * EXPLAIN_TEXT_BYTES of a longer text are read. Writes at most EXPLAIN_MAX, best first; returns how
 * many, 0 if nothing is known.
 */
size_t explain(const char *text, struct verdict ret[static EXPLAIN_MAX]);

/* True if the finding corresponds to this code: its row names it. */
bool finding_has_code(const struct finding_fact *finding, const struct code_fact *code);

/* What our diagnosis calls it: the finding that names the code or, if none does, its twin, the same
 * name in another scheme (UserDeniedPairing, kAMDUserDeniedPairingError). NULL: nothing. */
const struct finding_fact *finding_of_code(const struct code_fact *code);

/* Codes in which other worlds say the same, both ways of code_fact.same; at most EXPLAIN_SAME_MAX,
 * returns how many. */
size_t code_same(const struct code_fact *code,
		 const struct code_fact *ret[static EXPLAIN_SAME_MAX]);

/* A code with its name: "lockdownd -10 InvalidResponse". */
void code_title(const struct code_fact *code, char ret[static EXPLAIN_TITLE_BYTES]);

/* "pairing", "usb", … as in code_fact; the layer of an error of ours for rules and messages. */
const char *verdict_layer(const struct verdict *verdict);
enum confidence verdict_confidence(const struct verdict *verdict);
/* Who says so: a scheme of codes.tsv, "log", "engine", "finding" or "message". */
const char *verdict_scheme(const struct verdict *verdict);
/* Its name or id; NULL for a number without a name. */
const char *verdict_name(const struct verdict *verdict);
/* Its number as people write it: "4013", "0xe8000013"; "" without one. */
void verdict_code(const struct verdict *verdict, char ret[static EXPLAIN_CODE_BYTES]);
/* What happened; what to do, NULL if the first says it all. May hold {phone}. */
const char *verdict_cause(const struct verdict *verdict);
const char *verdict_next(const struct verdict *verdict);
const char *verdict_source(const struct verdict *verdict);
