/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns a list of watches, one a phone and enumeration.
 *
 *            due         again_ms, one after the other       its limit, a failure
 *   (none) ──────▶ waiting ──────────────────────────▶ watching ──────────────────▶ waiting
 *                     │                                  │  ▲ event: what the phone says
 *                     │                                  │  └─────
 *                     └──── a record came, left, a job has it: no longer due ──▶ (freed)
 *
 * Invariants: link != NULL exactly while watching. A watch is about one enumeration; the number of
 * enumerations is part of its key, because a port shows the same sysfs path again. A phone whose
 * owner tapped "Don't Trust" is left alone until it is plugged in again, or a job asks it.
 */
#include "service/dialog.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "service/fields.h"
#include "service/worker_link.h"
#include <errno.h>
#include <string.h>

enum { MS_PER_S = 1000, MARGIN_MS = 5000, TURN_MS = 3000, LONG_MS = 60 * 60 * 1000 };

struct watch {
	struct watch *next;
	struct dialogs *dialogs;
	struct worker_link *link;
	unsigned phone_id, enumeration;
	char syspath[SIGHTING_PATH_BYTES];
	char udid[UDID_BYTES];
	uint64_t again_ms; /* while waiting */
	bool waited;       /* a whole limit has passed, and the phone has said nothing else since */
};

struct dialogs {
	struct fleet *fleet;
	struct asker *asker;
	struct worker_pool *pool;
	asker_touched_fn touched_fn;
	void *touched_user;
	struct watch *watches;
	uint64_t turn_ms; /* before, no further watch begins for the first time */
};

bool dialog_is_due(const struct phone *phone)
{
	if (!phone->on_bus || phone->mode != MODE_NORMAL || !phone->in_mux ||
	    phone->identity.udid[0] == '\0' || phone->presence == PRESENCE_AWAITED ||
	    phone->job[0] != '\0')
		return false;
	/* A record that is there is the check's matter: a watch would replace a stale one. Who has
	 * had it forgotten wants no new one; usbmuxd does not ask again either before the next
	 * plug. */
	if (!phone->trust_known || phone->has_record || phone->had_record)
		return false;
	/* asked again, it would show its dialog again to who has just denied it */
	return phone->trust != TRUST_DENIED && phone->trust != TRUST_TRUSTED &&
	       phone->trust != TRUST_REFUSED_BY_POLICY;
}

static void watch_free(struct watch *watch)
{
	struct watch **at = &watch->dialogs->watches;

	while (*at && *at != watch)
		at = &(*at)->next;
	if (*at)
		*at = watch->next;
	worker_link_free(watch->link);
	free(watch);
}

static struct watch *watch_find(const struct dialogs *dialogs, unsigned phone_id)
{
	struct watch *watch = dialogs->watches;

	while (watch && watch->phone_id != phone_id)
		watch = watch->next;
	return watch;
}

/* NULL if the enumeration has ended. */
static const struct phone *watch_phone(const struct watch *watch)
{
	const struct phone *phone = fleet_get(watch->dialogs->fleet, watch->phone_id);

	if (!phone || !phone->on_bus || phone->enumerations != watch->enumeration ||
	    strcmp(phone->sighting.syspath, watch->syspath) != 0)
		return NULL;
	return phone;
}

/* --- what it says ---------------------------------------------------------------------------- */

/* said: an event, or the last line of a watch that ended without trust. */
static void take_word(const struct watch *watch, sd_json_variant *said, const char *text)
{
	enum trust trust = trust_from_name(field_string(said, "trust"));
	struct error reason = { 0 };
	struct trust_answer answer = {
		.trust = trust,
		.detail = trust_detail_from_name(field_string(said, "detail")),
		.reason = &reason,
		.reach = REACH_LOCKDOWN,
	};

	if (trust == TRUST_MAX || trust == TRUST_TRUSTED)
		return;
	if (text)
		(void)error_set(&reason, ERROR_REFUSED, "lockdownd", field_integer(said, "code", 0),
				"%s", text);
	fleet_trust(watch->dialogs->fleet, watch->phone_id, watch->syspath, &answer,
		    clock_now_ms());
}

static void on_event(const char *name, sd_json_variant *event, void *user)
{
	struct watch *watch = user;
	const struct phone *phone = watch_phone(watch);
	bool news;

	if (strcmp(name, "trust") != 0 || !phone)
		return;
	/* each watch begins by saying what stands there: that it has stood there too long by now is
	 * known from the one before */
	if (phone->trust_known && field_is(event, "trust", trust_name(phone->trust)) &&
	    !field_string(event, "detail"))
		return;
	news = phone->trust != trust_from_name(field_string(event, "trust")) ||
	       phone->detail != trust_detail_from_name(field_string(event, "detail"));
	take_word(watch, event, field_string(event, "text"));
	/* somebody is there: that is waited for no longer than at first */
	if (watch->waited && news) {
		watch->waited = false;
		watch->again_ms = 0;
		watch->link = worker_link_free(watch->link);
	}
	watch->dialogs->touched_fn(watch->dialogs->touched_user);
}

