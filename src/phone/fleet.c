/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the phones (roster) and what usbmuxd lists (mux list).
 *
 *   appeared ──▶ the port's last occupant leaves ──▶ roster_match() ──▶ begin() an enumeration
 *   gone     ──▶ leave() of the phone that has this very enumeration; nobody's: stale, ignored
 *   answer   ──▶ learn, then merge() with every phone of the same name; or fleet_move_enumeration()
 *
 * Invariants between calls: no two phones have the same ECID or UDID; no two phones on the bus have
 * the same port or syspath; in_mux only on the bus; deadline_ms is 0 exactly when present. Each
 * call first lets time pass, then acts, then reports (roster_report).
 */
#include "phone/fleet.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "phone/fleet_parts.h"
#include "phone/match.h"
#include <errno.h>
#include <string.h>

int fleet_new(fleet_event_fn fn, void *user, struct fleet **ret)
{
	struct fleet *fleet = calloc(1, sizeof(*fleet));

	if (!fleet)
		return -ENOMEM;
	fleet->fn = fn;
	fleet->user = user;
	*ret = fleet;
	return 0;
}

struct fleet *fleet_free(struct fleet *fleet)
{
	if (!fleet)
		return NULL;
	roster_clear(&fleet->roster);
	free(fleet);
	return NULL;
}

/* The only assignment to presence. deadline_ms: when time alone ends it, 0 never. */
static void enter_presence(struct member *member, enum presence presence, uint64_t deadline_ms,
			   uint64_t now_ms)
{
	if (member->phone.presence != presence)
		member->phone.since_ms = now_ms;
	member->phone.presence = presence;
	member->phone.deadline_ms = deadline_ms;
	member->touched = true;
}

void member_enter_mode(struct member *member, enum mode mode, uint64_t now_ms)
{
	if (member->phone.mode == mode)
		return;
	member->phone.mode = mode;
	member->phone.since_ms = now_ms;
	member->touched = true;
}

/* What a worker said of trust belongs to one enumeration. */
static void forget_trust(struct phone *phone)
{
	phone->trust = TRUST_UNKNOWN;
	phone->trust_known = false;
	phone->had_record = false;
	phone->has_record = phone->record_broken = false;
	phone->detail = DETAIL_NONE;
	phone->trust_reason = (struct error){ 0 };
	phone->reach = REACH_NONE;
	phone->reach_problem = (struct error){ 0 };
}

/* How often it came lately, and how often into recovery; what a job brings about is no sign. */
static void count_enumeration(struct phone *phone, enum mode mode, uint64_t now_ms)
{
	bool by_job = phone->job[0] != '\0' || phone->awaited_until_ms > now_ms;

	if (!by_job)
		lately_note(&phone->flap_times, now_ms);
	/* an engine's iBEC comes as recovery after recovery */
	if (mode == MODE_RECOVERY && (!by_job || phone->mode != MODE_RECOVERY))
		lately_note(&phone->recovery_times, now_ms);
	(void)phone_fade(phone, now_ms);
}

static void end_awaiting(struct phone *phone)
{
	phone->awaited_port[0] = '\0';
	phone->awaited_until_ms = 0;
}

/* The phone is off the bus: awaited while a job's limit lasts, else gone. */
static void leave(struct member *member, uint64_t now_ms)
{
	struct phone *phone = &member->phone;

	phone->on_bus = false;
	phone->in_mux = false;
	phone->asked = false;
	forget_trust(phone);
	if (phone->awaited_until_ms > now_ms) {
		enter_presence(member, PRESENCE_AWAITED, phone->awaited_until_ms, now_ms);
		return;
	}
	end_awaiting(phone);
	enter_presence(member, PRESENCE_GONE, now_ms + timing_ms(TIMING_FORGET), now_ms);
}

/* ECIDs agree or one is missing; if the UDIDs do not, the present one is believed: usbmuxd knows
 * the phone by it. */
void member_learn(struct member *member, const struct identity *news)
{
	struct identity *known = &member->phone.identity;
	int r = identity_learn(known, news);

	if (r == -EXDEV) {
		log_warning("phone %u at port %s shows another UDID than before", member->phone.id,
			    member->phone.sighting.port);
		known->udid[0] = '\0';
		r = identity_learn(known, news);
	}
	if (r != 0)
		member->touched = true;
}

/* A new enumeration of this phone. */
static void begin(struct fleet *fleet, struct member *member, const struct sighting *sighting,
		  enum mode mode, const struct identity *news, uint64_t now_ms)
{
	struct phone *phone = &member->phone;

