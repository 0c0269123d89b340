/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the flow (fetch_flow.h), the window's bookkeeping and the lanes:
 *
 *   one lane alone ──right answer──▶ all lanes ──all bytes──▶ settled
 *        ▲                             │
 *        └──── pause ◀──── failure ────┘ (fetch_retry.c)
 *
 * Invariants: what a lane did not bring is given back before the lane is idle; every way out of
 * lanes_run() settles the flow if the disk still takes bytes, so that the next run goes on.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "worker/fetch_lanes_parts.h"
#include "worker/lifeline.h"
#include <errno.h>

enum {
	TURN_MS = 250,
	HELD_MS = 5000, /* so long one lane may hold up all others, if it is much slower */
	HELD_SLOWER = 4,
	RANGE_MS = 4000, /* that a range takes on a slow line */
	MS_PER_S = 1000,
};
static const uint64_t room_again = 256ULL << 20;

static void lanes_stop(struct lanes *lanes)
{
	for (int i = 0; i < WINDOW_SPANS; i++)
		if (!lane_is_idle(&lanes->lane[i]))
			(void)lane_finish(&lanes->lane[i]);
}

/* --- what has come */

static int lanes_collect(struct lanes *lanes, struct error *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < WINDOW_SPANS; i++) {
		struct lane *lane = &lanes->lane[i];

		if (lane_is_idle(lane) || !http_is_over(lane->transfer))
			continue;
		if (!lane_finish(lane))
			r = lanes_failed(lanes, lane, err);
		else if (lane->slot >= 0)
			lanes_succeeded(lanes);
	}
	if (r == 0 && lanes->restart) {
		lanes->restart = false;
		lanes_stop(lanes);
		r = lanes_rewind(lanes, err);
	}
	return r;
}

static int lanes_tell_progress(struct lanes *lanes, uint64_t done, struct error *err)
{
	const struct lanes_watch *watch = &lanes->options.watch;

	if (done >= lanes->room_due) {
		int r = watch->room(watch->context, done, err);

		if (r < 0)
			return r;
		lanes->room_due = done + room_again;
	}
	return watch->progress(watch->context, done, lanes->came, lanes->host, err);
}

/* --- asking */

static int lanes_running(const struct lanes *lanes)
{
	int n = 0;

	for (int i = 0; i < WINDOW_SPANS; i++)
		n += !lane_is_idle(&lanes->lane[i]);
	return n;
}

/* What one lane brings in so many ms, on the average so far. */
static uint64_t usual_bytes(const struct lanes *lanes, unsigned ms)
{
	uint64_t elapsed = clock_now_ms() - lanes->begun_ms;

	return lanes->came / lanes->connections * ms / (elapsed + ms);
}

/* Smaller ranges on a slow line: what lies in the window behind the first gap is lost when the
 * person pauses. */
static uint64_t range_bytes(const struct lanes *lanes)
{
	uint64_t bytes = usual_bytes(lanes, RANGE_MS);

	if (clock_now_ms() - lanes->begun_ms < RANGE_MS || bytes > window_range_bytes)
		return window_range_bytes;
	return bytes < window_range_least ? window_range_least : bytes;
}

/* *ret_starving: a lane has nothing to do until there is room. */
static int lanes_start(struct lanes *lanes, bool *ret_starving, struct error *err)
{
	int most = lanes->proven ? (int)lanes->connections : 1;
	int running = lanes_running(lanes);
	uint64_t limit = flow_limit(lanes->flow, running < most);

	*ret_starving = false;
	if (clock_now_ms() < lanes->pause_until_ms)
		return 0;
	for (int i = 0; running < most && i < WINDOW_SPANS; i++) {
		int slot, r;

		if (!lane_is_idle(&lanes->lane[i]))
			continue;
		slot = window_take(&lanes->window, limit, range_bytes(lanes));
		if (slot < 0) {
			*ret_starving = lanes->window.next < lanes->window.size;
			return 0;
		}
		r = lane_start(&lanes->lane[i], slot, limit, err);
		if (r < 0)
			return r;
		running++;
	}
	return 0;
}

/* --- a lane that holds up all others */

/* The lane that brings the first bytes that are missing; -1: nobody does. */
static int first_lane(const struct lanes *lanes)
{
	for (int i = 0; i < WINDOW_SPANS; i++) {
		const struct lane *lane = &lanes->lane[i];

		if (!lane_is_idle(lane) && lane->slot >= 0 &&
		    window_holds_up(&lanes->window, lane->slot))
			return i;
	}
	return -1;
}

