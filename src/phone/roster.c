/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the members. Invariants: ids are unique and grow; a dead member has presence gone and lives
 * only until the next report. What a face lists is what was reported as added and not yet as
 * removed: `visible` remembers that, so several turns of one phone within a call make one report.
 */
#include "phone/roster.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "phone/match.h"
#include <stdlib.h>
#include <string.h>

static struct member *longest_gone(const struct roster *roster)
{
	struct member *oldest = NULL;

	for (size_t i = 0; i < roster->count; i++) {
		struct member *member = roster->members[i];

		/* one that is still to be reported as removed stays for that, one that a job
		 * waits for until the job gives it back */
		if (member->phone.presence != PRESENCE_GONE || member->touched ||
		    member->phone.job[0] != '\0')
			continue;
		if (!oldest || member->phone.since_ms < oldest->phone.since_ms)
			oldest = member;
	}
	return oldest;
}

static bool make_room(struct roster *roster)
{
	struct member *oldest;

	if (roster->count < FLEET_PHONES_MAX)
		return true;
	oldest = longest_gone(roster);
	if (!oldest) {
		if (!roster->full)
			log_warning("%d phones are here: no more are shown", FLEET_PHONES_MAX);
		roster->full = true;
		return false;
	}
	roster_drop(roster, oldest);
	return true;
}

struct member *roster_add(struct roster *roster)
{
	struct member *member;

	if (!make_room(roster))
		return NULL;
	member = calloc(1, sizeof(*member));
	if (!member) {
		log_error("no memory for another phone");
		return NULL;
	}
	member->phone.id = ++roster->last_id;
	member->phone.presence = PRESENCE_GONE;
	roster->members[roster->count++] = member;
	return member;
}

void roster_drop(struct roster *roster, struct member *member)
{
	size_t i = 0;

	while (roster->members[i] != member)
		i++;
	roster->members[i] = roster->members[--roster->count];
	roster->full = false;
	free(member);
}

void roster_clear(struct roster *roster)
{
	while (roster->count > 0)
		free(roster->members[--roster->count]);
}

struct member *roster_get(const struct roster *roster, unsigned id)
{
	for (size_t i = 0; i < roster->count; i++)
		if (roster->members[i]->phone.id == id && !roster->members[i]->dead)
			return roster->members[i];
	return NULL;
}

struct member *roster_on_bus(const struct roster *roster, const char *syspath)
{
	for (size_t i = 0; i < roster->count; i++) {
		struct member *member = roster->members[i];

		if (member->phone.on_bus && strcmp(member->phone.sighting.syspath, syspath) == 0)
			return member;
	}
	return NULL;
}

uint64_t roster_deadline(const struct roster *roster)
{
	uint64_t deadline_ms = UINT64_MAX;

	for (size_t i = 0; i < roster->count; i++) {
		uint64_t own = roster->members[i]->phone.deadline_ms;
		uint64_t fade = phone_fade_deadline(&roster->members[i]->phone);

		if (own != 0 && own < deadline_ms)
			deadline_ms = own;
		if (fade < deadline_ms)
			deadline_ms = fade;
	}
	return deadline_ms;
}

struct member *roster_match(const struct roster *roster, const struct identity *news,
			    const char *port, const struct member *not)
{
	enum match best_match = MATCH_NONE;
	struct member *best = NULL;

	for (size_t i = 0; i < roster->count; i++) {
		struct member *member = roster->members[i];
		enum match match;

		if (member == not || member->dead)
			continue;
		match = phone_match(&member->phone, news, port);
		if (match == MATCH_NONE || match < best_match)
			continue;
		if (match > best_match || member->sequence > best->sequence) {
			best_match = match;
			best = member;
		}
	}
	return best;
}

static void report_member(struct member *member, bool removals, fleet_event_fn fn, void *user)
{
	bool visible = member->phone.presence != PRESENCE_GONE;
	bool was_visible = member->visible;

	if (!member->touched || removals != (was_visible && !visible))
		return;
	member->touched = false;
	member->visible = visible;
	if (was_visible && !visible)
		fn(FLEET_REMOVED, &member->phone, user);
	else if (visible)
		fn(was_visible ? FLEET_CHANGED : FLEET_ADDED, &member->phone, user);
}

void roster_report(struct roster *roster, fleet_event_fn fn, void *user)
{
	for (size_t i = 0; i < roster->count; i++)
		report_member(roster->members[i], true, fn, user);
	for (size_t i = 0; i < roster->count; i++)
		report_member(roster->members[i], false, fn, user);
	for (size_t i = roster->count; i-- > 0;)
		if (roster->members[i]->dead)
			roster_drop(roster, roster->members[i]);
}

/* "1-2" before "1-10"; two phones of one port (one is awaited there) by id. */
static int compare_ports(const void *a, const void *b)
{
	const struct phone *x = *(const struct phone *const *)a;
	const struct phone *y = *(const struct phone *const *)b;
	int order = strverscmp(x->sighting.port, y->sighting.port);

	return order != 0 ? order : (x->id > y->id) - (x->id < y->id);
}

size_t roster_sorted(const struct roster *roster, const struct phone *ret[FLEET_PHONES_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < roster->count; i++)
		if (roster->members[i]->phone.presence != PRESENCE_GONE)
			ret[count++] = &roster->members[i]->phone;
	qsort(ret, count, sizeof(ret[0]), compare_ports);
	return count;
}