	if (phone->on_bus)
		log_warning("phone %u appears at port %s without having left port %s", phone->id,
			    sighting->port, phone->sighting.port);
	phone->sighting = *sighting;
	phone->on_bus = true;
	phone->in_mux = false;
	phone->asked = false;
	forget_trust(phone);
	phone->enumerations++;
	count_enumeration(phone, mode, now_ms);
	member->sequence = ++fleet->sequence;
	identity_forget_boot(&phone->identity);
	member_learn(member, news);
	enter_presence(member, PRESENCE_SETTLING, now_ms + timing_ms(TIMING_SETTLE), now_ms);
	member_enter_mode(member, mode, now_ms);
}

/* What stood at this port has left: a port carries one device, the message was lost. */
static void evict(struct fleet *fleet, const struct sighting *sighting, uint64_t now_ms)
{
	for (size_t i = 0; i < fleet->roster.count; i++) {
		struct member *member = fleet->roster.members[i];
		const struct sighting *old = &member->phone.sighting;

		if (member->phone.on_bus && (strcmp(old->syspath, sighting->syspath) == 0 ||
					     strcmp(old->port, sighting->port) == 0))
			leave(member, now_ms);
	}
}

/* Devices of Apple that are no handsets: known ones, and unknown ids that do not speak as iBoot. */
static bool is_phone(const struct usb_id *id, const struct identity *news)
{
	return id ? id->phone : news->iboot.has != 0;
}

static const struct usb_id *find_usb_id(const struct sighting *sighting)
{
	return usb_id_find(sighting->vid, sighting->pid);
}

/* In a full roster the occupant that was just evicted makes room once its leaving is reported. */
static struct member *add_member(struct fleet *fleet)
{
	struct member *member = roster_add(&fleet->roster);

	if (member)
		return member;
	roster_report(&fleet->roster, fleet->fn, fleet->user);
	return roster_add(&fleet->roster);
}

static void appear(struct fleet *fleet, const struct sighting *sighting, uint64_t now_ms)
{
	const struct usb_id *id = find_usb_id(sighting);
	struct identity news;
	struct member *member;

	evict(fleet, sighting, now_ms);
	identity_from_sighting(sighting, id, &news);
	if (sighting->vid != USB_VENDOR_APPLE || !is_phone(id, &news))
		return;
	member = roster_match(&fleet->roster, &news, sighting->port, NULL);
	if (!member)
		member = add_member(fleet);
	if (!member)
		return;
	begin(fleet, member, sighting, id ? id->mode : MODE_UNKNOWN, &news, now_ms);
}

/*
 * Two entries are one handset: the older id stays, the younger enumeration counts.
 */
static struct member *merge(struct member *a, struct member *b, uint64_t now_ms)
{
	struct member *keep = a->phone.id < b->phone.id ? a : b, *drop = keep == a ? b : a;
	bool keep_is_live = keep->phone.on_bus != drop->phone.on_bus
				? keep->phone.on_bus
				: keep->sequence > drop->sequence;
	struct member *live = keep_is_live ? keep : drop, *past = keep_is_live ? drop : keep;
	unsigned id = keep->phone.id;

	log_info("phone %u is phone %u", drop->phone.id, keep->phone.id);
	phone_join(&live->phone, &past->phone, now_ms);
	if (!keep_is_live) {
		struct phone gone = keep->phone;

		keep->phone = drop->phone;
		keep->phone.id = id;
		keep->sequence = drop->sequence;
		gone.id = drop->phone.id;
		drop->phone = gone;
	}
	drop->dead = true;
	drop->phone.on_bus = drop->phone.in_mux = false;
	enter_presence(drop, PRESENCE_GONE, 0, now_ms);
	keep->touched = true;
	return keep;
}

/* Two ECIDs that claim one UDID stay two phones; the present one has the UDID. */
static void take_udid_away(struct fleet *fleet, const struct member *from_others)
{
	const char *udid = from_others->phone.identity.udid;

	for (size_t i = 0; i < fleet->roster.count && udid[0] != '\0'; i++) {
		struct member *member = fleet->roster.members[i];

		if (member == from_others || strcmp(member->phone.identity.udid, udid) != 0)
			continue;
		log_warning("phones %u and %u claim the same UDID", member->phone.id,
			    from_others->phone.id);
		member->phone.identity.udid[0] = '\0';
		member->touched = true;
	}
}