/* Others wait for room, the threads for bytes: cuts a lane that stays far behind. */
static int lanes_free_held(struct lanes *lanes, bool starving, uint64_t done, struct error *err)
{
	uint64_t now = clock_now_ms();
	int first = starving && done == window_ready(&lanes->window) ? first_lane(lanes) : -1;
	struct lane *lane = first >= 0 ? &lanes->lane[first] : NULL;

	/* it may carry another range by now */
	if (first != lanes->held_lane || !lane || lane->came < lanes->held_came) {
		lanes->held_lane = first;
		lanes->held_since_ms = now;
		lanes->held_came = lane ? lane->came : 0;
		return 0;
	}
	if (now - lanes->held_since_ms < HELD_MS)
		return 0;
	lanes->held_lane = -1;
	if ((lane->came - lanes->held_came) * HELD_SLOWER >= usual_bytes(lanes, HELD_MS))
		return 0;
	lane->result = error_set(&lane->error, ERROR_NETWORK, "worker", 0,
				 "A connection to %.100s held up all others", lanes->host);
	return lane_finish(lane) ? 0 : lanes_failed(lanes, lane, err);
}

/* --- the whole */

static unsigned turn_ms(const struct lanes *lanes)
{
	uint64_t now = clock_now_ms();

	if (now >= lanes->pause_until_ms || lanes->pause_until_ms - now > TURN_MS)
		return TURN_MS;
	return (unsigned)(lanes->pause_until_ms - now);
}

static int lanes_turn(struct lanes *lanes, struct error *err)
{
	bool starving = false;
	uint64_t done;
	int r = lanes_collect(lanes, err);

	if (r < 0)
		return r;
	if (lifeline_is_cut())
		return error_set(err, ERROR_CANCELLED, "worker", 0, "Nobody listens");
	flow_ready(lanes->flow, window_ready(&lanes->window));
	r = flow_check(lanes->flow, err);
	if (r == 0)
		r = lanes_start(lanes, &starving, err);
	if (r < 0)
		return r;
	done = flow_done(lanes->flow);
	r = lanes_free_held(lanes, starving, done, err);
	if (r == 0)
		r = lanes_tell_progress(lanes, done, err);
	if (r == 0 && http_turn(lanes->options.http, turn_ms(lanes)) < 0)
		r = error_set(err, ERROR_BUG, "curl", 0, "curl does not go on");
	return r;
}

/* All bytes are in the window or through it. */
static bool is_whole(const struct lanes *lanes)
{
	return window_ready(&lanes->window) == lanes->options.size;
}

/* Nobody may be listening any more: what is there is to be kept all the same. */
static void on_settling(void *context, uint64_t done)
{
	const struct lanes *lanes = context;
	const struct lanes_watch *watch = &lanes->options.watch;

	(void)watch->progress(watch->context, done, lanes->came, lanes->host, NULL);
}

int lanes_run(const struct lanes_options *options, uint64_t *ret_came, struct error *err)
{
	struct lanes lanes = {
		.options = *options,
		.connections = options->connections,
		.begun_ms = clock_now_ms(),
		.held_lane = -1,
	};
	struct error failed = {};
	int r, settled = 0;

	for (int i = 0; i < WINDOW_SPANS; i++)
		lanes.lane[i].lanes = &lanes;
	text_copy(lanes.url, sizeof(lanes.url), options->url);
	window_reset(&lanes.window, part_done(options->part), options->size);
	lanes.room_due = part_done(options->part) + room_again;
	lifeline_hold(); /* whoever ends it, what has come is kept */
	r = flow_new(options->part, options->http, &lanes.flow, err);
	while (r == 0 && !is_whole(&lanes))
		r = lanes_turn(&lanes, err);
	lanes_stop(&lanes);
	*ret_came = lanes.came;
	if (lanes.flow) {
		flow_ready(lanes.flow, window_ready(&lanes.window));
		settled = flow_settle(lanes.flow, on_settling, &lanes, &failed);
		flow_free(lanes.flow);
	}
	lifeline_let_go();
	if (settled == 0)
		return r;
	/* whatever the server did: the part does not rest, and no other server is of use */
	if (err)
		*err = failed;
	return settled;
}
