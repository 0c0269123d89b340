/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A flow owns the window, a ring of 64 MiB in which the byte at offset o of the file stands at
 * o % 64 MiB, and two threads:
 *
 *   connections ─▶ |▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒| ─▶ writer: disk, SHA-1, commit
 *                  ▲          ▲         ▲             ─▶ hasher: SHA-256
 *                  done       other     ready
 *
 * Invariants: written <= ready, hashed <= ready; done = the lesser of both; no byte beyond
 * done + 64 MiB is taken in, and none beyond committed + 96 MiB: so much at most comes twice after
 * a kill. All positions are guarded by the lock; the ring is not: what is between done and ready
 * belongs to the threads, the rest to the connections. A thread that fails leaves its error and
 * ends; the other ends then, too.
 */
#include "worker/fetch_flow.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

enum {
	RING_BYTES = 64 << 20,
	PIECE_BYTES = 1 << 20,
	PART_MS = 200, /* a part of a piece is waited with for so long */
	COMMIT_MS = 5000,
	TELL_MS = 500,
	NS_PER_MS = 1000000,
	NS_PER_S = 1000000000,
};
static const uint64_t commit_bytes = 32ULL << 20;
/* what the kernel has taken in besides is some MiB a connection: with it, less than 128 MiB */
static const uint64_t twice_most = 96ULL << 20;

struct flow {
	struct part *part; /* borrowed */
	uint8_t *ring;
	struct http *http; /* borrowed */
	pthread_t writer, hasher;
	bool writer_runs, hasher_runs;
	pthread_mutex_t lock;
	pthread_cond_t news; /* any of what follows has changed */
	uint64_t ready, written, hashed, committed;
	uint64_t committed_ms;
	bool stop, settle, starving;
	int result; /* negative: a thread has failed, error says why */
	struct error error;
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t done_of(const struct flow *flow)
{
	return least(flow->written, flow->hashed);
}

/* Bytes from `from` on that are ready and lie in one piece, which ends at a multiple of
 * PIECE_BYTES, and so at the end of the ring and at each mark. */
static size_t piece_of(const struct flow *flow, uint64_t from)
{
	return (size_t)least(flow->ready - from, PIECE_BYTES - from % PIECE_BYTES);
}

/* With the lock held: until something has changed, ms at most. */
static void news_wait(struct flow *flow, unsigned ms)
{
	struct timespec until;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns = (uint64_t)until.tv_nsec + (uint64_t)ms * NS_PER_MS;
	until.tv_sec += (time_t)(ns / NS_PER_S);
	until.tv_nsec = (long)(ns % NS_PER_S);
	(void)pthread_cond_clockwait(&flow->news, &flow->lock, CLOCK_MONOTONIC, &until);
}

/* With the lock held: everybody hears of what has changed. */
static void tell(struct flow *flow)
{
	pthread_cond_broadcast(&flow->news);
	if (!flow->starving)
		return;
	flow->starving = false;
	http_wake(flow->http);
}

static void fail(struct flow *flow, int r, const struct error *error)
{
	if (flow->result == 0) {
		flow->result = r;
		flow->error = *error;
	}
	flow->stop = true;
	flow->starving = true; /* who waits for room is to hear that there will be none */
	tell(flow);
}

/* --- the thread that writes */

/* Where to commit now; 0: not yet. */
static uint64_t commit_due(const struct flow *flow)
{
	uint64_t done = done_of(flow);
	uint64_t marked = done - done % part_mark_bytes;

	if (flow->settle && done == flow->ready && done > flow->committed)
		return done;
	if (marked <= flow->committed)
		return 0;
	if (marked / commit_bytes > flow->committed / commit_bytes)
		return marked;
	return clock_now_ms() - flow->committed_ms >= COMMIT_MS ? marked : 0;
}

/* Whole pieces cost the least; of a line that is slow what there is is taken all the same. */
static bool is_worth_writing(const struct flow *flow, uint64_t from, size_t n, bool waited)
{
	return n > 0 && (waited || flow->settle || (from + n) % PIECE_BYTES == 0);
}

/* One of these at a time, without the lock. */
static int writer_step(struct flow *flow, uint64_t from, size_t n, uint64_t commit,
		       struct error *err)
{
	int r;

