/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The part of the fleet that takes in what workers answered. An answer belongs to one enumeration;
 * one that comes when it has ended is ignored.
 */
#include "base/log.h"
#include "phone/fleet_parts.h"
#include <string.h>

/* Normal and restore mode share their USB id: only lockdown tells them apart. */
static bool mode_is_possible(enum mode seen, enum mode answer)
{
	if (answer == MODE_UNKNOWN || seen == MODE_UNKNOWN || answer == seen)
		return true;
	return (seen == MODE_NORMAL || seen == MODE_RESTORE) &&
	       (answer == MODE_NORMAL || answer == MODE_RESTORE);
}

static void take_answer(struct fleet *fleet, struct member *member, enum mode mode,
			struct identity *news, uint64_t now_ms)
{
	struct phone *phone = &member->phone;

	if (phone->mode == MODE_PORT_DFU) {
		struct identity controller = *news;

		/* the port controller answers: of this boot it tells, of the phone it does not */
		*news = (struct identity){ 0 };
		memcpy(news->ap_nonce, controller.ap_nonce, sizeof(news->ap_nonce));
		memcpy(news->sep_nonce, controller.sep_nonce, sizeof(news->sep_nonce));
	}
	mode = mode == MODE_UNKNOWN ? phone->mode : mode;
	if (identity_compare(&phone->identity, news) == TIE_DIFFERENT) {
		member = fleet_move_enumeration(fleet, member, mode, news, now_ms);
		if (!member)
			return;
		member->phone.asked = true;
	}
	member_learn(member, news);
	member_enter_mode(member, mode, now_ms);
	fleet_merge_all(fleet, member, now_ms);
}

/* The phone, if the enumeration that somebody asked about lasts; NULL (logged) if not. */
static struct member *asked_member(struct fleet *fleet, unsigned id, const char *syspath)
{
	struct member *member = roster_get(&fleet->roster, id);

	if (member && member->phone.on_bus && member->phone.asked &&
	    strcmp(member->phone.sighting.syspath, syspath) == 0)
		return member;
	log_info("an answer about phone %u came too late: it is ignored", id);
	return NULL;
}

void fleet_identity(struct fleet *fleet, unsigned id, const char *syspath, enum mode mode,
		    const struct identity *identity, uint64_t now_ms)
{
	struct identity news = *identity;
	struct member *member;

	fleet_pass(fleet, now_ms);
	member = asked_member(fleet, id, syspath);
	if (member && mode_is_possible(member->phone.mode, mode))
		take_answer(fleet, member, mode, &news, now_ms);
	fleet_settle(fleet, now_ms);
}

static bool errors_equal(const struct error *a, const struct error *b)
{
	return a->kind == b->kind && a->code == b->code && strcmp(a->origin, b->origin) == 0 &&
	       strcmp(a->text, b->text) == 0;
}

/* Returns whether *known changed. `news` may be NULL: kind none. */
static bool take_error(struct error *known, const struct error *news)
{
	struct error taken = { 0 };

	if (news && news->kind != ERROR_NONE)
		taken = *news;
	if (errors_equal(known, &taken))
		return false;
	*known = taken;
	return true;
}

/* The phone, or this computer, has forgotten a trust that there was: by whom, if not by us? */
static void count_loss(struct phone *phone, const struct trust_answer *answer)
{
	bool lost =
	    answer->trust == TRUST_STALE || (answer->trust == TRUST_UNKNOWN && !answer->has_record);

	if (lost && phone->was_trusted && phone->job[0] == '\0')
		phone->trust_losses++;
	if (lost || answer->trust == TRUST_TRUSTED)
		phone->was_trusted = !lost;
}

/* A check that finds no record cannot know what stands on the phone's screen; who asked the phone
 * itself did. */
static bool says_less(const struct phone *phone, const struct trust_answer *answer)
{
	if (answer->trust != TRUST_UNKNOWN || answer->has_record || answer->record_broken ||
	    !phone->trust_known || phone->has_record)
		return false;
	return phone->trust == TRUST_LOCKED || phone->trust == TRUST_ASKING ||
	       phone->trust == TRUST_DENIED || phone->trust == TRUST_REFUSED_BY_POLICY ||
	       phone->detail != DETAIL_NONE;
}

static void set_trust(struct member *member, const struct trust_answer *answer)
{
	struct phone *phone = &member->phone;
	bool same = phone->trust_known && phone->trust == answer->trust &&
		    phone->detail == answer->detail && phone->has_record == answer->has_record &&
		    phone->record_broken == answer->record_broken && phone->reach == answer->reach;

	if (take_error(&phone->trust_reason, answer->reason))
		same = false;
	if (take_error(&phone->reach_problem, answer->reach_problem))
		same = false;
	count_loss(phone, answer);
	if (same)
		return;
	phone->trust = answer->trust;
	phone->trust_known = true;
	phone->detail = answer->detail;
	phone->has_record = answer->has_record;
	phone->had_record |= answer->has_record;
	phone->record_broken = answer->record_broken;
	phone->reach = answer->reach;
	member->touched = true;
}

void fleet_trust(struct fleet *fleet, unsigned id, const char *syspath,
		 const struct trust_answer *answer, uint64_t now_ms)
{
	const struct identity *news = answer->news;
	struct member *member;

	fleet_pass(fleet, now_ms);
	member = asked_member(fleet, id, syspath);
	if (member && news && identity_compare(&member->phone.identity, news) == TIE_DIFFERENT) {
		log_warning("an answer about trust names another phone than %u: ignored", id);
		member = NULL;
	}
	if (member) {
		if (!says_less(&member->phone, answer))
			set_trust(member, answer);
		if (news) {
			member_learn(member, news);
			fleet_merge_all(fleet, member, now_ms);
		}
	}
	fleet_settle(fleet, now_ms);
}

void fleet_reach(struct fleet *fleet, unsigned id, const char *syspath, enum reach reach,
		 const struct error *problem, uint64_t now_ms)
{
	bool stuck = problem && problem->kind != ERROR_NONE;
	struct member *member;

	fleet_pass(fleet, now_ms);
	member = asked_member(fleet, id, syspath);
	/* a question that wanted no more than it got does not undo what another one reached */
	if (member && !stuck && reach <= member->phone.reach)
		member = NULL;
	if (member && take_error(&member->phone.reach_problem, problem))
		member->touched = true;
	if (member && member->phone.reach != reach) {
		member->phone.reach = reach;
		member->touched = true;
	}
	fleet_settle(fleet, now_ms);
}

void fleet_mark_asked(struct fleet *fleet, unsigned id)
{
	struct member *member = roster_get(&fleet->roster, id);

	if (member && member->phone.on_bus)
		member->phone.asked = true;
}
