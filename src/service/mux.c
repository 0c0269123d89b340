/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns one link to a mux-watch worker and the timer that starts it again:
 *
 *              starts                ends, or cannot be started
 *   waiting ────────────▶ watching ────────────────────────────▶ waiting (TIMING_MUX_RETRY)
 *
 * Invariants: link != NULL exactly while watching; up only while watching; every MUX_UP is followed
 * by one MUX_DOWN before the next.
 */
#include "service/mux.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "bus/serial.h"
#include "facts/facts.h"
#include "service/fields.h"
#include "service/worker_link.h"
#include <errno.h>
#include <limits.h>

struct mux {
	struct worker_pool *pool;
	struct worker_link *link;
	sd_event_source *timer;
	mux_fn fn;
	void *user;
	bool up;
	struct error last; /* latest failure, so that the same one is not logged every 2 seconds */
};

static void mux_set_up(struct mux *mux, bool up)
{
	if (mux->up == up)
		return;
	mux->up = up;
	mux->fn(up ? MUX_UP : MUX_DOWN, NULL, 0, mux->user);
}

static void mux_listed(struct mux *mux, sd_json_variant *event, enum mux_news news)
{
	const char *udid = field_string(event, "udid");
	uint64_t location = field_unsigned(event, "location", 0);

	if (!udid || udid[0] == '\0' || strlen(udid) >= UDID_BYTES || location > UINT_MAX) {
		log_warning("mux-watch named a phone by something that is no UDID: ignored");
		return;
	}
	/* A phone that usbmuxd finds over Wi-Fi is not plugged in here. */
	if (field_is(event, "connection", "network"))
		return;
	mux->fn(news, udid, (unsigned)location, mux->user);
}

static void on_event(const char *name, sd_json_variant *event, void *user)
{
	struct mux *mux = user;

	mux->last.kind = ERROR_NONE; /* it works: a failure from now on is news */
	if (strcmp(name, "mux-up") == 0)
		mux_set_up(mux, true);
	else if (strcmp(name, "mux-down") == 0)
		mux_set_up(mux, false);
	else if (strcmp(name, "attached") == 0)
		mux_listed(mux, event, MUX_ATTACHED);
	else if (strcmp(name, "detached") == 0)
		mux_listed(mux, event, MUX_DETACHED);
	else
		log_debug("mux-watch: unknown event '%s' skipped", name);
}

static void mux_wait(struct mux *mux, const struct error *err)
{
	int r;

	if (mux->last.kind != err->kind || strcmp(mux->last.text, err->text) != 0)
		log_warning("%s; trying again every %u ms", err->text, timing_ms(TIMING_MUX_RETRY));
	mux->last = *err;
	r = sd_event_source_set_time_relative(mux->timer,
					      (uint64_t)timing_ms(TIMING_MUX_RETRY) * 1000);
	if (r >= 0)
		r = sd_event_source_set_enabled(mux->timer, SD_EVENT_ONESHOT);
	if (r < 0)
		log_error("usbmuxd is not watched any more: %s", strerror(-r));
}

static void on_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct mux *mux = user;
	struct error done;

	mux->link = worker_link_free(mux->link);
	mux_set_up(mux, false);
	if (!err) {
		(void)error_set(&done, ERROR_PROTOCOL, "service", 0,
				"worker mux-watch ended its watch");
		err = &done;
	}
	mux_wait(mux, err);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *user)
{
	struct mux *mux = user;
	struct worker_request request = {
		.kind = "mux-watch",
		.event_fn = on_event,
		.end_fn = on_end,
		.user = mux,
	};
	struct error err;

	/* no limits: the watch has no end of its own, and silence is what a quiet bus sounds like
	 */
	if (worker_link_new(mux->pool, &request, &mux->link, &err) < 0)
		mux_wait(mux, &err);
	return 0;
}

int mux_new(struct worker_pool *pool, mux_fn fn, void *user, struct mux **ret)
{
	_cleanup_(mux_freep) struct mux *mux = calloc(1, sizeof(*mux));
	int r;

	if (!mux)
		return -ENOMEM;
	*mux = (struct mux){ .pool = pool, .fn = fn, .user = user };
	r = sd_event_add_time_relative(worker_pool_event(pool), &mux->timer, CLOCK_BOOTTIME, 0, 0,
				       on_timer, mux);
	if (r < 0)
		return r;
	*ret = TAKE(mux);
	return 0;
}

struct mux *mux_free(struct mux *mux)
{
	if (!mux)
		return NULL;
	worker_link_free(mux->link);
	sd_event_source_disable_unref(mux->timer);
	free(mux);
	return NULL;
}
