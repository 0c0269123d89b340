/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the parts of the diagnosis share; only they include it:
 *
 *   diagnose.c        modes, the phone's condition, what the person says; order, conclusion
 *   diagnose_way.c    USB, the kernel's complaints, usbmuxd
 *   diagnose_trust.c  lockdownd, records, TLS, trust
 *   lights.c          the three lights, from the same judgements
 */
#include "doctor/lights.h"

/* A diagnosis in the making. */
struct chart {
	const struct circumstances *seen;
	struct finding *findings;
	enum light layers[FINDINGS_MAX]; /* of each finding; LIGHT_MAX: of none */
	size_t count;
};

/* Adds a finding unless it is there already; the evidence is taken over, NULL (no memory) leaves it
 * empty. */
void chart_add(struct chart *chart, enum light layer, const char *id, char *evidence);
bool chart_has(const struct chart *chart, const char *id);

void chart_look_at_ports(struct chart *chart); /* of nobody: without a phone too */
void chart_look_at_usb(struct chart *chart);
void chart_look_at_mux(struct chart *chart); /* without a phone too */
void chart_look_at_trust(struct chart *chart);
/* The finding that the phone's word of trust stands for, NULL if trusted or nothing is known. */
const char *chart_finding_of_trust(const struct phone *phone);

/* How usbmuxd stands to the phone. */
enum mux_sight {
	MUX_SIGHT_NONE,    /* the mode does not need it, or the phone was plugged in just now */
	MUX_SIGHT_WELL,    /* lists it, and nothing stood in the way since */
	MUX_SIGHT_DOWN,    /* usbmuxd is not there */
	MUX_SIGHT_HANGS,   /* it is there and does not answer, or the phone's port does not */
	MUX_SIGHT_REFUSES, /* it refuses us, or the phone's port does */
	MUX_SIGHT_CAMERA,  /* it has nothing to talk to: the phone shows only its camera */
	MUX_SIGHT_MISSES,  /* it does not list the phone */
	MUX_SIGHT_MAX,
};
enum mux_sight mux_sight(const struct circumstances *seen);

/* Why the last question came no further; NULL if nothing stood in its way. */
const struct error *question_problem(const struct circumstances *seen);

/* The phone is on the bus and has been for a while. */
bool phone_is_settled(const struct phone *phone);
/* What speaks through usbmuxd: iOS and the system that installs it. */
bool phone_needs_mux(const struct phone *phone);
/* Its USB interfaces are known, and all are for cameras (PTP). */
bool phone_is_camera(const struct phone *phone);
/* It enumerated often, and nobody brought that about. A phone that falls back into recovery again
 * and again does so too; that is a finding of its own. */
bool phone_comes_often(const struct phone *phone);
bool phone_is_in_a_loop(const struct phone *phone);
/* The same, or the kernel had to reset it often. */
bool phone_is_flapping(const struct circumstances *seen);
/* Lines of these kinds about the phone's port, TROUBLE_MAX at the end. */
unsigned trouble_count(const struct circumstances *seen, const char *port, ...);

/* Evidence; allocated, NULL without memory. */
char *evidence_of_usb(const struct phone *phone);
char *evidence_of_error(const struct error *error);
char *evidence_of_kernel(const struct trouble *trouble, unsigned lines);
