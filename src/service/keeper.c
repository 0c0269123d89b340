/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns a queue of tasks and the one worker link of its head. A wish of the person does its work and
 * then looks what is; a task without a wish only brings the copy up to date.
 *
 *   queued ──▶ acting (keep, unkeep) ──▶ looking (list) ──▶ told, freed
 *                 │ failed                   │ failed
 *                 └──────────────────────────┴──────────▶ told why, freed
 *
 * Invariants: one worker at a time, in the order of the wishes, so that a copy is never brought up
 * to date behind the back of a person who ended it; at most one task without a wish is queued
 * behind the head.
 */
#include "service/keeper.h"
#include "base/log.h"
#include "base/text.h"
#include "facts/facts.h"
#include "service/fields.h"
#include "service/worker_link.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct task {
	struct task *next;
	bool automatic; /* nobody wished it: keep, if a copy is kept */
	enum keeper_wish wish;
	bool acted;
	bool lasting;
	char folder[PLAN_ROOM_BYTES]; /* of the copy */
	keeper_fn fn;                 /* NULL: nobody waits */
	void *user;
};

struct keeper {
	struct worker_pool *pool;
	const struct storage *storage;
	struct task *tasks; /* the head is being done */
	struct worker_link *link;
};

static void begin(struct keeper *keeper);

int keeper_new(struct worker_pool *pool, const struct storage *storage, struct keeper **ret)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));

	if (!keeper)
		return -ENOMEM;
	keeper->pool = pool;
	keeper->storage = storage;
	*ret = keeper;
	return 0;
}

struct keeper *keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return NULL;
	worker_link_free(keeper->link);
	while (keeper->tasks) {
		struct task *task = keeper->tasks;

		keeper->tasks = task->next;
		free(task);
	}
	free(keeper);
	return NULL;
}

/* The head is over; whoever asked for it is told. */
static void finish(struct keeper *keeper, const struct keeper_state *state, const struct error *err)
{
	struct task *task = keeper->tasks;

	keeper->tasks = task->next;
	if (err && task->automatic)
		log_warning("the pairings that are kept are not up to date: %s", err->text);
	if (task->fn)
		task->fn(state, err, task->user);
	free(task);
}

/* What the worker listed. */
static void end_listed(struct keeper *keeper, sd_json_variant *result)
{
	const struct task *task = keeper->tasks;
	struct keeper_state state = {
		.lasting = task->lasting,
		.kept = field_true(result, "kept"),
	};

	if (state.kept)
		state.records = field_unsigned(result, "copies", 0);
	else
		state.records = sd_json_variant_elements(field_array(result, "records"));
	finish(keeper, &state, NULL);
}

static void on_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct keeper *keeper = user;
	struct task *task = keeper->tasks;

	keeper->link = worker_link_free(keeper->link);
	if (err || task->automatic)
		finish(keeper, NULL, err);
	else if (!task->acted && task->wish != KEEPER_LOOK)
		task->acted = true;
	else
		end_listed(keeper, result);
	begin(keeper);
}

static const char *action_of(const struct task *task)
{
	if (task->automatic)
		return "keep";
	if (task->acted)
		return "list";
	switch (task->wish) {
	case KEEPER_ON:
		return "keep";
	case KEEPER_OFF:
		return "unkeep";
	case KEEPER_LOOK:
	case KEEPER_WISH_MAX:
		break;
	}
	return "list";
}

static int link_open(struct keeper *keeper, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	const struct task *task = keeper->tasks;
	struct worker_request request = {
		.kind = "record",
		.total_ms = timing_ms(TIMING_PROBE_SILENCE),
		.end_fn = on_end,
		.user = keeper,
	};
	int r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("action", action_of(task)),
			       SD_JSON_BUILD_PAIR_CONDITION(task->folder[0] != '\0', "folder",
							    SD_JSON_BUILD_STRING(task->folder)));

	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "service", -r, "record");
	request.fields = fields;
	return worker_link_new(keeper->pool, &request, &keeper->link, err);
}

/* Begins, or goes on with, the head; those that cannot be begun end here. */
static void begin(struct keeper *keeper)
{
	struct error err;

	while (keeper->tasks && !keeper->link) {
		struct task *task = keeper->tasks;

		/* the person may have ended it meanwhile, or pulled the stick */
		if (task->automatic && !storage_records_kept(keeper->storage, task->folder))
			finish(keeper, NULL, NULL);
		else if (link_open(keeper, &err) < 0)
			finish(keeper, NULL, &err);
	}
}

static void enqueue(struct keeper *keeper, struct task *task)
{
	struct task **at = &keeper->tasks;

	while (*at)
		at = &(*at)->next;
	*at = task;
}

/* Where the copy lies or would lie. Without a place a look still tells what this computer has. */
static int find_folder(const struct keeper *keeper, struct task *task, struct error *err)
{
	struct room room;
	int r = storage_room(keeper->storage, &room, err);

	if (r < 0)
		return task->wish == KEEPER_LOOK ? 0 : r;
	task->lasting = room.lasting;
	if (room.lasting)
		room_records_folder(&room, task->folder);
	else if (task->wish != KEEPER_LOOK)
		return error_set(err, ERROR_UNSUPPORTED, "service", 0,
				 "This stick has no data partition: there is no place where "
				 "pairings outlive the power-off");
	return 0;
}

int keeper_ask(struct keeper *keeper, enum keeper_wish wish, keeper_fn fn, void *user,
	       struct error *err)
{
	_cleanup_free_ struct task *task = calloc(1, sizeof(*task));
	bool idle = !keeper->tasks;
	int r;

	if (!task)
		return error_set_errno(err, ERROR_BUG, "service", ENOMEM, "record");
	*task = (struct task){ .wish = wish, .fn = fn, .user = user };
	if (!keeper->pool)
		return error_set(err, ERROR_UNSUPPORTED, "service", 0,
				 "This service works from a tape: it has no pairings");
	r = find_folder(keeper, task, err);
	if (r < 0)
		return r;
	enqueue(keeper, task);
	if (idle) {
		/* not begin(): a failure is the caller's to tell */
		r = link_open(keeper, err);
		if (r < 0) {
			keeper->tasks = NULL;
			return r;
		}
	}
	(void)TAKE(task);
	return 0;
}

void keeper_forget(struct keeper *keeper, const void *user)
{
	for (struct task *task = keeper->tasks; task; task = task->next)
		if (task->user == user)
			task->fn = NULL;
}

void keeper_touch(struct keeper *keeper)
{
	struct task *task;
	char folder[PLAN_ROOM_BYTES];

	if (!keeper->pool || !storage_records_kept(keeper->storage, folder))
		return;
	/* the head may have read the records already: one behind it is enough, and not too many */
	for (task = keeper->tasks ? keeper->tasks->next : NULL; task; task = task->next)
		if (task->automatic)
			return;
	task = calloc(1, sizeof(*task));
	if (!task) {
		log_error("no memory to keep a pairing");
		return;
	}
	task->automatic = true;
	enqueue(keeper, task);
	begin(keeper);
}
