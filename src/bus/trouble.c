/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns one entry a port. An entry counts in slots of half a minute, in a ring that is a little
 * longer than the window:
 *
 *            now - window                     now
 *   ────┬────┬────┬────┬── … ──┬────┬────┬────┬────
 *  gone │ 1  │    │ 3  │       │    │    │ 2  │         trouble.counts = the sum of what is left
 *
 * Invariants: entries stand in the order in which they began; trouble.counts is the sum of the
 * slots at all times; TROUBLE_HOST stands in `lasting` instead of a slot, since it does not fade.
 */
#include "bus/trouble.h"
#include "base/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Two slots more than the window has: the one that is being left, the one that is being filled. */
enum { SLOT_MS = 30 * 1000, SLOTS = TROUBLE_WINDOW_MS / SLOT_MS + 2, COUNT_MAX = 1000 * 1000 };

struct slot {
	uint64_t number; /* time / SLOT_MS */
	unsigned counts[TROUBLE_MAX];
};

struct entry {
	struct trouble trouble;
	unsigned lasting;
	struct slot slots[SLOTS]; /* at number % SLOTS */
};

struct troubles {
	size_t count;
	struct entry *entries[TROUBLE_PORTS_MAX];
};

static const char *const names[TROUBLE_MAX] = {
	[TROUBLE_OVER_CURRENT] = "over-current",
	[TROUBLE_NO_DESCRIPTOR] = "no-descriptor",
	[TROUBLE_NO_ADDRESS] = "no-address",
	[TROUBLE_NO_ENUMERATION] = "no-enumeration",
	[TROUBLE_RESET] = "reset",
	[TROUBLE_EMI] = "emi",
	[TROUBLE_POWER] = "power",
	[TROUBLE_HOST] = "host",
};

const char *trouble_name(enum trouble_kind kind)
{
	return names[kind];
}

int trouble_from_name(const char *name, enum trouble_kind *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0) {
			*ret = (enum trouble_kind)i;
			return 0;
		}
	return -EINVAL;
}

int troubles_new(struct troubles **ret)
{
	struct troubles *troubles = calloc(1, sizeof(*troubles));

	if (!troubles)
		return -ENOMEM;
	*ret = troubles;
	return 0;
}

struct troubles *troubles_free(struct troubles *troubles)
{
	if (!troubles)
		return NULL;
	troubles_clear(troubles);
	free(troubles);
	return NULL;
}

static size_t find_entry(const struct troubles *troubles, const char *port)
{
	size_t i = 0;

	while (i < troubles->count && strcmp(troubles->entries[i]->trouble.port, port) != 0)
		i++;
	return i;
}

static void drop_entry(struct troubles *troubles, size_t i)
{
	free(troubles->entries[i]);
	troubles->count--;
	memmove(&troubles->entries[i], &troubles->entries[i + 1],
		(troubles->count - i) * sizeof(troubles->entries[0]));
}

static size_t find_oldest(const struct troubles *troubles)
{
	size_t oldest = 0;

	for (size_t i = 1; i < troubles->count; i++)
		if (troubles->entries[i]->trouble.last_ms <
		    troubles->entries[oldest]->trouble.last_ms)
			oldest = i;
	return oldest;
}

/* The port's entry, a new one if it has none; NULL without memory. */
static struct entry *take_entry(struct troubles *troubles, const char *port)
{
	size_t i = find_entry(troubles, port);
	struct entry *entry;

	if (i < troubles->count)
		return troubles->entries[i];
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	text_copy(entry->trouble.port, sizeof(entry->trouble.port), port);
	if (troubles->count == TROUBLE_PORTS_MAX)
		drop_entry(troubles, find_oldest(troubles));
	troubles->entries[troubles->count++] = entry;
	return entry;
}

static void count_in(unsigned *counter, unsigned more)
{
	*counter = more > COUNT_MAX - *counter ? COUNT_MAX : *counter + more;
}

/* True if the slot has left the window for good. */
static bool slot_is_over(const struct slot *slot, uint64_t now_ms)
{
	return (slot->number + 1) * SLOT_MS + TROUBLE_WINDOW_MS <= now_ms;
}

