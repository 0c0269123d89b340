/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Writes sightings to a tape that bus_tape_new() replays, for a bug report: who owns the phone must
 * not be readable from it. Every identifier (ECID, UDID, serial number, IMEI) is replaced by one of
 * the same form. Within a tape the same identifier always becomes the same replacement, and the
 * ECID inside a UDID that of the ECID alone, so that a replay merges phones like the original. The
 * key is random and dies with the recorder.
 */
#include "base/cleanup.h"
#include "bus/sighting.h"

struct bus_recorder;

/* Makes the file, or empties the one that is there; mode 0600. Returns 0 or a negative errno. */
int bus_recorder_new(const char *path, struct bus_recorder **ret);
struct bus_recorder *bus_recorder_free(struct bus_recorder *recorder);
DEFINE_CLEANUP(struct bus_recorder *, bus_recorder_free)

/* Appends one line. Returns 0 or a negative errno; after a failure nothing more is written and the
 * same errno comes back. */
int bus_recorder_write(struct bus_recorder *recorder, enum sighting_change change,
		       const struct sighting *sighting);
