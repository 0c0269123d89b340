/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How a run of idevicerestore ended, from all that it said: the exit status alone proves nothing
 * (reference: idevicerestore.md §0). Success is exit 0, "Status: Restore Finished", and no "Unable
 * to successfully restore device"; anything else is a row of facts/engine_rules.tsv. Pure.
 */
#include "facts/facts.h"
#include <stdbool.h>

/* At least as many as the table has rows; the ids that the worker itself decides by. */
enum { ENGINE_RULES_MAX = 160 };
#define RULE_CANCELLED         "engine-cancelled"
#define RULE_WOULD_ERASE       "engine-would-erase"
#define RULE_NOT_STARTED       "engine-not-started"
#define RULE_SILENT            "engine-silent"
#define RULE_TOO_LONG          "engine-too-long"
#define RULE_NOT_PAIRED        "engine-not-paired"
#define RULE_RELAY_NOT_SIGNED  "relay-not-signed"
#define RULE_RELAY_CERTIFICATE "relay-certificate"
#define RULE_RELAY_NETWORK     "relay-network"

/* What was seen of one stream so far; begins as {}. */
struct engine_seen {
	bool finished;  /* the phone said that all is done */
	bool failed;    /* the engine said that it is not */
	bool other_log; /* raw lines now are of an earlier restore, or a dump: they prove nothing */
	bool any;       /* a line with time and level came */
	bool rules[ENGINE_RULES_MAX];
};

/* A message, without time and level. */
void engine_seen_text(struct engine_seen *seen, const char *text);
/* A line of the log as it stands there. */
void engine_seen_log(struct engine_seen *seen, const char *line);
/* The worker's own decision, by id of the rule. */
void engine_seen_rule(struct engine_seen *seen, const char *id);

/* exit: 0 to 255, or 128 and the number of the signal that ended it. NULL: it succeeded. */
const struct engine_rule *engine_verdict(const struct engine_seen *seen, int exit);
/* The rule with this id; never NULL for the ids above. */
const struct engine_rule *engine_rule_find(const char *id);