/* Merges the phone with every other that has one of its names. */
void fleet_merge_all(struct fleet *fleet, struct member *member, uint64_t now_ms)
{
	struct member *other;

	while ((other = roster_match(&fleet->roster, &member->phone.identity, NULL, member)))
		member = merge(member, other, now_ms);
	take_udid_away(fleet, member);
}

/* The enumeration is another phone's than was thought (its port had decided). */
struct member *fleet_move_enumeration(struct fleet *fleet, struct member *member, enum mode mode,
				      const struct identity *news, uint64_t now_ms)
{
	struct sighting sighting = member->phone.sighting;
	struct member *other;

	log_warning("what is at port %s is not phone %u", sighting.port, member->phone.id);
	leave(member, now_ms);
	other = roster_match(&fleet->roster, news, sighting.port, member);
	if (!other)
		other = add_member(fleet);
	if (other)
		begin(fleet, other, &sighting, mode, news, now_ms);
	return other;
}

static void look_again(struct fleet *fleet, const struct sighting *sighting, uint64_t now_ms)
{
	struct member *member = roster_on_bus(&fleet->roster, sighting->syspath);
	struct identity news;

	if (!member || sighting_location(&member->phone.sighting) != sighting_location(sighting) ||
	    member->phone.sighting.vid != sighting->vid ||
	    member->phone.sighting.pid != sighting->pid) {
		appear(fleet, sighting, now_ms);
		return;
	}
	identity_from_sighting(sighting, find_usb_id(sighting), &news);
	if (identity_compare(&member->phone.identity, &news) == TIE_DIFFERENT) {
		appear(fleet, sighting, now_ms);
		return;
	}
	member->phone.sighting = *sighting;
	member->touched = true;
	member_learn(member, &news);
	fleet_merge_all(fleet, member, now_ms);
}

/* Ends what time alone ends. */
void fleet_pass(struct fleet *fleet, uint64_t now_ms)
{
	for (size_t i = fleet->roster.count; i-- > 0;) {
		struct member *member = fleet->roster.members[i];
		struct phone *phone = &member->phone;

		if (phone_fade(phone, now_ms))
			member->touched = true;
		if (phone->deadline_ms == 0 || phone->deadline_ms > now_ms)
			continue;
		switch (phone->presence) {
		case PRESENCE_PRESENT:
		case PRESENCE_MAX:
			break;
		case PRESENCE_SETTLING:
			end_awaiting(phone);
			enter_presence(member, PRESENCE_PRESENT, 0, now_ms);
			break;
		case PRESENCE_AWAITED:
			end_awaiting(phone);
			if (phone->on_bus)
				enter_presence(member, PRESENCE_PRESENT, 0, now_ms);
			else
				leave(member, now_ms);
			break;
		case PRESENCE_GONE:
			if (phone->job[0] == '\0')
				roster_drop(&fleet->roster, member);
			else /* its job gives it back before it is forgotten */
				phone->deadline_ms = now_ms + timing_ms(TIMING_FORGET);
			break;
		}
	}
}

/* A phone whose serial string the kernel could not read gets its UDID from usbmuxd, which could. */
static void learn_from_mux(struct fleet *fleet, struct member *member, uint64_t now_ms)
{
	unsigned location = sighting_location(&member->phone.sighting);
	const struct mux_entry *entry = mux_list_at(&fleet->mux, location);
	struct identity news = { 0 };

	if (!entry || member->phone.identity.udid[0] != '\0')
		return;
	text_copy(news.udid, sizeof(news.udid), entry->udid);
	(void)udid_ecid(news.udid, &news.ecid);
	if (identity_compare(&member->phone.identity, &news) == TIE_DIFFERENT)
		return;
	member_learn(member, &news);
	fleet_merge_all(fleet, member, now_ms);
}

/* End of every call that changed something: the mux list is laid over the phones, then the report.
 */
void fleet_settle(struct fleet *fleet, uint64_t now_ms)
{
	for (size_t i = 0; i < fleet->roster.count; i++)
		if (!fleet->roster.members[i]->dead &&
		    phone_speaks_mux(&fleet->roster.members[i]->phone))
			learn_from_mux(fleet, fleet->roster.members[i], now_ms);
	for (size_t i = 0; i < fleet->roster.count; i++) {
		struct member *member = fleet->roster.members[i];
		bool listed = mux_list_has(&fleet->mux, &member->phone, member->sequence);

		if (listed == member->phone.in_mux)
			continue;
		member->phone.in_mux = listed;
		member->touched = true;
	}
	roster_report(&fleet->roster, fleet->fn, fleet->user);
}

