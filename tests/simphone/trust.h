/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whom the phone trusts, and what stands on its screen. The pair records survive every mode and
 * every boot; an erase, and the user's "Reset Location & Privacy", destroy them.
 *
 *   dialog   NONE ──Pair──▶ COMING ──delay──▶ ASKING ──tap──▶ PASSCODE ──typed──▶ TRUSTED
 *             ▲                                 │  └──────(no passcode set)──────────▲
 *             │                                 └──Don't Trust──▶ DENIED
 *             └──────── cable out, boot, erase, Unpair, forget ────────┘
 *
 *   screen   unlocked ⇄ locked (only with a passcode); a boot with a passcode begins locked and
 *            "before first unlock"
 *
 * Invariants: one dialog at a time, for the computer whose SystemBUID is `asker`. A record is
 * remembered only by a Pair that succeeded: hosts make new certificates for each attempt.
 */
#pragma once

#include <plist/plist.h>
#include <stdint.h>

#include "buf.h"
#include "lockdown_knobs.h"
#include "timers.h"

struct phone;

enum {
	HOSTS_MAX = 32, /* the oldest makes room */
	ESCROW_BAG_BYTES = 32,
	TRUST_ID_MAX = 64, /* HostID and SystemBUID with their NUL */
	CHALLENGE_BYTES = 64,
};

enum dialog {
	DIALOG_NONE,
	DIALOG_COMING,
	DIALOG_ASKING,
	DIALOG_PASSCODE,
	DIALOG_TRUSTED,
	DIALOG_DENIED,
};

struct host {
	struct host *next;
	char id[TRUST_ID_MAX];
	char buid[TRUST_ID_MAX];
	plist_t record; /* owned; the PairRecord as the host sent it */
	uint8_t escrow_bag[ESCROW_BAG_BYTES];
	uint64_t sessions; /* so far */
};

struct trust {
	struct phone *phone;  /* owner */
	enum trust_rule rule; /* of the scenario, as last obeyed */
	struct host *hosts;   /* newest first */

	bool setup_done, passcode, locked, unlocked_once;
	enum dialog dialog;
	char asker[TRUST_ID_MAX];
	char untrusted_buid[TRUST_ID_MAX]; /* told by a host since the cable went in */
	uint8_t challenge[CHALLENGE_BYTES];
	bool challenged;   /* a host was given the challenge */
	unsigned sessions; /* open now */

	struct timer timer;        /* the dialog comes; the user taps */
	struct timer cable;        /* reconnect_after_trust */
	struct timer fight;        /* forget_after_ms */
	char fought[TRUST_ID_MAX]; /* whose record it is about */
	uint64_t random;
};

void trust_init(struct trust *t, struct phone *phone);
void trust_done(struct trust *t);
/* The system boots: with a passcode it is locked. */
void trust_boot(struct trust *t);
/* The cable is out: the dialog goes, and the phone forgets who asked. */
void trust_detached(struct trust *t);
/* An erase install: pair records, passcode and what hosts wrote are gone, Setup Assistant waits. */
void trust_erase(struct trust *t);

/*
 * A host asks to pair. Returns NULL and the new host, or lockdown's word for the refusal; then
 * *@extended may be set to an ExtendedResponse (caller frees).
 */
const char *trust_pair(struct trust *t, plist_t record, plist_t options, struct host **ret_host,
		       plist_t *extended);
/* The host of a session that may begin, or NULL and lockdown's word. @buid may be NULL. */
struct host *trust_session(struct trust *t, const char *host_id, const char *buid,
			   const char **ret_error);
struct host *trust_find(struct trust *t, const char *host_id);
void trust_forget(struct trust *t, struct host *host);
void trust_forget_all(struct trust *t);
/* Whether protected services may not start: never unlocked since the boot, and @escrow_bag (may be
 * NULL) is not the one of @host. */
bool trust_escrow_locked(struct trust *t, const struct host *host, plist_t escrow_bag);
/* SetValue UntrustedHostBUID. */
void trust_set_untrusted(struct trust *t, const char *buid);

/* ---- the hand; 0, or -EINVAL with *@why ---- */
int trust_unlock(struct trust *t, const char **why);
int trust_lock(struct trust *t, const char **why);
int trust_tap(struct trust *t, bool trust, const char **why);
/* Types the passcode that the dialog wants after Trust. */
int trust_type(struct trust *t, const char **why);
void trust_set_passcode(struct trust *t, bool set);
void trust_finish_setup(struct trust *t);

/* Looks at the scenario again; for readers of the members above. */
void trust_sync(struct trust *t);
const char *dialog_name(enum dialog dialog);
/* An upper-case UUID of 36 characters and NUL. */
void trust_uuid(struct trust *t, char to[static 37]);
