/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One connection:
 *
 *   idle ──▶ asking ──▶ accepted ──▶ over ──▶ idle
 *              │           │ another lane began anew: what comes is of no use (slot -1)
 *              └───────────┴─▶ over
 *
 * Invariant: only an accepted answer puts bytes into the window, only into its own slot.
 */
#include "base/text.h"
#include "worker/fetch_lanes_parts.h"
#include "worker/ipsw.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ANEW_MAX = 3 }; /* times that a server without parts may cost what is kept */

bool lane_is_idle(const struct lane *lane)
{
	return !lane->transfer;
}

static int lane_end_as(struct lane *lane, enum lane_ending ending, int r)
{
	lane->ending = ending;
	return r;
}

/* --- the answer */

static enum lane_ending ending_of(const struct lanes *lanes, enum fetch_answer answer)
{
	switch (answer) {
	case FETCH_CHANGED:
		return LANE_CHANGED;
	case FETCH_LATER:
		return LANE_LATER;
	case FETCH_GONE:
		/* one of many servers behind the name may refuse what the others send */
		return lanes->came == 0 ? LANE_FOR_GOOD : LANE_WRONG;
	case FETCH_WRONG:
	case FETCH_TAKE:
	case FETCH_REWIND:
		break;
	}
	return LANE_WRONG;
}

static bool is_alone(const struct lane *lane)
{
	const struct window *window = &lane->lanes->window;

	for (int i = 0; i < WINDOW_SPANS; i++)
		if (i != lane->slot && window->spans[i].at != window->spans[i].end)
			return false;
	return true;
}

int lanes_rewind(struct lanes *lanes, struct error *err)
{
	int r;

	for (int i = 0; i < WINDOW_SPANS; i++)
		lanes->lane[i].slot = -1;
	lanes->flow = flow_free(lanes->flow);
	r = part_restart(lanes->options.part, err);
	if (r < 0)
		return r;
	window_reset(&lanes->window, 0, lanes->options.size);
	lanes->room_due = 0;
	return flow_new(lanes->options.part, lanes->options.http, &lanes->flow, err);
}

/* The answer is the whole file, from its begin: this lane brings all of it. */
static int lane_take_all(struct lane *lane, struct error *err)
{
	struct lanes *lanes = lane->lanes;
	bool loses = lanes->window.spans[lane->slot].at > 0;
	int r = 0;

	if (loses && lanes->anew++ >= ANEW_MAX)
		return lane_end_as(lane, LANE_FOR_GOOD,
				   error_set(err, ERROR_NETWORK, "worker", 0,
					     "The server sends the file from its begin again "
					     "whenever the connection breaks: it is never whole "
					     "that way. Use another network"));
	if (!is_alone(lane) || loses) {
		r = lanes_rewind(lanes, err);
		if (r == 0)
			lane->slot = window_take(&lanes->window, UINT64_MAX, window_range_bytes);
	}
	if (r == 0 && loses)
		r = lanes->options.watch.retry(lanes->options.watch.context,
					       "The server sends the file from its begin again",
					       err);
	if (r < 0)
		return lane_end_as(lane, LANE_OURS, r);
	window_widen(&lanes->window, lane->slot);
	lane->limit = 0; /* to be asked for */
	return 0;
}

static void lane_accept(struct lane *lane, const struct http_head *head)
{
	struct lanes *lanes = lane->lanes;
	/* a weak one says nothing about bytes */
	const char *etag = strncmp(head->etag, "W/", 2) == 0 ? "" : head->etag;
	const char *known = part_etag(lanes->options.part, lanes->options.url);

	if (etag[0] && strcmp(etag, known) != 0)
		part_set_etag(lanes->options.part, lanes->options.url, etag);
	text_copy(lanes->url, sizeof(lanes->url), http_transfer_url(lane->transfer));
	text_copy(lanes->host, sizeof(lanes->host), head->host);
	lanes->proven = true;
	lane->accepted = true;
}