static void sum_up(struct entry *entry)
{
	struct trouble *trouble = &entry->trouble;

	memset(trouble->counts, 0, sizeof(trouble->counts));
	trouble->counts[TROUBLE_HOST] = entry->lasting;
	for (size_t i = 0; i < SLOTS; i++)
		for (size_t kind = 0; kind < TROUBLE_MAX; kind++)
			count_in(&trouble->counts[kind], entry->slots[i].counts[kind]);
}

/* Empties what is over; true if something was in it. ret_next_ms becomes the end of the first slot
 * that is left, if that is earlier. */
static bool fade(struct entry *entry, uint64_t now_ms, uint64_t *ret_next_ms)
{
	bool faded = false;

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &entry->slots[i];
		uint64_t end_ms = (slot->number + 1) * SLOT_MS + TROUBLE_WINDOW_MS;
		bool empty = true;

		for (size_t kind = 0; kind < TROUBLE_MAX; kind++)
			empty = empty && slot->counts[kind] == 0;
		if (empty)
			continue;
		if (slot_is_over(slot, now_ms)) {
			*slot = (struct slot){ 0 };
			faded = true;
		} else if (end_ms < *ret_next_ms) {
			*ret_next_ms = end_ms;
		}
	}
	if (faded)
		sum_up(entry);
	return faded;
}

bool troubles_note(struct troubles *troubles, const char *port, enum trouble_kind kind,
		   unsigned count, const char *line, uint64_t age_ms, uint64_t now_ms)
{
	uint64_t when_ms = age_ms < now_ms ? now_ms - age_ms : 0;
	uint64_t number = when_ms / SLOT_MS;
	struct entry *entry;
	struct slot *slot;

	if (strlen(port) >= SIGHTING_PORT_BYTES || count == 0 ||
	    (kind != TROUBLE_HOST && age_ms >= TROUBLE_WINDOW_MS))
		return false;
	entry = take_entry(troubles, port);
	if (!entry)
		return false;
	slot = &entry->slots[number % SLOTS];
	if (kind == TROUBLE_HOST) {
		count_in(&entry->lasting, count);
	} else {
		/* what stood there is as many slots older as the ring is long */
		if (slot->number != number)
			*slot = (struct slot){ .number = number };
		count_in(&slot->counts[kind], count);
	}
	sum_up(entry);
	if (when_ms >= entry->trouble.last_ms) {
		entry->trouble.last_ms = when_ms;
		text_copy(entry->trouble.line, sizeof(entry->trouble.line), line);
	}
	return true;
}

bool troubles_expire(struct troubles *troubles, uint64_t now_ms, uint64_t *ret_next_ms)
{
	uint64_t next_ms = UINT64_MAX;
	bool faded = false;

	for (size_t i = troubles->count; i-- > 0;) {
		struct entry *entry = troubles->entries[i];

		if (fade(entry, now_ms, &next_ms))
			faded = true;
		if (trouble_total(&entry->trouble) == 0)
			drop_entry(troubles, i);
	}
	*ret_next_ms = next_ms;
	return faded;
}

const struct trouble *troubles_port(const struct troubles *troubles, const char *port)
{
	size_t i = find_entry(troubles, port);

	return i < troubles->count ? &troubles->entries[i]->trouble : NULL;
}

const struct trouble *troubles_at(const struct troubles *troubles, size_t i)
{
	return i < troubles->count ? &troubles->entries[i]->trouble : NULL;
}

size_t troubles_count(const struct troubles *troubles)
{
	return troubles->count;
}

unsigned trouble_total(const struct trouble *trouble)
{
	unsigned total = 0;

	for (size_t kind = 0; kind < TROUBLE_MAX; kind++)
		count_in(&total, trouble->counts[kind]);
	return total;
}

void troubles_forget(struct troubles *troubles, const char *port)
{
	size_t i = find_entry(troubles, port);

	if (i < troubles->count)
		drop_entry(troubles, i);
}

void troubles_clear(struct troubles *troubles)
{
	while (troubles->count > 0)
		drop_entry(troubles, troubles->count - 1);
}
