/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One question to a phone: how far it came, and the limit of the whole. What is known so far goes
 * into every end of it, also into the line that is written when a library call does not come back
 * before the limit: so the lights know what works although there is no answer.
 *
 *   none ─▶ port ─▶ lockdown ─▶ record ─▶ session ─▶ service        never back
 */
#include "base/error.h"
#include "worker/ceiling.h"
#include "worker/lifeline.h"
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-json.h>

enum reached {
	REACHED_NONE,
	REACHED_PORT,     /* usbmuxd lists the phone and its lockdown port takes connections */
	REACHED_LOCKDOWN, /* lockdownd (or restored) answered */
	REACHED_RECORD,   /* and this computer has a usable record of the phone */
	REACHED_SESSION,  /* encrypted session, and one real value read in it */
	REACHED_SERVICE,  /* a service was started and answered */
	REACHED_MAX,
};

/* "lockdown"; never NULL. */
const char *reached_name(enum reached reached);

/* The result must be there before the service's own limit ends the worker. */
enum { INQUIRY_MARGIN_MS = 1000 };

struct inquiry {
	enum reached reached;
	const char *detail; /* a word of README.md, static; NULL none */
	bool record_known;  /* record and record_broken are */
	bool record, record_broken;
	uint64_t end_ms; /* of clock_now_ms() */
	bool armed;
	struct lifeline lifeline;
	struct ceiling ceiling;
};

/*
 * Begins it; in limit_ms the process ends with `silent` and what is known by then, and at once with
 * `protocol` if a library breaks on what the phone sends (ceiling.h). inquiry must stay where it is
 * until inquiry_end(). Returns 0, or a negative errno with err set.
 */
int inquiry_begin(struct inquiry *inquiry, unsigned limit_ms, struct error *err);
/* Lifts the limit; may be called twice. */
void inquiry_end(struct inquiry *inquiry);

/* It came that far (never lowers it). All of these may be called with NULL for nobody who asks. */
void inquiry_reached(struct inquiry *inquiry, enum reached reached);
void inquiry_detail(struct inquiry *inquiry, const char *detail);
void inquiry_record(struct inquiry *inquiry, bool record, bool broken);

/* What is known as an object: "reach", and "record", "record_broken", "detail" if they are. Returns
 * 0 or a negative errno. */
int inquiry_fields(const struct inquiry *inquiry, sd_json_variant **ret);