static void on_end(sd_json_variant *result, const struct error *err, void *user)
{
	struct watch *watch = user;
	struct dialogs *dialogs = watch->dialogs;

	watch->link = worker_link_free(watch->link);
	if (!watch_phone(watch)) { /* the review frees it */
		dialogs->touched_fn(dialogs->touched_user);
		return;
	}
	watch->waited = err && err->kind == ERROR_SILENT;
	if (err) {
		/* that nobody tapped in time is what it was waiting for, not a failure of it */
		take_word(watch, result, err->kind == ERROR_SILENT ? NULL : err->text);
		watch->again_ms =
		    err->kind == ERROR_SILENT ? 0 : clock_now_ms() + timing_ms(TIMING_ASK_AGAIN);
	} else { /* a record has come: the check says what it is worth */
		asker_ask_anew(dialogs->asker, watch->udid);
		watch->again_ms = clock_now_ms() + timing_ms(TIMING_TRUST_CHECK);
	}
	dialogs->touched_fn(dialogs->touched_user);
}

/* --- watching -------------------------------------------------------------------------------- */

static void watch_begin(struct watch *watch)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	/* each watch begins by asking the phone: after the first, that need not be soon again */
	unsigned limit_ms = watch->waited ? LONG_MS : timing_ms(TIMING_DIALOG);
	struct worker_request request = {
		.kind = "trust",
		.total_ms = limit_ms + MARGIN_MS,
		.event_fn = on_event,
		.end_fn = on_end,
		.user = watch,
	};
	struct error err;
	int r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("udid", watch->udid),
			       SD_JSON_BUILD_PAIR_STRING("action", "await"),
			       SD_JSON_BUILD_PAIR_UNSIGNED("limit_s", limit_ms / MS_PER_S));

	if (r < 0)
		r = error_set_errno(&err, ERROR_BUG, "service", -r, "request of a worker");
	request.fields = fields;
	if (r >= 0)
		r = worker_link_new(watch->dialogs->pool, &request, &watch->link, &err);
	if (r >= 0)
		return;
	log_warning("the screen of the phone %s is not watched: %s", watch->udid, err.text);
	watch->again_ms = clock_now_ms() + timing_ms(TIMING_ASK_AGAIN);
}

static void watch_new(struct dialogs *dialogs, const struct phone *phone)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	const uint64_t now_ms = clock_now_ms();

	if (!watch)
		return; /* the next review tries again */
	*watch = (struct watch){
		.next = dialogs->watches,
		.dialogs = dialogs,
		.phone_id = phone->id,
		.enumeration = phone->enumerations,
	};
	memcpy(watch->syspath, phone->sighting.syspath, sizeof(watch->syspath));
	memcpy(watch->udid, phone->identity.udid, sizeof(watch->udid));
	/* one phone at once; when many come together usbmuxd loses connections */
	watch->again_ms = now_ms > dialogs->turn_ms ? now_ms : dialogs->turn_ms;
	dialogs->turn_ms = watch->again_ms + TURN_MS;
	dialogs->watches = watch;
}

void dialogs_review(struct dialogs *dialogs)
{
	struct watch *next;

	for (struct watch *watch = dialogs->watches; watch; watch = next) {
		const struct phone *phone = watch_phone(watch);

		next = watch->next;
		if (!phone || !dialog_is_due(phone))
			watch_free(watch);
		else if (!watch->link && watch->again_ms <= clock_now_ms())
			watch_begin(watch);
	}
	for (size_t i = 0; dialogs->pool && i < fleet_count(dialogs->fleet); i++) {
		const struct phone *phone = fleet_at(dialogs->fleet, i);

		if (phone && dialog_is_due(phone) && !watch_find(dialogs, phone->id))
			watch_new(dialogs, phone);
	}
}

uint64_t dialogs_deadline(const struct dialogs *dialogs)
{
	uint64_t deadline_ms = UINT64_MAX;

	for (const struct watch *watch = dialogs->watches; watch; watch = watch->next)
		if (!watch->link && watch->again_ms < deadline_ms)
			deadline_ms = watch->again_ms;
	return deadline_ms;
}

int dialogs_new(struct fleet *fleet, struct asker *asker, struct worker_pool *pool,
		asker_touched_fn touched_fn, void *touched_user, struct dialogs **ret)
{
	struct dialogs *dialogs = malloc(sizeof(*dialogs));

	if (!dialogs)
		return -ENOMEM;
	*dialogs = (struct dialogs){
		.fleet = fleet,
		.asker = asker,
		.pool = pool,
		.touched_fn = touched_fn,
		.touched_user = touched_user,
	};
	*ret = dialogs;
	return 0;
}

struct dialogs *dialogs_free(struct dialogs *dialogs)
{
	if (!dialogs)
		return NULL;
	while (dialogs->watches)
		watch_free(dialogs->watches);
	free(dialogs);
	return NULL;
}
