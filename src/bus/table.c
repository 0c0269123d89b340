/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns a copy of the latest sighting of every device that is on the bus.
 * Invariants: syspaths are unique; an entry is there from its "appeared" to its "gone".
 */
#include "bus/table.h"
#include "base/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Four buses full of nothing but Apple devices: more is a defect or an attack. */
enum { TABLE_MAX = 4 * 127 };

struct bus_table {
	sighting_fn fn;
	void *user;
	bool full; /* said so already */
	size_t count;
	struct sighting *entries[TABLE_MAX];
};

int bus_table_new(sighting_fn fn, void *user, struct bus_table **ret)
{
	struct bus_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->fn = fn;
	table->user = user;
	*ret = table;
	return 0;
}

struct bus_table *bus_table_free(struct bus_table *table)
{
	if (!table)
		return NULL;
	for (size_t i = 0; i < table->count; i++)
		free(table->entries[i]);
	free(table);
	return NULL;
}

static size_t find_entry(const struct bus_table *table, const char *syspath)
{
	size_t i = 0;

	while (i < table->count && strcmp(table->entries[i]->syspath, syspath) != 0)
		i++;
	return i;
}

static void table_add(struct bus_table *table, const struct sighting *sighting)
{
	struct sighting *entry;

	if (table->count == TABLE_MAX) {
		if (!table->full)
			log_warning("%d Apple devices on the bus: no more are looked at",
				    TABLE_MAX);
		table->full = true;
		return;
	}
	entry = malloc(sizeof(*entry));
	if (!entry) {
		log_error("no memory for the device at port %s", sighting->port);
		return;
	}
	*entry = *sighting;
	table->entries[table->count++] = entry;
	table->fn(SIGHTING_APPEARED, entry, table->user);
}

static bool same_enumeration(const struct sighting *a, const struct sighting *b)
{
	return a->bus == b->bus && a->address == b->address && a->vid == b->vid && a->pid == b->pid;
}

static bool same_attributes(const struct sighting *a, const struct sighting *b)
{
	return a->speed_mbps == b->speed_mbps && a->configuration == b->configuration &&
	       a->max_power_ma == b->max_power_ma && a->usb_version == b->usb_version &&
	       strcmp(a->interfaces, b->interfaces) == 0 && strcmp(a->serial, b->serial) == 0 &&
	       strcmp(a->product, b->product) == 0 && strcmp(a->manufacturer, b->manufacturer) == 0;
}

void bus_table_look(struct bus_table *table, const struct sighting *sighting)
{
	size_t i = find_entry(table, sighting->syspath);

	if (i == table->count) {
		table_add(table, sighting);
		return;
	}
	if (!same_enumeration(table->entries[i], sighting)) {
		bus_table_leave(table, sighting->syspath);
		table_add(table, sighting);
		return;
	}
	if (same_attributes(table->entries[i], sighting))
		return;
	*table->entries[i] = *sighting;
	table->fn(SIGHTING_CHANGED, table->entries[i], table->user);
}

void bus_table_leave(struct bus_table *table, const char *syspath)
{
	size_t i = find_entry(table, syspath);
	_cleanup_free_ struct sighting *left = NULL;

	if (i == table->count)
		return;
	left = table->entries[i];
	table->entries[i] = table->entries[--table->count];
	table->full = false;
	table->fn(SIGHTING_GONE, left, table->user);
}
