/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How a phone stands to this computer, in the words of the worker trust (worker/README.md): whether
 * it trusts us, how far we came in with it, and what says so.
 */
#include "base/error.h"
#include <stdbool.h>

enum trust {
	TRUST_UNKNOWN,
	TRUST_LOCKED,
	TRUST_ASKING,
	TRUST_DENIED,
	TRUST_STALE,
	TRUST_TRUSTED,
	TRUST_REFUSED_BY_POLICY,
	TRUST_MAX,
};

/* How far the latest question to the phone came, in its present enumeration. */
enum reach {
	REACH_NONE,     /* not even usbmuxd led to it, or nobody asked yet */
	REACH_PORT,     /* usbmuxd lists it and its lockdown port was reached */
	REACH_LOCKDOWN, /* lockdownd answered */
	REACH_RECORD,   /* this computer has a record of it that is whole */
	REACH_SESSION,  /* a TLS session opened and one real value was read in it */
	REACH_SERVICE,  /* a service started */
	REACH_MAX,
};

/* What the word of trust alone does not say. The list is closed; a word that is none of ours counts
 * as DETAIL_NONE. */
enum trust_detail {
	DETAIL_NONE,
	DETAIL_ESCROW,            /* lockdownd -35: not unlocked since it started */
	DETAIL_PASSCODE,          /* lockdownd -17: the screen is locked */
	DETAIL_NO_HANDSHAKE,      /* the session's TLS handshake got no answer */
	DETAIL_TLS_REFUSED,       /* the phone refused our certificate or hung up */
	DETAIL_TLS_PROTOCOL,      /* no version or cipher of TLS that both speak */
	DETAIL_FMIP,              /* lockdownd -37: lost mode */
	DETAIL_MC,                /* lockdownd -38: a management profile forbids pairing */
	DETAIL_MC_CHALLENGE,      /* lockdownd -39: only its supervisor may pair */
	DETAIL_OVER_NETWORK,      /* lockdownd -36: pairing only over a cable */
	DETAIL_NOT_ACTIVATED,     /* it is not activated */
	DETAIL_SETUP,             /* its setup was not ended */
	DETAIL_SILENT_DIALOG,     /* it should ask, and nothing ever comes */
	DETAIL_RECORD_UNWRITABLE, /* this computer could not store the record */
	DETAIL_RECORD_FIGHT,      /* the record changes, or is dropped, without our doing */
	DETAIL_CLOCK,             /* this computer's clock is outside the record's certificates */
	DETAIL_MAX,
};

/* A worker's answer about trust. Pointers are borrowed, NULL: nothing to say. */
struct trust_answer {
	enum trust trust;
	enum trust_detail detail;
	bool has_record;                   /* this computer holds a record of the phone */
	bool record_broken;                /* it is there, but unusable in itself */
	const struct error *reason;        /* why trust is what it is */
	enum reach reach;                  /* how far the check came */
	const struct error *reach_problem; /* why it came no further */
	const struct identity *news;       /* what it read besides */
};

const char *trust_name(enum trust trust);
enum trust trust_from_name(const char *name); /* TRUST_MAX if it is none of ours, or NULL */

const char *reach_name(enum reach reach);     /* "none", "port", "lockdown" … */
enum reach reach_from_name(const char *name); /* REACH_MAX if it is none of ours, or NULL */

const char *trust_detail_name(enum trust_detail detail); /* "escrow" …, "" for DETAIL_NONE */
enum trust_detail trust_detail_from_name(const char *name);
