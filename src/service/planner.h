/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * From what a person wants to a plan: finds the firmware (catalogue, cache, or a file that the
 * person brought), has its manifest read, and lets doctor/plan.h decide. Any number at once.
 */
#include "doctor/plan.h"
#include "phone/fleet.h"
#include "service/ask.h"
#include "service/cache.h"
#include "service/storage.h"
#include "service/worker_pool.h"

struct planner;
struct planning;

struct planner_request {
	enum goal goal;
	const struct phone *phone; /* NULL: by product (GOAL_FIRMWARE only) */
	const char *product;       /* with phone == NULL */
	const char *build;         /* "" or NULL: the newest */
	const char *file;          /* absolute path of an IPSW; "" or NULL: from the catalogue */
};

/* The plan (borrowed for the call) with err == NULL, or plan == NULL and why there is none. */
typedef void (*planner_fn)(const struct plan *plan, const struct error *err, void *user);

/* All borrowed. */
struct planner_options {
	struct fleet *fleet;
	struct asker *asker;
	struct worker_pool *pool; /* NULL: only goals without firmware can be planned */
	const struct storage *storage;
	cache_needed_fn needed_fn;   /* by touched_user: what no plan may delete to make room */
	asker_touched_fn touched_fn; /* planner_review() is to be called soon, from the loop */
	void *touched_user;
};
int planner_new(const struct planner_options *options, struct planner **ret);
/* Cancels what runs; nobody is called. NULL is fine; returns NULL. */
struct planner *planner_free(struct planner *planner);
DEFINE_CLEANUP(struct planner *, planner_free)

/*
 * fn is called once, within TIMING_PLAN, also from inside this call; unless planner_forget(user)
 * came first. Everything of the request is copied.
 */
void planner_plan(struct planner *planner, const struct planner_request *request, planner_fn fn,
		  void *user);
void planner_forget(struct planner *planner, const void *user);

/* After any change of the fleet, and at planner_deadline(): goes on with what waited to know who
 * its phone is. Not from inside a fleet event. */
void planner_review(struct planner *planner);
/* UINT64_MAX if nothing waits. */
uint64_t planner_deadline(const struct planner *planner);
