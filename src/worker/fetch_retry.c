/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What failures of lanes mean. They come in rounds: when the network goes away all lanes fail, and
 * that counts once. What counts as progress is bytes that came.
 *
 *   one lane is cut, others bring bytes: asked for again at once
 *   else: nothing new for 1, 2, 4 … 60 s, then one lane alone, until its answer is right
 *   429, 503: half the connections, and what Retry-After says
 *   three wrong answers in a row, a file that was never there: the end
 */
#include "base/clock.h"
#include "base/text.h"
#include "worker/fetch_lanes_parts.h"

enum {
	MS_PER_S = 1000,
	PAUSE_FIRST_S = 1,
	PAUSE_LAST_S = 60,
	RETRY_AFTER_MAX_S = 300,
	/* rounds in a row that bring nothing */
	TRIES_FIRST = 4,    /* before a single byte came: the network is not there at all */
	TRIES_LATER = 8,    /* it was there: about three minutes */
	TRIES_WRONG = 3,    /* answers that are not the file */
	TRIES_CHANGED = 3,  /* other versions of the file, whatever came of them */
	TRIES_OWN = 2,      /* of a shop's server: there is another one */
	OWN_WAIT_S = 10,    /* that is not worth to be waited for any longer */
	ROUNDS_MAX = 10000, /* whatever they bring */
	TELL_MS = 1000,
	WHOLE_FOR_MORE = 32, /* ranges after which one more connection is tried */
};
static const uint64_t progress_least = 256 * 1024; /* a round that brings so much was worth it */

static unsigned pause_s(unsigned idle, unsigned retry_after_s)
{
	unsigned pause = PAUSE_FIRST_S;

	for (unsigned i = 1; i < idle && pause < PAUSE_LAST_S; i++)
		pause *= 2;
	if (pause > PAUSE_LAST_S)
		pause = PAUSE_LAST_S;
	if (retry_after_s > pause)
		pause = retry_after_s;
	return pause < RETRY_AFTER_MAX_S ? pause : RETRY_AFTER_MAX_S;
}

static bool others_bring(const struct lanes *lanes, const struct lane *failed)
{
	for (int i = 0; i < WINDOW_SPANS; i++) {
		const struct lane *lane = &lanes->lane[i];

		if (lane != failed && !lane_is_idle(lane) && lane->accepted && lane->slot >= 0)
			return true;
	}
	return false;
}

static bool is_worth_another(const struct lanes *lanes, const struct lane *lane)
{
	unsigned tries = lanes->came ? TRIES_LATER : TRIES_FIRST;

	if (lane->ending == LANE_FOR_GOOD || lane->ending == LANE_OURS ||
	    lanes->wrong >= TRIES_WRONG || lanes->changed >= TRIES_CHANGED ||
	    lanes->round >= ROUNDS_MAX)
		return false;
	if (lanes->options.is_own_server) {
		tries = TRIES_OWN;
		if (lane->ending == LANE_LATER ? lane->retry_after_s > OWN_WAIT_S : !lane->accepted)
			return false;
	}
	return lanes->idle < tries;
}

/* When to go on, and how. */
static void lanes_slow_down(struct lanes *lanes, const struct lane *lane)
{
	uint64_t now = clock_now_ms();
	uint64_t until;

	if (lane->ending == LANE_BY_NETWORK && lanes->idle <= 1 && others_bring(lanes, lane))
		return;
	until = now + (uint64_t)pause_s(lanes->idle, lane->retry_after_s) * MS_PER_S;
	if (until > lanes->pause_until_ms)
		lanes->pause_until_ms = until;
	lanes->proven = false;
	text_copy(lanes->url, sizeof(lanes->url), lanes->options.url);
	if (lane->ending == LANE_LATER && lanes->connections > 1)
		lanes->connections /= 2;
	if (lane->ending == LANE_CHANGED)
		lanes->restart = true;
}

static int lanes_tell(struct lanes *lanes, const char *reason, struct error *err)
{
	uint64_t now = clock_now_ms();

	/* a filter that cuts every connection must not fill the journal */
	if (lanes->told_ms != 0 && now - lanes->told_ms < TELL_MS)
		return 0;
	lanes->told_ms = now;
	return lanes->options.watch.retry(lanes->options.watch.context, reason, err);
}

int lanes_failed(struct lanes *lanes, const struct lane *lane, struct error *err)
{
	bool brought = lanes->came >= lanes->kept_came + progress_least;
	/* it began before a failure that has been counted */
	bool is_old = lane->round != lanes->round;

	if (is_old && lane->ending != LANE_FOR_GOOD && lane->ending != LANE_OURS)
		return 0;
	lanes->round++;
	lanes->whole = 0;
	if (brought) {
		lanes->idle = lanes->wrong = 0;
		lanes->kept_came = lanes->came;
	}
	lanes->idle++;
	if (lane->ending == LANE_WRONG || lane->ending == LANE_CHANGED)
		lanes->wrong++;
	if (lane->ending == LANE_CHANGED)
		lanes->changed++;
	if (!is_worth_another(lanes, lane)) {
		if (err)
			*err = lane->error;
		return lane->result;
	}
	lanes_slow_down(lanes, lane);
	return lanes_tell(lanes, lane->error.text, err);
}

void lanes_succeeded(struct lanes *lanes)
{
	lanes->proven = true;
	lanes->whole++;
	if (lanes->whole % WHOLE_FOR_MORE == 0 && lanes->connections < lanes->options.connections)
		lanes->connections++;
}
