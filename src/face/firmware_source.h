/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Who knows a firmware, in words for people; the sources' own names stand in worker/README.md,
 * catalogue. */
#include <stdbool.h>

/* Of one source's name; the name itself for one that has no words. Never NULL. */
const char *firmware_source_text(const char *name);

/* Of names parted by spaces, as a firmware has them, and whether two of them agree. Allocated, not
 * cleaned of foreign marks; NULL if there is no name, or no memory. */
char *firmware_sources_text(const char *names, bool confirmed);
