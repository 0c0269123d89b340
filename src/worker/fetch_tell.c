/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/fetch_tell.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "facts/facts.h"
#include "worker/reply.h"
#include <errno.h>
#include <string.h>
#include <systemd/sd-json.h>

/* built: what building the fields returned. */
static int tell(const char *event, int built, sd_json_variant *fields, struct error *err)
{
	int r = built < 0 ? built : reply_event(event, fields);

	if (r >= 0)
		return 0;
	log_info("Nobody listens: %s", strerror(-r));
	return error_set_errno(err, ERROR_CANCELLED, "worker", -r, "Nobody listens");
}

int fetch_tell_progress(struct fetch_tell *state, uint64_t done, uint64_t came, const char *host,
			bool always, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	uint64_t now = clock_now_ms();
	bool rated;
	int r;

	if (came > 0)
		fetch_rate_tell(&state->rate, now, came);
	if (!always && now - state->told_ms < timing_ms(TIMING_PROGRESS))
		return 0;
	state->told_ms = now;
	rated = came > 0 && state->rate.per_s > 0;
	r = sd_json_buildo(
	    &fields, SD_JSON_BUILD_PAIR_UNSIGNED("done", done),
	    SD_JSON_BUILD_PAIR_UNSIGNED("total", state->total),
	    SD_JSON_BUILD_PAIR_CONDITION(rated, "rate", SD_JSON_BUILD_UNSIGNED(state->rate.per_s)),
	    SD_JSON_BUILD_PAIR_CONDITION(
		rated, "left_s",
		SD_JSON_BUILD_UNSIGNED(rated ? fetch_rate_left_s(&state->rate, state->total - done)
					     : 0)),
	    SD_JSON_BUILD_PAIR_CONDITION(host[0] != '\0', "from", SD_JSON_BUILD_STRING(host)));
	return tell("progress", r, fields, err);
}

int fetch_tell_resumed(uint64_t done, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_UNSIGNED("done", done));

	return tell("resumed", r, fields, err);
}

int fetch_tell_retry(const char *reason, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("reason", reason));

	return tell("retry", r, fields, err);
}
