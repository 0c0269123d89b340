/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns one link to a kernel-watch worker, the table of what it told, and two timers: one starts the
 * worker again, one lets old troubles fade.
 *
 *              starts                ends, or cannot be started
 *   waiting ────────────▶ watching ────────────────────────────▶ waiting (TIMING_MUX_RETRY, doubled
 *                                                                each time up to RETRY_FACTOR_MAX)
 *
 * Invariants: link != NULL exactly while watching; read only while watching. A new worker tells of
 * this boot from its beginning, so the table begins anew with each.
 */
#include "service/kernel.h"
#include "base/clock.h"
#include "base/log.h"
#include "facts/facts.h"
#include "service/fields.h"
#include "service/worker_link.h"
#include <errno.h>
#include <limits.h>
#include <string.h>

/* On a system that does not let us read them it will not do so in two seconds either. */
enum { RETRY_FACTOR_MAX = 32, US_PER_MS = 1000 };

struct kernel {
	struct worker_pool *pool;
	struct worker_link *link;
	sd_event_source *retry, *fade;
	unsigned retry_factor;
	struct troubles *troubles;
	kernel_fn fn;
	void *user;
	bool read;
	struct error last; /* latest failure, so that the same one is not logged every time */
};

static int arm(sd_event_source *timer, uint64_t delay_ms)
{
	int r = sd_event_source_set_time_relative(timer, delay_ms * US_PER_MS);

	return r < 0 ? r : sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

/* Old troubles go now; the next time is when the next of them is old. */
static void fade_arm(struct kernel *kernel)
{
	uint64_t now_ms = clock_now_ms(), next_ms;
	int r = 0;

	(void)troubles_expire(kernel->troubles, now_ms, &next_ms);
	if (next_ms == UINT64_MAX)
		(void)sd_event_source_set_enabled(kernel->fade, SD_EVENT_OFF);
	else
		r = arm(kernel->fade, next_ms > now_ms ? next_ms - now_ms : 0);
	if (r < 0)
		log_error("what the kernel complained of does not fade: %s", strerror(-r));
}

static void set_read(struct kernel *kernel, bool read)
{
	bool changed = kernel->read != read || troubles_count(kernel->troubles) > 0;

	kernel->read = read;
	troubles_clear(kernel->troubles);
	fade_arm(kernel);
	if (changed)
		kernel->fn(kernel->user);
}

static bool is_first(const struct kernel *kernel, const char *port, enum trouble_kind kind,
		     uint64_t count)
{
	const struct trouble *trouble = troubles_port(kernel->troubles, port);

	return trouble && trouble->counts[kind] == count;
}

static void take_trouble(struct kernel *kernel, sd_json_variant *event)
{
	const char *port = field_string(event, "port"), *name = field_string(event, "trouble");
	const char *line = field_string(event, "line");
	uint64_t count = field_unsigned(event, "count", 1);
	uint64_t age_ms = field_unsigned(event, "age_ms", 0);
	enum trouble_kind kind;

	if (!port || !name || !line || trouble_from_name(name, &kind) < 0 || count > UINT_MAX) {
		log_warning("kernel-watch told of a trouble that makes no sense: ignored");
		return;
	}
	if (!troubles_note(kernel->troubles, port, kind, (unsigned)count, line, age_ms,
			   clock_now_ms()))
		return; /* of long ago */
	/* the first of its kind at that port; a bus that floods the kernel's log is not to flood
	 * ours */
	if (is_first(kernel, port, kind, count))
		log_notice("the kernel says: %s", line);
	fade_arm(kernel);
	kernel->fn(kernel->user);
}

static void on_event(const char *name, sd_json_variant *event, void *user)
{
	struct kernel *kernel = user;

	kernel->last.kind = ERROR_NONE; /* it works: a failure from now on is news */
	kernel->retry_factor = 1;
	if (strcmp(name, "ready") == 0)
		set_read(kernel, true);
	else if (strcmp(name, "trouble") == 0)
		take_trouble(kernel, event);
	else
		log_debug("kernel-watch: unknown event '%s' skipped", name);
}

static void kernel_wait(struct kernel *kernel, const struct error *err)
{
	unsigned delay_ms = timing_ms(TIMING_MUX_RETRY) * kernel->retry_factor;
	int r;

	if (kernel->last.kind != err->kind || strcmp(kernel->last.text, err->text) != 0)
		log_warning("%s: nothing is known of cables and ports that fail; tried again from "
			    "time to time",
			    err->text);
	kernel->last = *err;
	if (kernel->retry_factor < RETRY_FACTOR_MAX)
		kernel->retry_factor *= 2;
	r = arm(kernel->retry, delay_ms);
	if (r < 0)
		log_error("the kernel's messages are not read any more: %s", strerror(-r));
}

static void on_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct kernel *kernel = user;
	struct error done;

	kernel->link = worker_link_free(kernel->link);
	set_read(kernel, false);
	if (!err) {
		(void)error_set(&done, ERROR_PROTOCOL, "service", 0,
				"worker kernel-watch ended its watch");
		err = &done;
	}
	kernel_wait(kernel, err);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *user)
{
	struct kernel *kernel = user;
	struct worker_request request = {
		.kind = "kernel-watch",
		.event_fn = on_event,
		.end_fn = on_end,
		.user = kernel,
	};
	struct error err;

	/* no limits: the watch has no end of its own, and a quiet kernel is a good one */
	if (worker_link_new(kernel->pool, &request, &kernel->link, &err) < 0)
		kernel_wait(kernel, &err);
	return 0;
}

static int on_fade(sd_event_source *source, uint64_t usec, void *user)
{
	struct kernel *kernel = user;

	fade_arm(kernel);
	kernel->fn(kernel->user);
	return 0;
}

int kernel_new(struct worker_pool *pool, kernel_fn fn, void *user, struct kernel **ret)
{
	_cleanup_(kernel_freep) struct kernel *kernel = calloc(1, sizeof(*kernel));
	sd_event *event = worker_pool_event(pool);
	int r;

	if (!kernel)
		return -ENOMEM;
	*kernel = (struct kernel){ .pool = pool, .fn = fn, .user = user, .retry_factor = 1 };
	r = troubles_new(&kernel->troubles);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &kernel->retry, CLOCK_BOOTTIME, 0, 0,
					       on_retry, kernel);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &kernel->fade, CLOCK_BOOTTIME, 0, 0, on_fade,
					       kernel);
	if (r >= 0)
		r = sd_event_source_set_enabled(kernel->fade, SD_EVENT_OFF);
	if (r < 0)
		return r;
	*ret = TAKE(kernel);
	return 0;
}

struct kernel *kernel_free(struct kernel *kernel)
{
	if (!kernel)
		return NULL;
	worker_link_free(kernel->link);
	sd_event_source_disable_unref(kernel->retry);
	sd_event_source_disable_unref(kernel->fade);
	troubles_free(kernel->troubles);
	free(kernel);
	return NULL;
}

const struct troubles *kernel_troubles(const struct kernel *kernel)
{
	return kernel->troubles;
}

bool kernel_is_read(const struct kernel *kernel)
{
	return kernel->read;
}
