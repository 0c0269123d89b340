/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the files of fetch_lanes.h share: fetch_lanes.c runs them, fetch_lane.c is one connection,
 * fetch_retry.c decides what a failure means. */
#include "worker/fetch_answer.h"
#include "worker/fetch_flow.h"
#include "worker/fetch_lanes.h"

/* Why a lane ended early, as far as its answer tells. */
enum lane_ending {
	LANE_BY_NETWORK,
	LANE_WRONG,
	LANE_CHANGED,
	LANE_LATER,
	LANE_FOR_GOOD,
	LANE_OURS, /* disk, memory: not the server's fault */
};

struct lanes;

/* One connection with the range that it brings. */
struct lane {
	struct lanes *lanes;            /* borrowed */
	struct http_transfer *transfer; /* NULL: idle */
	int slot;       /* of the window; -1: what it brings is of no use any more */
	uint64_t limit; /* up to here there is room for it */
	uint64_t came;  /* bytes in this range */
	unsigned round; /* lanes->round when it began */
	bool accepted;  /* its answer is the right one */
	enum lane_ending ending;
	int result; /* once it is over, error says why if it is negative */
	unsigned retry_after_s;
	struct error error;
	char range[64], condition[HTTP_ETAG_BYTES + 16];
	const char *headers[4];
};

struct lanes {
	struct lanes_options options;
	struct flow *flow;
	struct window window;
	struct lane lane[WINDOW_SPANS];
	char url[HTTP_URL_BYTES]; /* to ask at: options.url, or where that redirects to */
	char host[HTTP_HOST_BYTES];
	uint64_t came;     /* bytes over the network */
	uint64_t room_due; /* look for room when so much is kept */
	/* the server's temper, fetch_retry.c */
	bool proven; /* it gave a right answer after the last failure: ask for more at once */
	unsigned connections; /* that it bears */
	unsigned round;       /* failures that counted */
	unsigned idle, wrong; /* of these: in a row without progress; wrong answers among them */
	unsigned changed;     /* times that another file was there */
	unsigned anew;        /* times that the server sent no parts, and what was kept was lost */
	unsigned whole;       /* ranges in a row without a refusal */
	uint64_t kept_came;   /* `came` at the last failure */
	uint64_t pause_until_ms, told_ms;
	bool restart; /* another file is there: all that is kept is of no use */
	/* a lane that holds up all others */
	uint64_t begun_ms, held_since_ms, held_came;
	int held_lane;
	int result; /* negative: over, error says why */
	struct error error;
};

/* fetch_lane.c */
bool lane_is_idle(const struct lane *lane);
/* Asks for the bytes of its slot. */
int lane_start(struct lane *lane, int slot, uint64_t limit, struct error *err);
/* Its transfer is over, or is cut now: gives back what did not come. True unless it has failed. */
bool lane_finish(struct lane *lane);
/* All bytes are to come anew; transfers of other lanes bring nothing any more. */
int lanes_rewind(struct lanes *lanes, struct error *err);

/* fetch_retry.c */
/* A lane has failed: decides whether and when to go on; a negative errno if not. */
int lanes_failed(struct lanes *lanes, const struct lane *lane, struct error *err);
void lanes_succeeded(struct lanes *lanes);
