/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Faults at a message or a byte of any conversation.
 *
 *     fault = CONVERSATION got|sent message N|byte N|NAME [N] ACTION[:ARGUMENT]
 *
 * got: from the host; sent: by the phone. Messages and bytes are counted from 1 over all
 * connections of that conversation since the phone's start. NAME matches a message's name (a
 * request, a command, a data type; see the event log's "message" lines), N its n-th time (1).
 *
 *   unplug[:MS]  cable out (back in after MS)      stall        this connection: nothing more is
 *   reset        this connection is closed                      taken or sent, it stays open
 *   reboot       the phone restarts                silence      the whole phone stays on the bus
 *   garbage      random bytes of the same length                and answers nothing any more
 *   cut          half of the message, then closed  drop         the message is lost
 *   delay:MS     held back                         error:TEXT   lockdown: answered with Error TEXT
 *
 * At a byte, what came before it still passes. Dropped bytes are not counted. A rule fires once.
 * Random bytes come from the phone's seed, so the same seed gives the same run. From unplug and
 * reboot on nothing passes, until the phone has left the bus.
 *
 * Conversations and their messages (another word is refused):
 *   lockdown, restored, asr, fdr, data and the services' names: property lists on streams
 *   mobilebackup2: "DLMessageUploadFiles", "Response", "Backup" …, and "file": one of a stream
 *   mux: packets; "version", "setup", "control", "SYN", "SYN-ACK", "ACK", "data", "RST". stall: the
 *     mux is deaf until the next reset of the bus; reset: of the packet's connection, or of the bus
 *   normal, recovery, dfu, restore, debug-usb: USB transfers of that mode beyond chapter 9 (got:
 *     request and OUT bytes; sent: IN bytes of a control transfer). Recovery: the first word of a
 *     command, "upload-start", "data", "answer", "finish"; DFU: "DNLOAD", "UPLOAD", "GETSTATUS",
 *     "CLRSTATUS", "GETSTATE", "ABORT"; else "data" or four hex digits of type and request.
 *     stall, error: USB's stall; drop: never answered; cut: half is taken, then a stall; reset:
 *     off the bus and back, as by a loose plug
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "timers.h"

struct phone;

enum { FAULTS_MAX = 16 };

enum fault_way { FAULT_GOT, FAULT_SENT };
enum fault_place { FAULT_AT_MESSAGE, FAULT_AT_BYTE, FAULT_AT_NAME };
enum fault_action {
	FAULT_UNPLUG,
	FAULT_STALL,
	FAULT_RESET,
	FAULT_REBOOT,
	FAULT_SILENCE,
	FAULT_GARBAGE,
	FAULT_CUT,
	FAULT_DROP,
	FAULT_DELAY,
	FAULT_ERROR,
};

struct fault_rule {
	char conversation[48];
	enum fault_way way;
	enum fault_place place;
	uint64_t number; /* message, byte, or n-th of that name; from 1 */
	char name[64];
	enum fault_action action;
	uint64_t ms;    /* unplug, delay */
	char error[48]; /* error */
	bool fired;
	uint64_t seen; /* messages of that name so far */
};

/* Lives in the scenario; text as above. */
struct fault_rules {
	unsigned count;
	struct fault_rule rules[FAULTS_MAX];
};

/* Adds a rule; "none" clears all. -EINVAL: not understood; -ENOENT: there is no such conversation;
 * -ENOSPC: too many. */
int fault_parse(struct fault_rules *rules, const char *text);
/* The conversations that there are, with commas between them. */
extern const char fault_conversations[];

/* Counters of one conversation of the phone, shared by its connections. */
struct fault_counts {
	char conversation[48];
	uint64_t messages[2], bytes[2]; /* by fault_way */
};

struct faults {
	struct phone *phone; /* owner */
	bool silent;         /* after FAULT_SILENCE, until the next boot */
	bool leaving;        /* after FAULT_UNPLUG and FAULT_REBOOT, until it is off the bus */
	unsigned count;
	struct fault_counts counts[32];
	struct timer cable, replug;
	uint64_t random;
};

void faults_init(struct faults *f, struct phone *phone);
void faults_done(struct faults *f);

/* The phone boots: a silence is over. Counters and fired rules stay. */
void faults_boot(struct faults *f);
/* Nothing comes in or goes out now, although the phone is on the bus. */
bool faults_mute(const struct faults *f);
/* Cable out now (as soon as the transfer under way returns); back in after @back_ms, or not if 0.
 */
void faults_unplug(struct faults *f, uint64_t back_ms);

/*
 * Counts one message of @conversation and returns the rule that strikes now, or NULL. Unplug,
 * reboot and silence have already been done to the phone; everything else is the caller's to do.
 *
 * fault_bytes() returns the rule that strikes in front of @len bytes, or NULL and in *@ret_at how
 * many of them pass (they are counted); the caller comes back with the rest.
 */
const struct fault_rule *fault_message(struct faults *f, const char *conversation,
				       enum fault_way way, const char *name);
const struct fault_rule *fault_bytes(struct faults *f, const char *conversation, enum fault_way way,
				     size_t len, size_t *ret_at);
/* Random bytes from the phone's seed. */
void fault_garbage(struct faults *f, void *to, size_t len);

/*
 * A stream's conversation (ports.c makes one for each connection). tap_message() is called by
 * services before they take or send a message and says what to do with it.
 */
enum tap_verdict {
	TAP_PASS,
	TAP_DROP,    /* as if it had never been */
	TAP_GARBAGE, /* sent: random bytes instead */
	TAP_CUT,     /* sent: half of it, then close */
	TAP_ERROR,   /* got: answer with tap_error() */
};

struct tap {
	struct phone *phone;
	const char *conversation;
	const struct fault_rule *rule;                           /* the last that struck */
	void (*act)(struct tap *tap, const struct fault_rule *); /* stall, reset, delay */
	bool dead; /* stalled or closed: every message is dropped */
};

/* @tap may be NULL. @name is the message's name; goes to the event log. A service takes no further
 * message once it is told to drop one: it may have bytes left, but nobody hears it. */
enum tap_verdict tap_message(struct tap *tap, enum fault_way way, const char *name);
const char *tap_error(const struct tap *tap);
