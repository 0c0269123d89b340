/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which Apple devices are on the bus now, by syspath. udev repeats itself (add, bind, trigger) and
 * tells nothing of a device that left; the table turns "look again" and "it left" into changes.
 */
#include "base/cleanup.h"
#include "bus/sighting.h"

struct bus_table;

/* Reports to fn, during the calls below. Returns 0 or -ENOMEM. */
int bus_table_new(sighting_fn fn, void *user, struct bus_table **ret);
struct bus_table *bus_table_free(struct bus_table *table); /* reports nothing */
DEFINE_CLEANUP(struct bus_table *, bus_table_free)

/*
 * This is what stands at sighting->syspath now: reports appeared, changed, or nothing. Another USB
 * address or id than before is another enumeration, whose leaving was not seen: gone, then
 * appeared.
 */
void bus_table_look(struct bus_table *table, const struct sighting *sighting);

/* Nothing stands there any more: reports gone with what was known, or nothing. */
void bus_table_leave(struct bus_table *table, const char *syspath);
