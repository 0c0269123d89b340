/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns one link to a mux-watch worker and the timer that starts it again:
 *
 *              starts                ends, or cannot be started
 *   waiting ────────────▶ watching ────────────────────────────▶ waiting (TIMING_MUX_RETRY)
 *
 * Invariants: link != NULL exactly while watching; up only while watching; every MUX_UP is followed
 * by a MUX_DOWN before the next. A MUX_DOWN before any MUX_UP says that nobody is there; a further
 * one, that it is down for another reason.
 *
 * Beside it a worker mux may be at work that starts a usbmuxd anew which hangs.
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

/* watches in a row that found a usbmuxd and got no answer */
enum { SILENT_MOST = 3 };

struct mux {
	struct worker_pool *pool;
	struct worker_link *link;
	struct worker_link *cure; /* NULL: none at work */
	unsigned silent;          /* so many watches ended for silence since usbmuxd answered */
	bool incurable;           /* usbmuxd is not ours to start on this system */
	sd_event_source *timer;
	mux_fn fn;
	void *user;
	bool known; /* fn was called */
	bool up;
	enum error_kind told; /* why it is not up, as it was told */
	struct error last; /* latest failure, so that the same one is not logged every 2 seconds */
};

/* why: NULL if nothing stood in the way, or nobody knows what. */
static void mux_set_up(struct mux *mux, bool up, const struct error *why)
{
	enum error_kind kind = why ? why->kind : ERROR_NONE;

	if (mux->known && mux->up == up && mux->told == kind)
		return;
	mux->known = true;
	mux->up = up;
	mux->told = kind;
	mux->fn(up ? MUX_UP : MUX_DOWN, NULL, 0, why, mux->user);
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
	mux->fn(news, udid, (unsigned)location, NULL, mux->user);
}

static void on_event(const char *name, sd_json_variant *event, void *user)
{
	struct mux *mux = user;

	mux->last.kind = ERROR_NONE; /* it works: a failure from now on is news */
	if (strcmp(name, "mux-up") == 0) {
		mux->silent = 0;
		mux_set_up(mux, true, NULL);
	} else if (strcmp(name, "mux-down") == 0)
		mux_set_up(mux, false, NULL);
	else if (strcmp(name, "attached") == 0)
		mux_listed(mux, event, MUX_ATTACHED);
	else if (strcmp(name, "detached") == 0)
		mux_listed(mux, event, MUX_DETACHED);
	else if (strcmp(name, "paired") == 0)
		mux_listed(mux, event, MUX_PAIRED);
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

static void on_cure_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct mux *mux = user;

	mux->cure = worker_link_free(mux->cure);
	mux->incurable = err && err->kind == ERROR_UNSUPPORTED;
	if (err)
		log_warning("usbmuxd hangs and was not started anew: %s", err->text);
	else
		log_warning("usbmuxd hung and was started anew");
}

/*
 * Connections through a usbmuxd that hangs carry nothing any more, so nobody loses one by its end.
 * Only what is there and silent again and again counts: one that is merely slow may be in the
 * middle of a restore.
 */
static void mux_cure(struct mux *mux)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	struct worker_request request = {
		.kind = "mux",
		.silence_ms = step_fact(STEP_RESTART_MUX)->silence_s * 1000,
		.total_ms = step_fact(STEP_RESTART_MUX)->total_s * 1000,
		.end_fn = on_cure_end,
		.user = mux,
	};
	struct error err;

	if (mux->cure || mux->incurable || ++mux->silent < SILENT_MOST)
		return;
	mux->silent = 0;
	if (sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("action", "restart")) < 0)
		return; /* no memory: the next one tries again */
	request.fields = fields;
	if (worker_link_new(mux->pool, &request, &mux->cure, &err) < 0)
		log_warning("usbmuxd hangs and was not started anew: %s", err.text);
}

static void on_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct mux *mux = user;
	const struct error *why = NULL;
	struct error done;

	mux->link = worker_link_free(mux->link);
	/* an end that it tells itself says what is wrong with usbmuxd; ours do not */
	if (err && strcmp(err->origin, "usbmuxd") == 0)
		why = err;
	mux_set_up(mux, false, why);
	if (why && why->kind == ERROR_SILENT)
		mux_cure(mux);
	else if (why)
		mux->silent = 0; /* it does something else than hang */
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
	if (worker_link_new(mux->pool, &request, &mux->link, &err) < 0) {
		mux_set_up(mux, false, NULL);
		mux_wait(mux, &err);
	}
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
	worker_link_free(mux->cure);
	sd_event_source_disable_unref(mux->timer);
	free(mux);
	return NULL;
}
