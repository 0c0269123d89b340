/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phone/mux_list.h"
#include "base/log.h"
#include "base/text.h"
#include <string.h>

unsigned sighting_location(const struct sighting *sighting)
{
	return sighting->bus << 16 | sighting->address;
}

static size_t find_entry(const struct mux_list *list, const char *udid, unsigned location)
{
	size_t i = 0;

	while (i < list->count &&
	       (list->entries[i].location != location || strcmp(list->entries[i].udid, udid) != 0))
		i++;
	return i;
}

void mux_list_add(struct mux_list *list, const char *udid, unsigned location, uint64_t sequence)
{
	size_t i = find_entry(list, udid, location);
	struct mux_entry *entry = &list->entries[i];

	if (i == MUX_LIST_MAX) {
		if (!list->full)
			log_warning("usbmuxd lists %d phones: no more are looked at", MUX_LIST_MAX);
		list->full = true;
		return;
	}
	if (i == list->count)
		list->count++;
	*entry = (struct mux_entry){ .location = location, .sequence = sequence };
	text_copy(entry->udid, sizeof(entry->udid), udid);
}

static void remove_entry(struct mux_list *list, size_t i)
{
	list->entries[i] = list->entries[--list->count];
	list->full = false;
}

void mux_list_remove(struct mux_list *list, const char *udid, unsigned location)
{
	size_t i = find_entry(list, udid, location);

	if (i == list->count && location != 0)
		i = find_entry(list, udid, 0);
	if (location != 0) {
		if (i < list->count)
			remove_entry(list, i);
		return;
	}
	for (i = list->count; i-- > 0;)
		if (strcmp(list->entries[i].udid, udid) == 0)
			remove_entry(list, i);
}

bool phone_speaks_mux(const struct phone *phone)
{
	return phone->on_bus && (phone->mode == MODE_NORMAL || phone->mode == MODE_RESTORE);
}

bool mux_list_has(const struct mux_list *list, const struct phone *phone, uint64_t sequence)
{
	unsigned location = sighting_location(&phone->sighting);

	for (size_t i = 0; phone_speaks_mux(phone) && i < list->count; i++) {
		const struct mux_entry *entry = &list->entries[i];

		if (strcmp(entry->udid, phone->identity.udid) != 0)
			continue;
		if (entry->location == location || entry->location == 0 ||
		    entry->sequence > sequence)
			return true;
	}
	return false;
}

const struct mux_entry *mux_list_at(const struct mux_list *list, unsigned location)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->entries[i].location == location)
			return &list->entries[i];
	return NULL;
}
