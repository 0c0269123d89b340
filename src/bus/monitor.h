/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Watches the USB bus for devices with Apple's vendor id through udev and reports sightings. Needs
 * udevd (libsystemd listens to its messages) and no privilege.
 */
#include "base/cleanup.h"
#include "bus/sighting.h"
#include <systemd/sd-event.h>

struct bus_monitor;

/*
 * Starts watching, then reports what is plugged in already (appeared), then every change, from the
 * loop of `event`, to fn. The monitor must be freed before the loop. Returns 0 or a negative errno.
 */
int bus_monitor_new(sd_event *event, sighting_fn fn, void *user, struct bus_monitor **ret);
struct bus_monitor *bus_monitor_free(struct bus_monitor *monitor);
DEFINE_CLEANUP(struct bus_monitor *, bus_monitor_free)

/*
 * The same, fed from a tape: lines of sighting_to_json() read from fd (a pipe, FIFO, socket or
 * regular file; owned by the tape if 0 is returned). A line that cannot be understood is logged and
 * skipped; the end of the file ends nothing. A FIFO that several writers fill one after another
 * must be opened for reading and writing, else the first writer's end is the end.
 */
struct bus_tape;
int bus_tape_new(sd_event *event, int fd, sighting_fn fn, void *user, struct bus_tape **ret);
struct bus_tape *bus_tape_free(struct bus_tape *tape);
DEFINE_CLEANUP(struct bus_tape *, bus_tape_free)
