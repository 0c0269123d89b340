/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the kernel complained of, by port: a cable or port that fails shows here and nowhere else,
 * because nothing enumerates. The table is pure: lines come from the worker kernel-watch, the time
 * from the caller (any clock in ms, the same one for all calls).
 */
#include "base/cleanup.h"
#include "bus/sighting.h"
#include <stddef.h>
#include <stdint.h>

enum trouble_kind {
	TROUBLE_OVER_CURRENT,   /* the port's fuse: more current than it gives */
	TROUBLE_NO_DESCRIPTOR,  /* something is plugged in, its descriptors cannot be read */
	TROUBLE_NO_ADDRESS,     /* … it takes no address */
	TROUBLE_NO_ENUMERATION, /* the kernel gave up on it */
	TROUBLE_RESET,          /* a device that worked had to be reset */
	TROUBLE_EMI,            /* the hub disabled the port: disturbance, bad contact */
	TROUBLE_POWER,          /* no configuration could be set, mostly for want of power */
	TROUBLE_HOST,           /* the USB controller itself stopped answering */
	TROUBLE_MAX,
};

/* "over-current", "no-descriptor", "no-address", "no-enumeration", "reset", "emi", "power", "host"
 */
const char *trouble_name(enum trouble_kind kind);
/* Returns 0 or -EINVAL. */
int trouble_from_name(const char *name, enum trouble_kind *ret);

enum {
	TROUBLE_LINE_BYTES = 256,
	TROUBLE_PORTS_MAX = 64,            /* more ports: the one with the oldest trouble is lost */
	TROUBLE_WINDOW_MS = 5 * 60 * 1000, /* what is older no longer counts */
};

struct trouble {
	/* As in struct sighting, "1-2.3"; "" is a USB controller as a whole: the kernel does not
	   say which ports hang on it. */
	char port[SIGHTING_PORT_BYTES];
	unsigned counts[TROUBLE_MAX]; /* lines of the last TROUBLE_WINDOW_MS; a controller that died
					 stays dead: TROUBLE_HOST counts until it is forgotten */
	uint64_t last_ms;             /* when the latest line was written */
	char line[TROUBLE_LINE_BYTES]; /* the latest line, printable ASCII */
};

struct troubles;

/* Returns 0 or -ENOMEM. */
int troubles_new(struct troubles **ret);
struct troubles *troubles_free(struct troubles *troubles);
DEFINE_CLEANUP(struct troubles *, troubles_free)

/*
 * The kernel wrote `line` about the port (32 bytes at most, else ignored) age_ms before now_ms, and
 * it stands for `count` of its kind. What is older than the window is ignored, except TROUBLE_HOST.
 * Returns true if something counts now that did not before.
 */
bool troubles_note(struct troubles *troubles, const char *port, enum trouble_kind kind,
		   unsigned count, const char *line, uint64_t age_ms, uint64_t now_ms);

/* Lets counts fade that left the window and drops ports without any. Returns true if something did,
 * and in ret_next_ms when it is worth calling again (UINT64_MAX: never). */
bool troubles_expire(struct troubles *troubles, uint64_t now_ms, uint64_t *ret_next_ms);

/* The port's trouble, NULL if it has none. Borrowed until the next call that takes no const. */
const struct trouble *troubles_port(const struct troubles *troubles, const char *port);
/* 0…troubles_count()-1, in the order in which the ports first had trouble. */
const struct trouble *troubles_at(const struct troubles *troubles, size_t i);
size_t troubles_count(const struct troubles *troubles);
/* All lines of all its kinds. */
unsigned trouble_total(const struct trouble *trouble);

void troubles_forget(struct troubles *troubles, const char *port);
void troubles_clear(struct troubles *troubles);