void fleet_sighting(struct fleet *fleet, enum sighting_change change,
		    const struct sighting *sighting, uint64_t now_ms)
{
	struct member *member;

	fleet_pass(fleet, now_ms);
	switch (change) {
	case SIGHTING_APPEARED:
		appear(fleet, sighting, now_ms);
		break;
	case SIGHTING_CHANGED:
		look_again(fleet, sighting, now_ms);
		break;
	case SIGHTING_GONE:
		member = roster_on_bus(&fleet->roster, sighting->syspath);
		if (member)
			leave(member, now_ms);
		break;
	case SIGHTING_CHANGE_MAX:
		break;
	}
	fleet_settle(fleet, now_ms);
}

void fleet_mux(struct fleet *fleet, const char *udid, unsigned location, bool listed,
	       uint64_t now_ms)
{
	char canonical[UDID_BYTES];

	fleet_pass(fleet, now_ms);
	if (udid_from_serial(udid, canonical) < 0)
		log_debug("usbmuxd names something that is no UDID: it is ignored");
	else if (listed)
		mux_list_add(&fleet->mux, canonical, location, ++fleet->sequence);
	else
		mux_list_remove(&fleet->mux, canonical, location);
	fleet_settle(fleet, now_ms);
}

void fleet_mux_reset(struct fleet *fleet, uint64_t now_ms)
{
	fleet_pass(fleet, now_ms);
	fleet->mux.count = 0;
	fleet_settle(fleet, now_ms);
}

int fleet_set_job(struct fleet *fleet, unsigned id, const char *job, uint64_t now_ms)
{
	struct member *member;
	int r = 0;

	fleet_pass(fleet, now_ms);
	member = roster_get(&fleet->roster, id);
	if (!member) {
		r = -ENODEV;
	} else if (job[0] != '\0' && member->phone.job[0] != '\0' &&
		   strcmp(member->phone.job, job) != 0) {
		r = -EBUSY;
	} else if (strcmp(member->phone.job, job) != 0) {
		text_copy(member->phone.job, sizeof(member->phone.job), job);
		if (job[0] != '\0')
			member->phone.was_trusted = false; /* what becomes of it is ours now */
		member->touched = true;
	}
	fleet_settle(fleet, now_ms);
	return r;
}

int fleet_expect(struct fleet *fleet, unsigned id, unsigned limit_ms, uint64_t now_ms)
{
	struct member *member;

	fleet_pass(fleet, now_ms);
	member = roster_get(&fleet->roster, id);
	if (member) {
		struct phone *phone = &member->phone;

		text_copy(phone->awaited_port, sizeof(phone->awaited_port), phone->sighting.port);
		phone->awaited_until_ms = now_ms + (limit_ms > 0 ? limit_ms : 1);
		enter_presence(member, PRESENCE_AWAITED, phone->awaited_until_ms, now_ms);
	}
	fleet_settle(fleet, now_ms);
	return member ? 0 : -ENODEV;
}

void fleet_tick(struct fleet *fleet, uint64_t now_ms)
{
	fleet_pass(fleet, now_ms);
	fleet_settle(fleet, now_ms);
}

uint64_t fleet_deadline(const struct fleet *fleet)
{
	return roster_deadline(&fleet->roster);
}

const struct phone *fleet_get(const struct fleet *fleet, unsigned id)
{
	struct member *member = roster_get(&fleet->roster, id);

	return member ? &member->phone : NULL;
}

const struct phone *fleet_by_udid(const struct fleet *fleet, const char *udid)
{
	char wanted[UDID_BYTES];

	if (udid_from_serial(udid, wanted) < 0)
		return NULL;
	for (size_t i = 0; i < fleet->roster.count; i++) {
		const struct phone *phone = &fleet->roster.members[i]->phone;

		if (strcmp(phone->identity.udid, wanted) == 0)
			return phone;
	}
	return NULL;
}

const struct phone *fleet_at(const struct fleet *fleet, size_t index)
{
	const struct phone *phones[FLEET_PHONES_MAX];
	size_t count = roster_sorted(&fleet->roster, phones);

	return index < count ? phones[index] : NULL;
}

size_t fleet_count(const struct fleet *fleet)
{
	const struct phone *phones[FLEET_PHONES_MAX];

	return roster_sorted(&fleet->roster, phones);
}

size_t fleet_all(const struct fleet *fleet, const struct phone *ret[static FLEET_PHONES_MAX])
{
	return roster_sorted(&fleet->roster, ret);
}