	pthread_mutex_unlock(&flow->lock);
	r = commit ? part_commit(flow->part, commit, err)
		   : part_write(flow->part, from, flow->ring + from % RING_BYTES, n, err);
	pthread_mutex_lock(&flow->lock);
	return r;
}

static void *writer_main(void *argument)
{
	struct flow *flow = argument;
	struct error error = {};
	uint64_t part_since_ms = 0; /* a part of a piece is there since then; 0: there is none */

	pthread_mutex_lock(&flow->lock);
	while (!flow->stop) {
		uint64_t commit = commit_due(flow), from = flow->written, now_ms = clock_now_ms();
		size_t n = piece_of(flow, from);
		int r;

		if (n > 0 && part_since_ms == 0)
			part_since_ms = now_ms;
		if (!commit &&
		    !is_worth_writing(flow, from, n, now_ms - part_since_ms >= PART_MS)) {
			/* also while nothing comes, a commit may be due */
			news_wait(flow, n > 0 ? PART_MS : COMMIT_MS);
			continue;
		}
		part_since_ms = 0;
		r = writer_step(flow, from, n, commit, &error);
		if (r < 0) {
			fail(flow, r, &error);
			break;
		}
		if (commit) {
			flow->committed = commit;
			flow->committed_ms = clock_now_ms();
		} else {
			flow->written += n;
		}
		tell(flow);
	}
	pthread_mutex_unlock(&flow->lock);
	return NULL;
}

/* --- the thread that makes the SHA-256 */

static int hasher_step(struct flow *flow, uint64_t from, size_t n, struct error *err)
{
	int r;

	pthread_mutex_unlock(&flow->lock);
	r = part_hash(flow->part, flow->ring + from % RING_BYTES, n, err);
	if (r == 0)
		r = part_mark(flow->part, from + n, err);
	pthread_mutex_lock(&flow->lock);
	return r;
}

static void *hasher_main(void *argument)
{
	struct flow *flow = argument;
	struct error error = {};

	pthread_mutex_lock(&flow->lock);
	while (!flow->stop) {
		uint64_t from = flow->hashed;
		size_t n = piece_of(flow, from);
		int r;

		if (n == 0) {
			pthread_cond_wait(&flow->news, &flow->lock);
			continue;
		}
		r = hasher_step(flow, from, n, &error);
		if (r < 0) {
			fail(flow, r, &error);
			break;
		}
		flow->hashed += n;
		tell(flow);
	}
	pthread_mutex_unlock(&flow->lock);
	return NULL;
}

/* --- begin and end */

static int threads_start(struct flow *flow)
{
	flow->writer_runs = pthread_create(&flow->writer, NULL, writer_main, flow) == 0;
	if (!flow->writer_runs)
		return -EAGAIN;
	flow->hasher_runs = pthread_create(&flow->hasher, NULL, hasher_main, flow) == 0;
	return flow->hasher_runs ? 0 : -EAGAIN;
}

int flow_new(struct part *part, struct http *http, struct flow **ret, struct error *err)
{
	struct flow *flow = calloc(1, sizeof(*flow));
	uint64_t done = part_done(part);

	if (!flow)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot keep bytes");
	flow->part = part;
	flow->http = http;
	flow->ready = flow->written = flow->hashed = flow->committed = done;
	flow->committed_ms = clock_now_ms();
	pthread_mutex_init(&flow->lock, NULL);
	pthread_cond_init(&flow->news, NULL);
	flow->ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (flow->ring == MAP_FAILED || threads_start(flow) < 0) {
		flow_free(flow);
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot keep bytes");
	}
	*ret = flow;
	return 0;
}

struct flow *flow_free(struct flow *flow)
{
	if (!flow)
		return NULL;
	pthread_mutex_lock(&flow->lock);
	flow->stop = true;
	pthread_cond_broadcast(&flow->news);
	pthread_mutex_unlock(&flow->lock);
	if (flow->writer_runs)
		pthread_join(flow->writer, NULL);
	if (flow->hasher_runs)
		pthread_join(flow->hasher, NULL);
	if (flow->ring != MAP_FAILED)
		munmap(flow->ring, RING_BYTES);
	pthread_cond_destroy(&flow->news);
	pthread_mutex_destroy(&flow->lock);
	free(flow);
	return NULL;
}

/* --- the side of the connections */

uint8_t *flow_place(struct flow *flow, uint64_t at, size_t *ret_n)
{
	*ret_n = RING_BYTES - (size_t)(at % RING_BYTES);
	return flow->ring + at % RING_BYTES;
}

void flow_ready(struct flow *flow, uint64_t ready)
{
	pthread_mutex_lock(&flow->lock);
	if (ready > flow->ready) {
		flow->ready = ready;
		pthread_cond_broadcast(&flow->news);
	}
	pthread_mutex_unlock(&flow->lock);
}

static uint64_t limit_of(const struct flow *flow)
{
	return least(done_of(flow) + RING_BYTES, flow->committed + twice_most);
}

uint64_t flow_limit(struct flow *flow, bool starving)
{
	uint64_t limit;

	pthread_mutex_lock(&flow->lock);
	limit = limit_of(flow);
	flow->starving = starving;
	pthread_mutex_unlock(&flow->lock);
	return limit;
}

uint64_t flow_done(struct flow *flow)
{
	uint64_t done;

	pthread_mutex_lock(&flow->lock);
	done = done_of(flow);
	pthread_mutex_unlock(&flow->lock);
	return done;
}

/* With the lock held. */
static int result_of(const struct flow *flow, struct error *err)
{
	if (flow->result < 0 && err)
		*err = flow->error;
	return flow->result;
}

int flow_wait_room(struct flow *flow, uint64_t at, struct error *err)
{
	int r;

	pthread_mutex_lock(&flow->lock);
	while (flow->result == 0 && limit_of(flow) <= at)
		pthread_cond_wait(&flow->news, &flow->lock);
	r = result_of(flow, err);
	pthread_mutex_unlock(&flow->lock);
	return r;
}

int flow_check(struct flow *flow, struct error *err)
{
	int r;

	pthread_mutex_lock(&flow->lock);
	r = result_of(flow, err);
	pthread_mutex_unlock(&flow->lock);
	return r;
}

/* With the lock held: waits for news, not for long, and tells of them without the lock. */
static void settle_turn(struct flow *flow, flow_progress_fn progress, void *context)
{
	uint64_t done;

	news_wait(flow, TELL_MS);
	if (!progress)
		return;
	done = done_of(flow);
	pthread_mutex_unlock(&flow->lock);
	progress(context, done);
	pthread_mutex_lock(&flow->lock);
}

int flow_settle(struct flow *flow, flow_progress_fn progress, void *context, struct error *err)
{
	int r;

	pthread_mutex_lock(&flow->lock);
	flow->settle = true;
	pthread_cond_broadcast(&flow->news);
	while (flow->result == 0 && flow->committed < flow->ready)
		settle_turn(flow, progress, context);
	flow->settle = false;
	r = result_of(flow, err);
	if (r == 0)
		part_rest(flow->part, flow->ready);
	pthread_mutex_unlock(&flow->lock);
	return r;
}
