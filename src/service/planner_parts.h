/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the parts of the planner share:
 *
 *   planner.c         requests, who the phone is, the ends; worker check
 *   planner_choose.c  which firmware: catalogue, cache, and what Apple signs
 */
#include "service/planner.h"
#include "service/worker_link.h"

/* Builds that the signing server is asked about, newest first; and notices of one plan. */
enum { PLANNING_ASKED_MAX = 3, PLANNING_WARNINGS_MAX = 6 };

struct planner {
	struct planner_options options;
	struct planning *plannings;
};

struct planning {
	struct planner *planner;
	struct planning *next;
	enum goal goal;
	unsigned phone_id;         /* 0: by product */
	char key[PHONE_KEY_BYTES]; /* of the phone: an answer may merge it into another id */
	char product[IDENTITY_TEXT_BYTES];
	char board[IDENTITY_TEXT_BYTES];
	uint64_t ecid;                   /* 0 not known, or no phone */
	char build[FIRMWARE_TEXT_BYTES]; /* wanted, "" the newest that is signed */
	struct room room;
	char file[FIRMWARE_PATH_BYTES]; /* that the person brought, "" none */

	struct firmware candidates[PLANNING_ASKED_MAX]; /* newest first */
	size_t candidate_count, candidate;              /* the one that is being asked about */
	bool fell_back;                                 /* to what the cache has: no network */
	bool offline;                                   /* no source answered over the network */
	struct firmware firmware;                       /* chosen */
	struct signing signing;
	struct variant update, erase; /* name "" if there is none for this board */
	const char *warnings[PLANNING_WARNINGS_MAX];
	size_t warning_count;

	bool waiting; /* for who the phone is, until known_until_ms */
	uint64_t known_until_ms, until_ms;
	struct worker_link *link;
	planner_fn fn;
	void *user;
};

/* The names of Apple's variants for customers; others (research, over the air) are never taken. */
#define PLANNING_UPDATE_VARIANT "Customer Upgrade Install (IPSW)"
#define PLANNING_ERASE_VARIANT  "Customer Erase Install (IPSW)"

/* --- planner.c. All of them may free the planning. --- */

/*
 * Takes `fields`; built: what building them returned. limit_ms: of this worker alone, 0 none but
 * the plan's.
 */
void planning_ask(struct planning *planning, const char *kind, int built, sd_json_variant *fields,
		  unsigned limit_ms, worker_end_fn end_fn);
void planning_fail(struct planning *planning, const struct error *err);
void planning_fail_kind(struct planning *planning, enum error_kind kind, const char *text);
/* The chosen firmware's manifest is read, then the plan is made. */
void planning_check(struct planning *planning);
void planning_make(struct planning *planning);
/* NULL: it left. */
const struct phone *planning_phone(const struct planning *planning);
void planning_warn(struct planning *planning, const char *id);

/* --- planner_choose.c. Those without a result may free the planning. --- */

/* Finds a firmware, then planning_check(). */
void choose_begin(struct planning *planning);
/* Asks about the chosen firmware, whose manifest was read, then planning_make(). */
void choose_ask_brought(struct planning *planning);
/* It cannot be read over the network: goes on with a file of the cache. False: there is none. */
bool choose_fall_back(struct planning *planning);