static int on_head(void *context, const struct http_head *head)
{
	struct lane *lane = context;
	struct lanes *lanes = lane->lanes;
	const struct window_span *span;
	struct fetch_asked asked;
	enum fetch_answer answer;
	const char *why = NULL;
	int r;

	if (lane->slot < 0)
		return -ECANCELED;
	span = &lanes->window.spans[lane->slot];
	asked = (struct fetch_asked){ span->at, span->end, lanes->options.size,
				      part_etag(lanes->options.part, lanes->options.url) };
	answer = fetch_answer_judge(head, &asked, &why);
	if (answer != FETCH_TAKE && answer != FETCH_REWIND) {
		r = error_set(&lane->error, ERROR_NETWORK, "worker", head->status,
			      "%s %s (HTTP status %u)", head->host, why, head->status);
		lane->retry_after_s = head->retry_after_s;
		return lane_end_as(lane, ending_of(lanes, answer), r);
	}
	if (head->status == 200) {
		r = lane_take_all(lane, &lane->error);
		if (r < 0)
			return r;
	}
	lane_accept(lane, head);
	return 0;
}

/* --- the bytes */

/* How many bytes may go to `at` in one piece, at least one; waits for room if the answer is longer
 * than what was asked for. A negative errno with lane->error set. */
static int64_t room_at(struct lane *lane, uint64_t at, uint8_t **ret)
{
	struct lanes *lanes = lane->lanes;
	size_t n = 0;

	if (at >= lane->limit) {
		int r;

		flow_ready(lanes->flow, window_ready(&lanes->window));
		r = flow_wait_room(lanes->flow, at, &lane->error);
		if (r < 0)
			return lane_end_as(lane, LANE_OURS, r);
		lane->limit = flow_limit(lanes->flow, false);
	}
	*ret = flow_place(lanes->flow, at, &n);
	return (int64_t)(n < lane->limit - at ? n : lane->limit - at);
}

static int on_bytes(void *context, const void *bytes, size_t n)
{
	struct lane *lane = context;
	struct lanes *lanes = lane->lanes;
	const struct window_span *span;
	const uint8_t *from = bytes;

	if (lane->slot < 0)
		return -ECANCELED;
	span = &lanes->window.spans[lane->slot];
	if (n > span->end - span->at)
		return lane_end_as(lane, LANE_WRONG,
				   error_set(&lane->error, ERROR_NETWORK, "worker", 0,
					     "The server sends more than the file"));
	lane->came += n;
	lanes->came += n;
	while (n > 0) {
		uint8_t *to = NULL;
		int64_t room = room_at(lane, span->at, &to);
		size_t piece = room < 0 || (uint64_t)room > n ? n : (size_t)room;

		if (room < 0)
			return (int)room;
		memcpy(to, from, piece);
		window_advance(&lanes->window, lane->slot, piece);
		from += piece;
		n -= piece;
	}
	return 0;
}

/* --- begin and end */

int lane_start(struct lane *lane, int slot, uint64_t limit, struct error *err)
{
	struct lanes *lanes = lane->lanes;
	const struct window_span *span = &lanes->window.spans[slot];
	const char *etag = part_etag(lanes->options.part, lanes->options.url);
	struct http_sink sink = { on_head, on_bytes, lane };
	struct http_request request = {
		.url = lanes->url,
		.headers = lane->headers,
		.host_is_allowed = lanes->options.is_own_server ? NULL : ipsw_host_is_allowed,
		.is_own_server = lanes->options.is_own_server,
	};
	int r;

	*lane =
	    (struct lane){ .lanes = lanes, .slot = slot, .limit = limit, .round = lanes->round };
	snprintf(lane->range, sizeof(lane->range), "Range: bytes=%" PRIu64 "-%" PRIu64, span->at,
		 span->end - 1);
	snprintf(lane->condition, sizeof(lane->condition), "If-Range: %s", etag);
	lane->headers[0] = "Accept-Encoding: identity";
	lane->headers[1] = lane->range;
	lane->headers[2] = etag[0] ? lane->condition : NULL;
	r = http_begin(lanes->options.http, &request, &sink, &lane->transfer, err);
	if (r < 0)
		window_release(&lanes->window, slot);
	return r;
}

bool lane_finish(struct lane *lane)
{
	struct window *window = &lane->lanes->window;
	bool all;

	if (http_is_over(lane->transfer))
		lane->result = http_result(lane->transfer, &lane->error);
	lane->transfer = http_end(lane->transfer);
	if (lane->slot < 0)
		return lane->ending != LANE_OURS; /* nobody waits for what it brings */
	/* hanging up rudely after the last byte takes nothing away */
	all = window->spans[lane->slot].at == window->spans[lane->slot].end &&
	      (lane->result == 0 || lane->ending == LANE_BY_NETWORK);
	window_release(window, lane->slot);
	if (!all && lane->result == 0)
		lane->result = error_set(&lane->error, ERROR_NETWORK, "worker", 0,
					 "The connection broke in the middle of the file");
	return all;
}
